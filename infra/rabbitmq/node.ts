import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { credentials } from 'amqplib';
import { freePort, isPortInUse } from '../ports.ts';
import { forgetProcess, isRunning, spawnRecorded, stopProcess, tailOf, type ProcessRecord } from '../processes.ts';
import { secret } from '../secrets.ts';
import { certificateFiles } from '../tls/certificates.ts';
import { definitionsOf, type Accounts } from './definitions.ts';
import { Management } from './management.ts';

export interface Broker {
  /** Of the administrator, to the vhost that the node was started with. */
  amqpUrl: string;
  managementUrl: string;
  /** Null where it runs in a container. */
  pid: number | null;
  stop(): Promise<void>;
}

export interface NodeOptions {
  dir: string;
  amqpPort: number;
  managementPort: number;
  accounts: Accounts & { admin: { name: string; password: string } };
}

const onPath = (name: string) =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((file) => existsSync(file));

/**
 * The installed `rabbitmq-server`, if there is one. Debian's command on the PATH changes to its own system user and
 * home, so the script behind it comes first.
 */
export function findRabbitmqServer(): string | undefined {
  const debian = '/usr/lib/rabbitmq/bin/rabbitmq-server';
  return existsSync(debian)
    ? debian
    : (onPath('rabbitmq-server') ??
        ['/opt/homebrew/sbin', '/usr/local/sbin']
          .map((folder) => join(folder, 'rabbitmq-server'))
          .find((file) => existsSync(file)));
}

const plainListeners = ({ amqpPort, managementPort }: NodeOptions) => [
  `listeners.tcp.1 = 127.0.0.1:${amqpPort}`,
  'management.tcp.ip = 127.0.0.1',
  `management.tcp.port = ${managementPort}`,
];

/**
 * TLS 1.3 alone. AMQP takes whoever shows a certificate for the user that it names, and no passwords: any valid
 * certificate could use any password. The management API has no such mechanism, so it takes passwords of users who
 * may only look, and the administrator's.
 */
function secureListeners({ dir, amqpPort, managementPort }: NodeOptions): string[] {
  const { cert, key, ca } = certificateFiles(dir, 'rabbitmq');
  const files = { cacertfile: ca, certfile: cert, keyfile: key, 'versions.1': 'tlsv1.3' };
  const of = (prefix: string, settings: Record<string, string>) =>
    Object.entries(settings).map(([name, value]) => `${prefix}.${name} = ${value}`);
  return [
    'listeners.tcp = none',
    `listeners.ssl.1 = 127.0.0.1:${amqpPort}`,
    ...of('ssl_options', { ...files, verify: 'verify_peer', fail_if_no_peer_cert: 'true', depth: '1' }),
    'ssl_cert_login_from = common_name',
    'auth_mechanisms.1 = EXTERNAL',
    ...of('management.ssl', { ip: '127.0.0.1', port: String(managementPort), ...files }),
  ];
}

/** Everything listens on 127.0.0.1; limits suit a laptop, where half the disk may well be in use. */
function writeConfiguration(folder: string, options: NodeOptions): void {
  const { accounts } = options;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const definitions = join(folder, 'definitions.json');
  const settings = [
    ...(accounts.tls ? secureListeners(options) : plainListeners(options)),
    `load_definitions = ${definitions}`,
    'disk_free_limit.absolute = 200MB',
    'log.console.level = warning',
    'log.file = false',
    'log.console = true',
    // The interval at which the management API's figures (queue depths) are renewed.
    'collect_statistics_interval = 1000',
  ];
  writeFileSync(definitions, JSON.stringify(definitionsOf(accounts), null, 2), { mode: 0o600 });
  writeFileSync(join(folder, 'rabbitmq.conf'), `${settings.join('\n')}\n`);
  const plugins = ['rabbitmq_management', ...(accounts.tls ? ['rabbitmq_auth_mechanism_ssl'] : [])];
  writeFileSync(join(folder, 'enabled_plugins'), `[${plugins.join(',')}].\n`);
  writeFileSync(join(folder, 'empty-env.conf'), '');
}

