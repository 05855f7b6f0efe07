import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

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

export const canInstallRabbitmq = (): boolean =>
  isDebianFamily() && existsSync('/usr/bin/apt-get') && asRoot() !== null;

/**
 * Installs Debian's rabbitmq-server without starting the system-wide broker that the package brings: what is
 * wanted is the programs, for a private node. `policy-rc.d` is how Debian lets an administrator say that.
 */
export function installRabbitmq(say: (line: string) => void): void {
  const prefix = asRoot();
  if (prefix === null) throw new Error('installing rabbitmq-server needs root or sudo without a password');
  const run = (...command: string[]) => {
    const [program, ...args] = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', ...command] as [
      string,
      ...string[],
    ];
    return execFileSync(program, args, { stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 64 * 1024 * 1024 });
  };
  const install = () => run('apt-get', 'install', '--yes', '--no-install-recommends', 'rabbitmq-server');
  const withoutServices = existsSync(POLICY)
    ? (work: () => void) => work()
    : (work: () => void) => denyServices(run, work);

  // On a systemd machine the unit would be enabled for the next boot; a masked unit isn't.
  if (existsSync('/run/systemd/system')) {
    run('systemctl', 'mask', 'rabbitmq-server.service', 'epmd.service', 'epmd.socket');
    say('masked the system-wide broker (undo: systemctl unmask rabbitmq-server epmd.service epmd.socket)');
  }
  withoutServices(() => {
    try {
      install();
    } catch {
      say('apt-get update first: the package lists are missing or old');
      run('apt-get', 'update');
      install();
    }
  });
}

function denyServices(run: (...command: string[]) => unknown, work: () => void): void {
  const script =
    '#!/bin/sh\n# Written while Cabstand installs rabbitmq-server: no service is to be started.\nexit 101\n';
  const isRoot = process.getuid?.() === 0;
  if (isRoot) writeFileSync(POLICY, script, { mode: 0o755 });
  else run('sh', '-c', `printf '%s' '${script.replaceAll("'", '')}' > ${POLICY} && chmod 755 ${POLICY}`);
  try {
    work();
  } finally {
    if (isRoot) rmSync(POLICY, { force: true });
    else run('rm', '-f', POLICY);
  }
}
