import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SERVICES, type ServiceName } from '@cabstand/contracts';
import {
  assertPortsFree,
  brokerUrls,
  certificateFiles,
  closeDefaultDatabases,
  ensureCertificates,
  ensureServiceDatabases,
  filesIn,
  forgetProcess,
  guessManagementUrl,
  installationAccounts,
  isRunning,
  LOCAL,
  Management,
  recordedProcesses,
  removeStaleBindings,
  ROOT,
  secret,
  spawnRecorded,
  startPostgres,
  startPrivateBroker,
  startTimeOf,
  stopProcess,
  stopRabbitmqContainer,
  trustAuthority,
  useExternalBroker,
  withAdmin,
  withCertificate,
  type ProcessRecord,
  type ServiceBroker,
} from '../../infra/index.ts';
import { withLock } from './lock.ts';
import type { Settings } from './settings.ts';

/** Where the databases and the broker of the local platform are. Holds passwords: kept in a file of mode 600. */
export interface Infrastructure {
  /** With certificates under `.local/tls`; its URLs have no passwords then. */
  tls: boolean;
  postgres: { how: string; databases: Record<ServiceName, string> };
  broker: {
    how: string;
    vhost: string;
    /** AMQP as administrator (or as whoever AMQP_URL names), to the platform's vhost. */
    adminUrl: string;
    managementUrl: string | null;
    services: Record<ServiceName, ServiceBroker>;
    container: string | null;
    /** Started by us, not named by AMQP_URL. */
    isOurs: boolean;
  };
}

/** How the steps are told to whoever waits: a name, and work that answers what came of it. */
export type Step = <T>(
  name: string,
  work: (say: (line: string) => void) => Promise<{ what: string; value: T }>,
) => Promise<T>;

const RUN = join(LOCAL, 'run');
const STATE = join(RUN, 'infrastructure.state');
const LEASES = join(RUN, 'leases');
const LOCK = join(RUN, 'infrastructure.lock');

interface State {
  infrastructure: Infrastructure;
  processes: ProcessRecord[];
}

function readState(): State | null {
  try {
    return JSON.parse(readFileSync(STATE, 'utf8')) as State;
  } catch {
    return null;
  }
}

function writeState(infrastructure: Infrastructure): void {
  const processes = recordedProcesses(LOCAL).filter(({ name }) => ['postgres', 'rabbitmq', 'epmd'].includes(name));
  mkdirSync(RUN, { recursive: true });
  writeFileSync(STATE, JSON.stringify({ infrastructure, processes }), { mode: 0o600 });
}

/** The infrastructure that is running now. */
export function runningInfrastructure(): Infrastructure | null {
  const state = readState();
  return state?.processes.every(isRunning) ? state.infrastructure : null;
}

/** Starts again what ended by itself, on the ports where it was. */
export async function reviveInfrastructure(settings: Settings, step: Step): Promise<void> {
  const hasTrouble = () => readState()?.processes.some((record) => !isRunning(record)) ?? false;
  if (!hasTrouble()) return;
  await withLock(LOCK, async () => {
    const state = readState();
    if (!state || !hasTrouble()) return;
    const ended = state.processes.filter((record) => !isRunning(record)).map(({ name }) => name);
    if (ended.includes('postgres')) {
      await step('PostgreSQL', (say) => {
        say('ended unexpectedly; starting it again');
        return startDatabases(settings);
      });
    }
    if (ended.includes('rabbitmq') || ended.includes('epmd')) {
      await step('RabbitMQ', async (say) => {
        say('ended unexpectedly; starting it again');
        await stopBroker();
        return startBroker(settings, say);
      });
    }
    writeState(state.infrastructure);
  });
}

/**
 * Makes sure that PostgreSQL and RabbitMQ run, and keeps them for as long as this process holds on to them:
 * whoever is last to call `release` stops them. Several processes may do this at once. `leave` is for one that may be
 * ended before a `release` is through: a process of its own releases as soon as this one is gone.
 */
export async function useInfrastructure(
  settings: Settings,
  step: Step,
): Promise<{ infrastructure: Infrastructure; release(): Promise<void>; leave(): Promise<void> }> {
  const lease = join(LEASES, String(process.pid));
  const infrastructure = await withLock(LOCK, async () => {
    if (settings.tls) await prepareTls(step);
    const running = runningInfrastructure();
    if (running && running.tls !== settings.tls)
      throw new Error(
        `PostgreSQL and RabbitMQ are running ${running.tls ? 'with' : 'without'} TLS: stop what uses them, or say the same (--tls, CABSTAND_TLS=1)`,
      );
    const found = running ?? (await start(settings, step));
    mkdirSync(LEASES, { recursive: true });
    writeFileSync(lease, JSON.stringify({ name: 'lease', pid: process.pid, startedAt: startTimeOf(process.pid) }));
    return found;
  });
  const release = async () => {
    rmSync(lease, { force: true });
    await stopUnusedInfrastructure();
  };
  const leave = async () => {
    const args = [join(ROOT, 'tools', 'runtime', 'stop-unused.ts'), String(process.pid)];
    await spawnRecorded({ dir: LOCAL, name: 'stop-unused', command: process.execPath, args });
  };
  return { infrastructure, release, leave };
}

/** Certificates that last for a while, and this process trusting them. */
const prepareTls = (step: Step) =>
  step('TLS', async () => {
    const made = await ensureCertificates(LOCAL);
    trustAuthority(LOCAL);
    return { what: made.length > 0 ? `new certificates for ${made.join(', ')}` : 'certificates are good', value: null };
  });

