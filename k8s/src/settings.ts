import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SERVICES } from '@cabstand/contracts';
import type { IExternalSecret } from '@kubernetes-models/external-secrets/external-secrets.io/v1/ExternalSecret';
import { z } from 'zod';
import { load } from '../../tools/load.ts';
import { ofKind, type KubernetesObject } from './objects.ts';
import { services, settingsOf } from './pods.ts';

/** Read by Node.js itself. */
const NODE = ['NODE_ENV', 'NODE_EXTRA_CA_CERTS'];

/** Any 32 bytes: keys are checked for their length, and passwords for nothing. */
const SECRET = Buffer.alloc(32, 7).toString('base64');

/** What each service finds in its environment: its ConfigMap, and its Secret with something in the place of each secret. */
export function environments(objects: KubernetesObject[]): Record<string, Record<string, string>> {
  return Object.fromEntries(
    services(objects).map(({ name, pod }) => {
      const secrets = pod.containers[0]!.envFrom?.flatMap(({ secretRef }) => secretRef?.name ?? []) ?? [];
      return [
        name,
        Object.assign({}, settingsOf(objects, name), ...secrets.map((secret) => contentOf(objects, secret))),
      ];
    }),
  );
}

function contentOf(objects: KubernetesObject[], name: string): Record<string, string> {
  const external = ofKind<IExternalSecret>(objects, 'ExternalSecret').find(({ metadata }) => metadata.name === name);
  const { data = [], target } = external?.spec ?? {};
  const known = new Set(data.map(({ secretKey }) => secretKey));
  const fill = (text: string) =>
    text.replace(/\{\{ \.(\w+)( \| urlquery)? \}\}/g, (_, key: string, isQuoted?: string) => {
      if (!known.has(key)) throw new Error(`ExternalSecret ${name} has no ${key} for its template`);
      return isQuoted ? encodeURIComponent(SECRET) : SECRET;
    });
  return Object.fromEntries(Object.entries(target?.template?.data ?? {}).map(([key, text]) => [key, fill(text)]));
}

/** What the services' own config.ts say of environments, which are named `<anything>/<service>`: a line for each problem. */
export async function problemsOfSettings(given: Record<string, Record<string, string>>): Promise<string[]> {
  const schemas = new Map<string, z.ZodObject>();
  for (const service of [...SERVICES, 'web']) schemas.set(service, await configOf(service));
  // A file that is mounted there has to be readable here as well.
  const folder = mkdtempSync(join(tmpdir(), 'cabstand-settings-'));
  const file = join(folder, 'mounted');
  writeFileSync(file, '');
  try {
    const mounted = JSON.stringify(given).replaceAll(/\/run\/cabstand\/tls\/\w+\.\w+/g, file);
    return Object.entries(JSON.parse(mounted) as typeof given).flatMap(([title, environment]) =>
      problemsOf(schemas.get(title.split('/').at(-1)!)!, environment).map((problem) => `${title}: ${problem}`),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function configOf(service: string): Promise<z.ZodObject> {
  const exported = Object.values(await load(`apps/${service}/${service === 'web' ? 'server' : 'src'}/config.ts`));
  return exported.find((value) => value instanceof z.ZodObject)!;
}

function problemsOf(schema: z.ZodObject, environment: Record<string, string>): string[] {
  const unknown = Object.keys(environment).filter((name) => !(name in schema.shape) && !NODE.includes(name));
  const issues = schema.safeParse(environment).error?.issues ?? [];
  return [
    ...unknown.map((name) => `${name} is unknown`),
    ...issues.map(({ path: [name], message }) => `${String(name)} ${name! in environment ? message : 'is missing'}`),
  ];
}
