import { execFile, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { promisify } from 'node:util';

const POLICY = '/usr/sbin/policy-rc.d';

const isDebianFamily = () => {
  try {
    return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(readFileSync('/etc/os-release', 'utf8'));
  } catch {
    return false;
  }
};

/** How to run a command as root without being asked for a password; null when that isn't possible. */
function asRoot(): string[] | null {
  if (process.getuid?.() === 0) return [];
  return spawnSync('sudo', ['-n', 'true']).status === 0 ? ['sudo', '-n'] : null;
}

export const canInstallPackages = (): boolean =>
  isDebianFamily() && existsSync('/usr/bin/apt-get') && asRoot() !== null;

export const installRabbitmq = (say: (line: string) => void) =>
  installPackage('rabbitmq-server', ['rabbitmq-server.service', 'epmd.service', 'epmd.socket'], say);

/**
 * Installs a package of Debian's without starting the system-wide server that it brings: what is wanted is the
 * programs. `policy-rc.d` is how Debian lets an administrator say that.
 */
export async function installPackage(name: string, units: string[], say: (line: string) => void): Promise<void> {
  const prefix = asRoot();
  if (prefix === null) throw new Error(`installing ${name} needs root or sudo without a password`);
  const run = async (...command: string[]) => {
    const [program, ...args] = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', ...command] as [
      string,
      ...string[],
    ];
    await promisify(execFile)(program, args, { maxBuffer: 64 * 1024 * 1024 });
  };
  // On a systemd machine the unit would be enabled for the next boot; a masked unit isn't.
  if (units.length > 0 && existsSync('/run/systemd/system')) {
    await run('systemctl', 'mask', ...units);
    say(`masked the system-wide server (undo: systemctl unmask ${units.join(' ')})`);
  }
  const hasPolicy = existsSync(POLICY);
  if (!hasPolicy) await run('sh', '-c', `printf '#!/bin/sh\\nexit 101\\n' > ${POLICY} && chmod 755 ${POLICY}`);
  const install = () => run('apt-get', 'install', '--yes', '--no-install-recommends', name);
  try {
    await install().catch(async () => {
      say('apt-get update first: the package lists are missing or old');
      await run('apt-get', 'update');
      await install();
    });
  } finally {
    if (!hasPolicy) await run('rm', '-f', POLICY);
  }
}
