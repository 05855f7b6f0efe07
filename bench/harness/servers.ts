import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import {
  filesIn,
  freePort,
  installationAccounts,
  LOCAL,
  Management,
  recordedProcesses,
  startPostgres,
  startPrivateBroker,
  startTimeOf,
  stopProcess,
  withAdmin,
  type Broker,
  type PostgresServer,
} from '../../infra/index.ts';

const FOLDER = join(LOCAL, 'bench');

/** PostgreSQL and RabbitMQ as in production: everything is synced to disk. Gone, with their data, after `stop`. */
export interface BenchServers {
  dir: string;
  postgres: PostgresServer;
  rabbitmq: Broker;
  versions: Record<string, string>;
  /** Called when everything ends, before the servers. */
  beforeStop(end: () => Promise<void>): void;
  stop(): Promise<void>;
}

/** What runs left behind that were ended by force. Folders are named for their process. */
async function removeStale(): Promise<void> {
  for (const name of filesIn(FOLDER).filter((folder) => startTimeOf(parseInt(folder, 10)) === null)) {
    for (const record of recordedProcesses(join(FOLDER, name))) await stopProcess(record, { graceMs: 5_000 });
    rmSync(join(FOLDER, name), { recursive: true, force: true });
  }
}

/** @param settings of PostgreSQL, on top of its own defaults */
export async function startServers(settings: Record<string, string> = {}): Promise<BenchServers> {
  await removeStale();
  const dir = join(FOLDER, String(process.pid));
  const stops: (() => Promise<void>)[] = [() => Promise.resolve(rmSync(dir, { recursive: true, force: true }))];
  const stop = async () => {
    for (const end of stops.splice(0).reverse()) await end();
  };
  try {
    const postgres = await startPostgres({ dir, port: await freePort(), durable: true, settings });
    stops.push(() => postgres.stop());
    const ports = { amqpPort: await freePort(), managementPort: await freePort() };
    const rabbitmq = await startPrivateBroker({ dir, ...ports, accounts: installationAccounts(dir) }, (line) =>
      console.error(line),
    );
    stops.push(() => rabbitmq.stop());
    const versions = await versionsOf(postgres, rabbitmq);
    return { dir, postgres, rabbitmq, versions, beforeStop: (end) => void stops.push(end), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function versionsOf(postgres: PostgresServer, rabbitmq: Broker): Promise<Record<string, string>> {
  const show = (admin: pg.Client) => admin.query<{ server_version: string }>('SHOW server_version');
  const { rows } = await withAdmin(postgres.url, show);
  const management = new Management(rabbitmq.managementUrl);
  const { rabbitmq_version: broker } = await management.get<{ rabbitmq_version: string }>('/api/overview');
  return { PostgreSQL: rows[0]!.server_version, RabbitMQ: broker };
}
