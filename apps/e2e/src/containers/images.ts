import { cpSync, existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { ROOT } from '../../../../infra/paths.ts';
import type { PodName } from './overlay.ts';
import type { ContainerEngine } from '../../../../infra/images/container-engine.ts';

/** What Node.js is linked with, on the folders of a Debian: no shell among it, no package manager. */
const LIBRARIES = ['base-files', 'libc6', 'libstdc++6', 'libgcc-s1'];
const SHELL = ['dash', 'coreutils'];
const AUTHORITIES = process.env.NODE_EXTRA_CA_CERTS ?? '/etc/ssl/certs/ca-certificates.crt';

/** What the Dockerfile builds on, by the names that it has for it. */
export function bases(): { build: string; run: string } {
  const text = readFileSync(join(ROOT, 'infra', 'images', 'Dockerfile'), 'utf8');
  const named = (arg: string) => new RegExp(`^ARG ${arg}=(\\S+)$`, 'm').exec(text)![1]!;
  return { build: named('BUILD_BASE'), run: named('RUN_BASE') };
}

/**
 * Makes stand-ins for the Dockerfile's bases, of this machine's own Debian and Node.js, under the same names: no
 * registry is asked. Beside Node.js, the one to run on has its libraries alone; the other has a shell and npm.
 */
export async function makeBases(engine: ContainerEngine): Promise<void> {
  const { build, run } = bases();
  const context = join(engine.folder, 'bases');
  mkdirSync(context, { recursive: true });
  const suite = /^VERSION_CODENAME=(\w+)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'stable';
  const extract = (packages: string[], file: string) =>
    engine.run('mmdebstrap', '--variant=extract', `--include=${packages.join(',')}`, suite, join(context, file));
  await extract(LIBRARIES, 'run.tar');
  await extract([...LIBRARIES, ...SHELL], 'build.tar');

  cpSync(realpathSync(process.execPath), join(context, 'node'));
  cpSync(npmFolder(), join(context, 'npm'), { recursive: true });
  // Where packages come by way of a proxy with an authority of its own, npm has to know it.
  if (existsSync(AUTHORITIES)) cpSync(AUTHORITIES, join(context, 'authorities.crt'), { dereference: true });
  else writeFileSync(join(context, 'authorities.crt'), '');
  const registry = await engine.run('npm', 'config', 'get', 'registry');
  writeFileSync(join(context, 'Run'), ['FROM scratch', 'ADD run.tar /', 'COPY node /nodejs/bin/node'].join('\n'));
  writeFileSync(
    join(context, 'Build'),
    [
      'FROM scratch',
      'ADD build.tar /',
      'COPY node /usr/local/bin/node',
      'COPY npm /usr/local/lib/node_modules/npm',
      'COPY authorities.crt /etc/ssl/authorities.crt',
      'ENV PATH=/usr/local/bin:/usr/bin:/bin NODE_EXTRA_CA_CERTS=/etc/ssl/authorities.crt',
      `ENV NPM_CONFIG_REGISTRY=${registry}`,
      'RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm',
    ].join('\n'),
  );
  for (const [file, name] of [
    ['Run', run],
    ['Build', build],
  ] as const) {
    await engine.run(
      'buildah',
      'build',
      '--isolation',
      'chroot',
      '--file',
      join(context, file),
      '--tag',
      name,
      context,
    );
  }
}

function npmFolder(): string {
  const npm = (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'npm'))
    .find((file) => existsSync(file));
  if (!npm) throw new Error('npm is not on the PATH');
  return dirname(dirname(realpathSync(npm)));
}

/** As `npx nx run <service>:image` does, without asking anybody for a base; tagged for the local overlay. Answers its id. */
export async function buildImage(engine: ContainerEngine, service: PodName, ...more: string[]): Promise<string> {
  const script = join(ROOT, 'infra', 'images', 'image.ts');
  const builder = ['--with', 'buildah', '--isolation', 'chroot', '--network', 'host', '--pull-never'];
  await engine.run(process.execPath, script, service, ...builder, '--tag', `cabstand/${service}:local`, ...more);
  return readFileSync(join(ROOT, 'dist', 'images', `${service}.id`), 'utf8').trim();
}

/** Bytes that the image takes, its base included. */
export const sizeOf = async (engine: ContainerEngine, image: string): Promise<number> =>
  Number(await engine.podman('image', 'inspect', '--format', '{{.Size}}', image));
