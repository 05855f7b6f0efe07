import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { parse, stringify } from 'yaml';
import { build, folderOf } from '../src/kustomize.ts';
import { nameOf, type KubernetesObject } from '../src/objects.ts';
import { problemsOf } from '../src/schemas.ts';
import { withKubectl } from './kubectl.ts';

const ROOT = join(import.meta.dirname, '..');
const RESTORED = join(ROOT, 'components', 'postgres', 'restored');

/** What docs/deploy.md says to put into an overlay. */
const PATCHES = [
  ...readFileSync(join(ROOT, '..', 'docs', 'deploy.md'), 'utf8').matchAll(/```yaml\n([^`]*)```/g),
].flatMap(([, block]) => (parse(block!) as { patches: object[] }).patches);

/** An overlay as the mesh's (one of the patches is for a mesh), and a restored database. */
function built(patches: object[]): KubernetesObject[] {
  const folder = mkdtempSync(join(tmpdir(), 'cabstand-overlay-'));
  try {
    const resources = [folderOf('mesh'), RESTORED].map((path) => relative(realpathSync(folder), path));
    writeFileSync(join(folder, 'kustomization.yaml'), stringify({ resources, patches }));
    return build(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

withKubectl('documented patches', () => {
  it('each patch in docs/deploy.md finds what it is for, and leaves it as its schema says', async () => {
    const before = new Set(built([]).map((object) => JSON.stringify(object)));
    const changed = built(PATCHES).filter((object) => !before.has(JSON.stringify(object)));
    expect(changed.map(nameOf).sort()).toEqual([
      'Cluster trip-restored-postgres',
      'ExternalSecret trip',
      'NetworkPolicy dns',
      ...['driver', 'passenger', 'trip'].map((service) => `NetworkPolicy ${service}-postgres`),
      ...['postgres', 'rabbitmq', 'services'].map((name) => `PodMonitor ${name}`),
      ...['cabstand', 'cabstand-backups'].map((name) => `PrometheusRule ${name}`),
    ]);
    const problems = await Promise.all(changed.map(problemsOf));
    expect(problems.flat()).toEqual([]);
  }, 60_000);
});
