import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import type { IExternalSecret } from '@kubernetes-models/external-secrets/external-secrets.io/v1/ExternalSecret';
import { ofKind, type KubernetesObject } from './objects.ts';
import { services, settingsOf } from './pods.ts';

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

/** What the services' own config.ts say of environments, which are named `<anything>/<service>`. */
export function problemsOfSettings(given: Record<string, Record<string, string>>): string[] {
  // A file that is mounted there has to be readable here as well.
  const folder = mkdtempSync(join(tmpdir(), 'cabstand-settings-'));
  const file = join(folder, 'mounted');
  writeFileSync(file, '');
  try {
    const input = JSON.stringify(given).replaceAll(/\/run\/cabstand\/tls\/\w+\.\w+/g, file);
    const script = join(import.meta.dirname, 'check-settings.ts');
    const { stdout, stderr } = spawnSync(process.execPath, [script], { input, encoding: 'utf8' });
    return (stdout + stderr).split('\n').filter(Boolean);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
