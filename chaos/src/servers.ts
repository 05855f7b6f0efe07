import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { SERVICES, type ServiceName } from '@cabstand/contracts';
import {
  closeDefaultDatabases,
  filesIn,
  freePort,
  installationAccounts,
  LOCAL,
  recordedProcesses,
  startPostgres,
  startRabbitmqNode,
  startTimeOf,
  stopProcess,
  withAdmin,
  type Broker,
  type PostgresServer,
} from '../../infra/index.ts';

const CHAOS = join(LOCAL, 'chaos');
/** For this run alone. */
export const FOLDER = join(CHAOS, String(process.pid));

/** Ends and deletes what runs left behind that were ended by force. */
export async function removeStaleRuns(): Promise<void> {
  for (const name of filesIn(CHAOS).filter((folder) => startTimeOf(Number(folder)) === null)) {
    for (const inner of ['', ...filesIn(join(CHAOS, name))]) {
      for (const record of recordedProcesses(join(CHAOS, name, inner))) await stopProcess(record, { graceMs: 5_000 });
    }
    rmSync(join(CHAOS, name), { recursive: true, force: true });
  }
}

/** - `fast` ends sessions, `immediate` ends without a checkpoint, `kill` is kill -9, `freeze` is SIGSTOP for a while. */
export const DATABASE_FAULTS = ['fast', 'immediate', 'kill', 'freeze'] as const;
export type DatabaseFault = (typeof DATABASE_FAULTS)[number];

/** A PostgreSQL that can be hurt. It writes to disk before it answers: otherwise a kill would be expected to lose. */
export class DatabaseServer {
  readonly #dir: string;
  readonly #port: number;
  #server: PostgresServer;

  private constructor(dir: string, port: number, server: PostgresServer) {
    this.#dir = dir;
    this.#port = port;
    this.#server = server;
  }

  static async start(name: string): Promise<DatabaseServer> {
    const [dir, port] = [join(FOLDER, name), await freePort()];
    const server = await startPostgres({ dir, port, durable: true });
    await withAdmin(server.url, closeDefaultDatabases);
    return new DatabaseServer(dir, port, server);
  }

  get url(): string {
    return this.#server.url;
  }

  /** Comes back from it by itself. */
  async hurt(fault: DatabaseFault, frozenMs: number): Promise<void> {
    if (fault === 'freeze') return this.#freeze(frozenMs);
    const signal = { fast: 'SIGINT', immediate: 'SIGQUIT', kill: 'SIGKILL' } as const;
    process.kill(this.#server.pid, signal[fault]);
    while (startTimeOf(this.#server.pid) !== null) await pause(20);
    await this.#server.stop();
    for (let attempt = 1; ; attempt += 1) {
      try {
        this.#server = await startPostgres({ dir: this.#dir, port: this.#port, durable: true });
        return;
      } catch (error) {
        // Sessions of a killed server take a moment to notice, and until then its memory is in use.
        if (attempt === 20) throw error;
        await pause(250);
      }
    }
  }

  stop(): Promise<void> {
    return this.#server.stop();
  }

  /** As a machine does that stands still: nothing answers, nothing is refused. */
  async #freeze(forMs: number): Promise<void> {
    const all = [this.#server.pid, ...childrenOf(this.#server.pid)];
    for (const pid of all) trySend(pid, 'SIGSTOP');
    await pause(forMs);
    for (const pid of all.reverse()) trySend(pid, 'SIGCONT');
  }
}

/** A RabbitMQ node that can be killed. */
export class BrokerServer {
  readonly #options: Parameters<typeof startRabbitmqNode>[0];
  #broker: Broker;

  private constructor(options: Parameters<typeof startRabbitmqNode>[0], broker: Broker) {
    this.#options = options;
    this.#broker = broker;
  }

  static async start(): Promise<BrokerServer> {
    const [amqpPort, managementPort] = await Promise.all([freePort(), freePort()]);
    const dir = join(FOLDER, 'broker');
    const options = { dir, amqpPort, managementPort, accounts: installationAccounts(dir) };
    return new BrokerServer(options, await startRabbitmqNode(options));
  }

  get urls(): { amqpUrl: string; managementUrl: string } {
    const { amqpUrl, managementUrl } = this.#broker;
    return { amqpUrl, managementUrl };
  }

  /** kill -9, and a new start on the same data. */
  async kill(): Promise<void> {
    // RabbitMQ writes down its own process id, the recorded one may be that of a script.
    const pid = Number(readFileSync(join(this.#options.dir, 'rabbitmq', 'pid'), 'utf8'));
    process.kill(pid, 'SIGKILL');
    await this.#broker.stop();
    this.#broker = await startRabbitmqNode(this.#options);
  }

  stop(): Promise<void> {
    return this.#broker.stop();
  }
}

export interface Servers {
  databases: Record<ServiceName, DatabaseServer>;
  broker: BrokerServer;
  stop(): Promise<void>;
}

/** @param shared one PostgreSQL for all services, or one for each */
export async function startServers(shared: boolean): Promise<Servers> {
  const names: string[] = shared ? ['all'] : [...SERVICES];
  const [broker, ...databases] = await Promise.all([
    BrokerServer.start(),
    ...names.map((name) => DatabaseServer.start(name)),
  ]);
  // What the testing library takes for the run's own servers.
  process.env.CABSTAND_TEST_RUNTIME = JSON.stringify({ postgresUrl: databases[0]!.url, ...broker.urls });
  return {
    broker,
    databases: Object.fromEntries(
      SERVICES.map((service, index) => [service, databases[shared ? 0 : index]!]),
    ) as Servers['databases'],
    stop: async () => {
      await Promise.all([broker, ...databases].map((server) => server.stop()));
    },
  };
}

function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')[1]) === parent;
      } catch {
        return false;
      }
    });
}

function trySend(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended meanwhile.
  }
}
