import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { asRoot, canInstallPackages, installPackages } from '../install.ts';

/** Debian's packages, each with a program that tells whether it is there. */
const CONTAINERS = {
  buildah: 'buildah',
  podman: 'podman',
  runc: 'runc',
  netavark: '/usr/lib/podman/netavark',
  // Which netavark runs, and Debian's package of it doesn't ask for.
  iptables: 'iptables',
  // What a pod's containers share belongs to a process of it.
  catatonit: 'catatonit',
  mmdebstrap: 'mmdebstrap',
};
const PROXY = { nginx: 'nginx' };

/** Programs of administrators are not on everybody's PATH. */
const folders = () => [...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];
const isThere = (program: string) =>
  program.startsWith('/') ? existsSync(program) : folders().some((folder) => existsSync(join(folder, program)));
const missingOf = (packages: Record<string, string>) =>
  Object.entries(packages).flatMap(([name, program]) => (isThere(program) ? [] : [name]));

/** Why images can't be built and run on this machine, for the name of the test that isn't run; null where they can. */
export function whyNoContainers(): string | null {
  if (process.platform !== 'linux') return `this is ${process.platform}, and containers are Linux's`;
  if (asRoot() === null) return 'building and running them here needs root, or sudo without a password';
  const missing = missingOf(CONTAINERS);
  if (missing.length > 0) return `apt-get install ${missing.join(' ')}`;
  // Debian's own is too old to know the overlays' kind of file.
  return isThere('kubectl') ? null : 'kubectl is missing: https://kubernetes.io/docs/tasks/tools/';
}

export const whyNoProxy = (): string | null => (isThere(PROXY.nginx) ? null : 'apt-get install nginx');

/** Installs what the tests of images and of the balancer run, where that is possible; answers how things stand with it. */
export async function ensureContainerTools(say: (line: string) => void): Promise<string> {
  const missing = missingOf({ ...CONTAINERS, ...PROXY });
  if (missing.length === 0) return whyNoContainers() ?? 'podman, buildah, mmdebstrap and nginx are there';
  if (!canInstallPackages()) return `no ${missing.join(', ')}: tests that need them are not run`;
  await installPackages(missing, missing.includes('nginx') ? ['nginx.service'] : [], say);
  return `installed ${missing.join(', ')}`;
}
