/** npm run doctor: what this machine has and lacks for Cabstand, each with the one command that mends it. */
import { spawnSync } from 'node:child_process';
import { statfsSync } from 'node:fs';
import { freemem, totalmem } from 'node:os';
import { SERVICES } from '@cabstand/contracts';
import {
  canInstallPackages,
  findRabbitmqServer,
  isDockerRunning,
  isPortInUse,
  portHolder,
  ROOT,
} from '../infra/index.ts';
import {
  green,
  loadDotEnv,
  platformHolder,
  readSettings,
  red,
  runningInfrastructure,
  yellow,
} from './runtime/index.ts';

interface Finding {
  name: string;
  found: string;
  /** `lacking` keeps `npm start` from working; `optional` is for other things. */
  state: 'fine' | 'optional' | 'lacking';
  mend?: string;
}

const version = (command: string, ...args: string[]): string | null => {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8', timeout: 10_000 });
  return status === 0 ? (stdout.trim().split('\n')[0] ?? '') : null;
};
const gibibytes = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

function rabbitmq(amqpUrl: string | null): Finding {
  const name = 'RabbitMQ';
  if (amqpUrl) return { name, found: `AMQP_URL names ${new URL(amqpUrl).host}`, state: 'fine' };
  const installed = findRabbitmqServer();
  if (installed) return { name, found: installed, state: 'fine' };
  const mend = process.platform === 'darwin' ? 'brew install rabbitmq' : 'sudo apt-get install rabbitmq-server';
  if (isDockerRunning()) return { name, found: 'not installed; npm start will use a container', state: 'fine' };
  if (canInstallPackages()) return { name, found: 'not installed; npm start will install it', state: 'fine' };
  return { name, found: 'missing', state: 'lacking', mend };
}

function docker(): Finding {
  const name = 'Docker';
  if (isDockerRunning()) return { name, found: version('docker', '--version') ?? '', state: 'fine' };
  const found = version('docker', '--version')
    ? 'installed, but its daemon does not answer'
    : 'missing (for infra/compose.yaml)';
  return { name, found, state: 'optional', mend: 'https://docs.docker.com/get-docker/, then start it' };
}

function kubectl(): Finding {
  const found = version('kubectl', 'version', '--client');
  if (found) return { name: 'kubectl', found, state: 'fine' };
  return {
    name: 'kubectl',
    found: 'missing (for Kubernetes)',
    state: 'optional',
    mend: 'https://kubernetes.io/docs/tasks/tools/',
  };
}

async function ports(): Promise<Finding[]> {
  const settings = readSettings();
  const wanted = SERVICES.flatMap((service) => {
    const { http, management } = settings.ports[service];
    const prefix = service.toUpperCase();
    return [
      { what: service, port: http, variable: `${prefix}_PORT` },
      { what: `${service} management`, port: management, variable: `${prefix}_MANAGEMENT_PORT` },
    ];
  });
  const { postgres, amqp, rabbitmqManagement } = settings.ports;
  wanted.push({ what: 'PostgreSQL', port: postgres, variable: 'POSTGRES_PORT' });
  wanted.push({ what: 'RabbitMQ', port: amqp, variable: 'RABBITMQ_PORT' });
  wanted.push({ what: 'RabbitMQ management', port: rabbitmqManagement, variable: 'RABBITMQ_MANAGEMENT_PORT' });
  const taken: Finding[] = [];
  for (const { what, port, variable } of wanted) {
    if (!(await isPortInUse(port))) continue;
    const found = `${port} is in use by ${portHolder(port) ?? 'a process that this user cannot see'}`;
    taken.push({ name: `port, ${what}`, found, state: 'lacking', mend: `stop it, or set ${variable}` });
  }
  if (taken.length > 0) return taken;
  return [{ name: 'ports', found: `${wanted.map(({ port }) => port).join(', ')} are free`, state: 'fine' }];
}

loadDotEnv();
const disk = statfsSync(ROOT);
const freeBytes = disk.bavail * disk.bsize;
const running = platformHolder();
const findings: Finding[] = [
  { name: 'Node.js', found: `${process.versions.node} (node_modules/.bin/node)`, state: 'fine' },
  { name: 'npm', found: version('npm', '--version') ?? 'missing', state: 'fine' },
  rabbitmq(readSettings().amqpUrl),
  docker(),
  kubectl(),
  freeBytes > 2 * 2 ** 30
    ? { name: 'disk', found: `${gibibytes(freeBytes)} free`, state: 'fine' }
    : { name: 'disk', found: `${gibibytes(freeBytes)} free, 2 GiB wanted`, state: 'lacking', mend: 'free some space' },
  { name: 'memory', found: `${gibibytes(freemem())} free of ${gibibytes(totalmem())}`, state: 'fine' },
  ...(running || runningInfrastructure()
    ? [{ name: 'ports', found: `Cabstand is running${running ? ` (pid ${running.pid})` : ''}`, state: 'fine' as const }]
    : await ports()),
];
const marks = { fine: green('✓'), optional: yellow('–'), lacking: red('✗') };
for (const { name, found, state, mend } of findings) {
  console.log(`${marks[state]} ${name.padEnd(24)} ${found}${mend ? `\n  ${''.padEnd(24)} → ${mend}` : ''}`);
}
process.exit(findings.some(({ state }) => state === 'lacking') ? 1 : 0);
