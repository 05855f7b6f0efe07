import { spawnSync } from 'node:child_process';
import { isDockerRunning } from '../rabbitmq/container.ts';

/** Programs that build a Dockerfile, in the order in which they are looked for. */
export const BUILDERS = ['docker', 'podman', 'buildah'] as const;
export type Builder = (typeof BUILDERS)[number];

export const isBuilder = (name: string | undefined): name is Builder => BUILDERS.some((builder) => builder === name);

/** Docker's client alone builds nothing: its server has to answer. */
export const findBuilder = (
  isThere = (name: Builder) =>
    name === 'docker' ? isDockerRunning() : spawnSync(name, ['--version'], { timeout: 10_000 }).status === 0,
): Builder | undefined => BUILDERS.find(isThere);

export interface Source {
  version: string;
  revision: string;
  /** Seconds since 1970, UTC: the time of everything in the image. */
  committedAtS: number;
}

/** The whole command behind the builder's name. `extra` comes last, so that it has the last word. */
export function buildArguments(
  builder: Builder,
  service: string,
  { version, revision, committedAtS }: Source,
  idFile: string,
  extra: string[],
): string[] {
  const args = {
    SERVICE: service,
    VERSION: version,
    REVISION: revision,
    CREATED: new Date(committedAtS * 1_000).toISOString(),
  };
  const name = `cabstand/${service}`;
  return [
    'build',
    ...['--file', 'infra/images/Dockerfile', '--iidfile', idFile],
    ...['--tag', name, '--tag', `${name}:${version}`],
    ...Object.entries(args).flatMap(([arg, value]) => ['--build-arg', `${arg}=${value}`]),
    ...(builder === 'docker'
      ? // BuildKit takes the times of the image from it; those of the files take an exporter that rewrites them.
        ['--build-arg', `SOURCE_DATE_EPOCH=${committedAtS}`]
      : // Without `--layers`, Buildah would make the stage that the services share anew for each.
        ['--timestamp', String(committedAtS), '--layers']),
    ...extra,
    '.',
  ];
}