/** How the administrator connects to a node that knows it by its certificate. */
export function asAdministrator(dir: string) {
  const { cert, key, ca } = certificateFiles(dir, 'rabbitmq-admin');
  const [certificate, itsKey, authority] = [cert, key, ca].map((file) => readFileSync(file));
  return { cert: certificate, key: itsKey, ca: authority, credentials: credentials.external() };
}

/** epmd, Erlang's name server, on a port of its own: otherwise the node would start a system-wide one that stays. */
async function startEpmd(dir: string, port: number): Promise<ProcessRecord> {
  const command = onPath('epmd');
  if (!command) throw new Error('epmd was not found on the PATH; it comes with Erlang, which rabbitmq-server needs');
  const args = ['-port', String(port), '-address', '127.0.0.1'];
  return (await spawnRecorded({ dir, name: 'epmd', command, args })).record;
}

async function environment(options: NodeOptions, folder: string, epmdPort: number): Promise<NodeJS.ProcessEnv> {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('RABBITMQ_') && !name.startsWith('ERL_'),
  );
  return {
    ...Object.fromEntries(inherited),
    // Where Erlang looks for its cookie.
    HOME: folder,
    ERL_EPMD_PORT: String(epmdPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    // The script then becomes the node instead of waiting for it as its parent: one process to watch and stop.
    detached: '1',
    RABBITMQ_NODENAME: 'cabstand@localhost',
    RABBITMQ_DIST_PORT: String(await freePort()),
    RABBITMQ_CONF_ENV_FILE: join(folder, 'empty-env.conf'),
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
    RABBITMQ_MNESIA_BASE: join(folder, 'mnesia'),
    RABBITMQ_LOG_BASE: join(options.dir, 'logs'),
    RABBITMQ_LOGS: '-',
    RABBITMQ_PID_FILE: join(folder, 'pid'),
    // Quorum queues tell their depth once a second; by default it is every five.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS:
      '-kernel inet_dist_use_interface {127,0,0,1} -rabbit quorum_tick_interval 1000',
  };
}

/** Starts a private node of the installed RabbitMQ under `<dir>/rabbitmq`, with the topology of the contracts. */
export async function startRabbitmqNode(options: NodeOptions, command = findRabbitmqServer()): Promise<Broker> {
  if (!command) throw new Error('rabbitmq-server is not installed');
  const { dir, amqpPort, managementPort, accounts } = options;
  const folder = join(dir, 'rabbitmq');
  writeConfiguration(folder, options);
  const cookie = join(folder, '.erlang.cookie');
  if (!existsSync(cookie)) writeFileSync(cookie, secret(dir, 'erlang-cookie'), { mode: 0o400 });

  const epmdPort = await freePort();
  const epmd = await startEpmd(dir, epmdPort);
  const env = await environment(options, folder, epmdPort);
  const { record, logFile } = await spawnRecorded({ dir, name: 'rabbitmq', command, args: [], env });
  const credentials = `${accounts.admin.name}:${accounts.admin.password}`;
  const managementUrl = `${accounts.tls ? 'https' : 'http'}://${credentials}@127.0.0.1:${managementPort}`;

  const stop = async () => {
    await stopProcess(record, { graceMs: 30_000 });
    await stopProcess(epmd);
    for (const name of ['rabbitmq', 'epmd']) forgetProcess(dir, name);
  };
  const management = new Management(managementUrl);
  const deadline = Date.now() + 120_000;
  while (!((await isPortInUse(amqpPort)) && (await management.isReady()))) {
    if (!isRunning(record) || Date.now() > deadline) {
      await stop();
      throw new Error(`RabbitMQ did not start:\n${tailOf(logFile, 40)}`);
    }
    await delay(100);
  }
  const scheme = accounts.tls ? 'amqps://' : `amqp://${credentials}@`;
  const amqpUrl = `${scheme}127.0.0.1:${amqpPort}/${encodeURIComponent(accounts.vhost)}`;
  return { amqpUrl, managementUrl, pid: record.pid, stop };
}