/** Stops the infrastructure unless somebody holds on to it. */
export const stopUnusedInfrastructure = () =>
  withLock(LOCK, async () => {
    if (liveLeases().length === 0) await stopInfrastructure();
  });

function liveLeases(): ProcessRecord[] {
  const live: ProcessRecord[] = [];
  for (const file of filesIn(LEASES).map((name) => join(LEASES, name))) {
    const lease = JSON.parse(readFileSync(file, 'utf8')) as ProcessRecord;
    if (isRunning(lease)) live.push(lease);
    else rmSync(file, { force: true });
  }
  return live;
}

/** Stops PostgreSQL, RabbitMQ and epmd of this repository, whoever started them. Their data stays. */
export async function stopInfrastructure(): Promise<void> {
  await Promise.all([stopRecorded('postgres', 'SIGINT'), stopBroker()]);
  rmSync(STATE, { force: true });
}

async function stopBroker(): Promise<void> {
  await stopRecorded('rabbitmq', 'SIGTERM');
  await stopRecorded('epmd', 'SIGTERM');
  const container = readState()?.infrastructure.broker.container;
  if (container) await stopRabbitmqContainer(container);
}

async function stopRecorded(name: string, signal: NodeJS.Signals): Promise<void> {
  const record = recordedProcesses(LOCAL).find((candidate) => candidate.name === name);
  if (record) await stopProcess(record, { signal, graceMs: 30_000 });
  forgetProcess(LOCAL, name);
}

async function start(settings: Settings, step: Step): Promise<Infrastructure> {
  // What an earlier run left that was ended by force would hold the ports and the data.
  await stopInfrastructure();
  const [postgres, broker] = await Promise.allSettled([
    step('PostgreSQL', () => startDatabases(settings)),
    step('RabbitMQ', (say) => startBroker(settings, say)),
  ]);
  if (postgres.status === 'rejected' || broker.status === 'rejected') {
    await stopInfrastructure();
    const failures = [postgres, broker].flatMap((s) => (s.status === 'rejected' ? [(s.reason as Error).message] : []));
    throw new Error(failures.join('\n'));
  }
  const infrastructure = { tls: settings.tls, postgres: postgres.value, broker: broker.value };
  writeState(infrastructure);
  return infrastructure;
}

async function startDatabases(settings: Settings): Promise<{ what: string; value: Infrastructure['postgres'] }> {
  const given = settings.databaseUrls;
  const missing = SERVICES.filter((service) => !given[service]);
  const done = (how: string, databases: Partial<Record<ServiceName, string>>) => ({
    what: how,
    value: { how, databases: { ...databases, ...given } as Record<ServiceName, string> },
  });
  if (missing.length === 0) return done('as given by DATABASE_URL_<SERVICE>', {});

  const passwordOf = (service: ServiceName) => secret(LOCAL, `postgres-${service}`);
  if (settings.databaseUrl) {
    const databases = await ensureServiceDatabases(settings.databaseUrl, passwordOf, 'cabstand_');
    return done(`${new URL(settings.databaseUrl).host} (DATABASE_URL)`, databases);
  }
  const port = settings.ports.postgres;
  await assertPortsFree([{ what: 'PostgreSQL', port, variable: 'POSTGRES_PORT' }]);
  const { tls } = settings;
  const server = await startPostgres({ dir: LOCAL, port, durable: true, tls });
  await withAdmin(server.url, closeDefaultDatabases);
  const databases = await ensureServiceDatabases(server.url, tls ? () => undefined : passwordOf);
  if (tls)
    for (const service of SERVICES)
      databases[service] = withCertificate(databases[service], certificateFiles(LOCAL, service));
  return done(`embedded, 127.0.0.1:${port}`, databases);
}

async function startBroker(
  settings: Settings,
  say: (line: string) => void,
): Promise<{ what: string; value: Infrastructure['broker'] }> {
  const accounts = installationAccounts(LOCAL, settings.tls);
  if (settings.amqpUrl) {
    const managementUrl = settings.amqpManagementUrl ?? guessManagementUrl(settings.amqpUrl);
    const broker = await useExternalBroker(settings.amqpUrl, managementUrl, accounts);
    return { what: broker.how, value: { ...broker, container: null, isOurs: false } };
  }
  const { amqp: amqpPort, rabbitmqManagement: managementPort } = settings.ports;
  await assertPortsFree([
    { what: 'RabbitMQ', port: amqpPort, variable: 'RABBITMQ_PORT' },
    { what: "RabbitMQ's management", port: managementPort, variable: 'RABBITMQ_MANAGEMENT_PORT' },
  ]);
  const broker = await startPrivateBroker({ dir: LOCAL, amqpPort, managementPort, accounts }, say);
  await removeStaleBindings(new Management(broker.managementUrl), accounts.vhost);
  const services = Object.fromEntries(SERVICES.map((service) => [service, brokerUrls(broker, accounts, service)]));
  return {
    what: `${broker.how}, 127.0.0.1:${amqpPort}`,
    value: {
      how: broker.how,
      vhost: accounts.vhost,
      adminUrl: broker.amqpUrl,
      managementUrl: broker.managementUrl,
      services: services as Record<ServiceName, ServiceBroker>,
      container: broker.container,
      isOurs: true,
    },
  };
}
