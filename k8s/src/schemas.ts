import type { z } from 'zod';
import { FREE_BY_SCHEMA, MODELLED_HERE } from './models.ts';
import type { KubernetesObject } from './objects.ts';

/** Where the schemas of custom resources come from. What has no group of its own here is Kubernetes's. */
const PACKAGES: Record<string, string> = {
  'cert-manager.io': '@kubernetes-models/cert-manager',
  'external-secrets.io': '@kubernetes-models/external-secrets',
  'gateway.networking.k8s.io': '@kubernetes-models/gateway-api',
  'keda.sh': '@kubernetes-models/keda',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
  'networking.istio.io': '@kubernetes-models/istio',
  'postgresql.cnpg.io': '@kubernetes-models/cloudnative-pg',
  'security.istio.io': '@kubernetes-models/istio',
};

type Otherwise = (path: string, value: unknown) => string[] | undefined;
type Validator = { prototype: { validate: (this: object) => void } };

/** What is wrong with an object, unknown fields among it; empty when nothing is. */
export async function problemsOf(object: KubernetesObject): Promise<string[]> {
  const { apiVersion, kind } = object;
  const model = MODELLED_HERE[`${apiVersion} ${kind}`];
  if (model) return issuesOf(model, object);
  const { prototype } = await modelOf(apiVersion, kind);
  const { watched, unread } = watch(object);
  const problems: string[] = [];
  try {
    prototype.validate.call(watched);
  } catch (error) {
    problems.push((error as Error).message);
  }
  const free = FREE_BY_SCHEMA[kind] ?? {};
  return [
    ...problems,
    ...unread((path, value) => {
      const model = free[path];
      return model && issuesOf(model, value, path);
    }),
  ];
}

const issuesOf = (model: z.ZodType, value: unknown, at = '') =>
  (model.safeParse(value).error?.issues ?? []).map(({ path, message }) => `${[at, ...path].join('.')} ${message}`);

const models = new Map<string, Promise<Validator>>();

function modelOf(apiVersion: string, kind: string): Promise<Validator> {
  const key = `${apiVersion}/${kind}`;
  const known = models.get(key);
  if (known) return known;
  const from = PACKAGES[apiVersion.split('/')[0]!] ?? 'kubernetes-models';
  const loaded = import(`${from}/${key}`).then(
    (module: Record<string, Validator>) => module[kind]!,
    () => {
      throw new Error(`no schema for ${apiVersion} ${kind}`);
    },
  );
  models.set(key, loaded);
  return loaded;
}

/**
 * The models' validators are compiled code that lets unknown fields pass. They read every field that they know, and none
 * that they don't: so what is never read is unknown. This shows them an object that remembers what was read.
 */
function watch(object: object) {
  const readOf = new Map<object, Set<string>>();
  const proxies = new Map<object, object>();
  const watched = (target: object): object => {
    const existing = proxies.get(target);
    if (existing) return existing;
    const read = new Set<string>();
    const proxy = new Proxy(target, {
      get(of, key) {
        if (typeof key === 'string') read.add(key);
        const value: unknown = Reflect.get(of, key);
        return isObject(value) ? watched(value) : value;
      },
    });
    readOf.set(target, read);
    proxies.set(target, proxy);
    return proxy;
  };

  /** The problems below `target`: `otherwise` has the first word on what is found where (`*` for any index). */
  const unread = (otherwise: Otherwise, target: object = object, path: string[] = []): string[] =>
    Object.entries(target).flatMap(([key, value]) => {
      const isItem = Array.isArray(target);
      const here = [...path, isItem ? '*' : key];
      if (!isItem && !readOf.get(target)?.has(key)) return [`${here.join('.')} is unknown`];
      return otherwise(here.join('.'), value) ?? (isObject(value) ? unread(otherwise, value, here) : []);
    });
  return { watched: watched(object), unread };
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
