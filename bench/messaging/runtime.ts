import {
  brokerUrls,
  ensureServiceDatabases,
  Management,
  secret,
  serviceUsers,
  vhostDefinitions,
  type Accounts,
} from '../../infra/index.ts';
import type { ServiceName } from '@cabstand/contracts';
import pg from 'pg';
import { startServers } from '../harness/servers.ts';
import { EVENTS } from './event.ts';
import { CONSUMER_TABLES, PUBLISHER_TABLES } from './tables.ts';

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

export async function startRuntime(): Promise<BenchRuntime> {
  const { dir, postgres, rabbitmq, versions, beforeStop, stop } = await startServers();
  try {
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
    beforeStop(async () => void (await Promise.all([publisherDb, consumerDb, adminDb].map((pool) => pool.end()))));
    await publisherDb.query(PUBLISHER_TABLES);
    await consumerDb.query(CONSUMER_TABLES);
    return {
      databases,
      amqpUrl: admin.href,
      brokers: { trip: brokerUrls(rabbitmq, accounts, 'trip'), passenger: brokerUrls(rabbitmq, accounts, 'passenger') },
      pids: { postgres: postgres.pid, rabbitmq: rabbitmq.pid },
      ...{ versions, publisherDb, consumerDb, adminDb, management, stop },
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
