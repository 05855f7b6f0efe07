import { rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  brokerUrls,
  ensureServiceDatabases,
  filesIn,
  freePort,
  installationAccounts,
  LOCAL,
  Management,
  recordedProcesses,
  secret,
  serviceUsers,
  startPostgres,
  startPrivateBroker,
  startTimeOf,
  stopProcess,
  vhostDefinitions,
  type Accounts,
} from '../../infra/index.ts';
import type { ServiceName } from '@cabstand/contracts';
import pg from 'pg';
import { EVENTS } from './event.ts';
import { CONSUMER_TABLES, PUBLISHER_TABLES } from './tables.ts';

const FOLDER = join(LOCAL, 'bench');
const VHOST = 'bench';

/** PostgreSQL and RabbitMQ as in production: everything is synced to disk. Gone, with their data, after `stop`. */
export interface BenchRuntime {
  databases: Record<ServiceName, string>;
  /** Of the administrator, who may declare what the references need. */
  amqpUrl: string;
  brokers: Record<'trip' | 'passenger', { amqpUrl: string; managementUrl: string }>;
  versions: Record<string, string>;
  /** The broker’s is null where it runs in a container. */
  pids: { postgres: number; rabbitmq: number | null };
  publisherDb: pg.Pool;
  consumerDb: pg.Pool;
  management: Management;
  /** Of PostgreSQL's superuser: for its statistics. */
  adminDb: pg.Pool;
  /** Every measurement begins with empty tables. */
  emptyTables(): Promise<void>;
  stop(): Promise<void>;
}

/** What runs left behind that were ended by force. Folders are named for their process. */
async function removeStale(): Promise<void> {
  for (const name of filesIn(FOLDER).filter((folder) => startTimeOf(parseInt(folder, 10)) === null)) {
    for (const record of recordedProcesses(join(FOLDER, name))) await stopProcess(record, { graceMs: 5_000 });
    rmSync(join(FOLDER, name), { recursive: true, force: true });
  }
}

export async function startRuntime(): Promise<BenchRuntime> {
  await removeStale();
  const dir = join(FOLDER, String(process.pid));
  const stops: (() => Promise<void>)[] = [() => Promise.resolve(rmSync(dir, { recursive: true, force: true }))];
  const stop = async () => {
    for (const end of stops.splice(0).reverse()) await end();
  };
  try {
    const postgres = await startPostgres({ dir, port: await freePort(), durable: true });
    stops.push(() => postgres.stop());
    const ports = { amqpPort: await freePort(), managementPort: await freePort() };
    const rabbitmq = await startPrivateBroker({ dir, ...ports, accounts: installationAccounts(dir) }, (line) =>
      console.error(line),
    );
    stops.push(() => rabbitmq.stop());
    const accounts: Accounts = {
      vhost: VHOST,
      nameOf: (name) => `${VHOST}-${name}`,
      passwordOf: (name) => secret(dir, `bench-${name}`),
    };
    const management = new Management(rabbitmq.managementUrl);
    const admin = new URL(rabbitmq.amqpUrl);
    await declare(management, accounts, decodeURIComponent(admin.username));
    admin.pathname = `/${VHOST}`;
    const databases = await ensureServiceDatabases(postgres.url, (service) => secret(dir, `database-${service}`));
    const publisherDb = new pg.Pool({ connectionString: databases.trip, max: 2 });
    const consumerDb = new pg.Pool({ connectionString: databases.passenger, max: 2 });
    const adminDb = new pg.Pool({ connectionString: postgres.url, max: 1 });
    stops.push(async () => void (await Promise.all([publisherDb, consumerDb, adminDb].map((pool) => pool.end()))));
    await publisherDb.query(PUBLISHER_TABLES);
    await consumerDb.query(CONSUMER_TABLES);
    const { rows } = await publisherDb.query<{ server_version: string }>('SHOW server_version');
    const { rabbitmq_version } = await management.get<{ rabbitmq_version: string }>('/api/overview');
    return {
      databases,
      amqpUrl: admin.href,
      brokers: { trip: brokerUrls(rabbitmq, accounts, 'trip'), passenger: brokerUrls(rabbitmq, accounts, 'passenger') },
      versions: { PostgreSQL: rows[0]!.server_version, RabbitMQ: rabbitmq_version },
      pids: { postgres: postgres.pid, rabbitmq: rabbitmq.pid },
      ...{ publisherDb, consumerDb, adminDb, management, stop },
      emptyTables: async () => {
        await publisherDb.query('TRUNCATE outbox, rides, polled_outbox');
        await consumerDb.query('TRUNCATE inbox, seen_rides');
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The topology as the contracts would give it if they had this one event. */
async function declare(management: Management, accounts: Accounts, admin: string): Promise<void> {
  const { users, permissions } = serviceUsers(accounts, EVENTS);
  await management.put(`/api/vhosts/${VHOST}`);
  await management.put(`/api/permissions/${VHOST}/${admin}`, { configure: '.*', write: '.*', read: '.*' });
  for (const { name, ...user } of users)
    await management.put(`/api/users/${name}`, { ...user, tags: user.tags.join(',') });
  for (const { user, vhost: _, ...rights } of permissions)
    await management.put(`/api/permissions/${VHOST}/${user}`, rights);
  await management.post(`/api/definitions/${VHOST}`, vhostDefinitions(EVENTS));
}
