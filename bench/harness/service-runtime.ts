import { join } from 'node:path';
import { createTestIssuer, type TestIssuer } from '@cabstand/testing';
import {
  brokerUrls,
  databaseUrl,
  declareTopology,
  ensureDatabase,
  Management,
  secret,
  startTestRuntime,
  testFolder,
  withAdmin,
} from '../../infra/index.ts';

/** What the processes are told: where things are, and whose tokens count. */
export interface Settings {
  databaseUrl: string;
  amqpUrl: string;
  trustedIssuers: object[];
}

export interface BenchRuntime {
  settings: Settings;
  issuer: TestIssuer;
  versions: Record<string, string>;
  stop(): Promise<void>;
}

/** PostgreSQL and RabbitMQ of our own, without syncing: only reads are measured. */
export async function startRuntime(): Promise<BenchRuntime> {
  const dir = testFolder('-bench-auth');
  const servers = await startTestRuntime(dir, (line) => console.error(line));
  const issuer = await createTestIssuer();
  const stop = async () => {
    issuer.drop();
    await servers.stop();
  };
  try {
    const owned = { name: 'trip', role: 'trip', password: secret(dir, 'bench-database') };
    const versions = await withAdmin(servers.postgresUrl, async (admin) => {
      await ensureDatabase(admin, owned);
      const { rows } = await admin.query<{ server_version: string }>('SHOW server_version');
      return { PostgreSQL: rows[0]!.server_version };
    });
    const accounts = {
      vhost: 'bench',
      nameOf: (name: string) => `bench-${name}`,
      passwordOf: (name: string) => secret(dir, `bench-${name}`),
    };
    await declareTopology(new Management(servers.managementUrl), accounts);
    return {
      settings: {
        databaseUrl: databaseUrl(servers.postgresUrl, owned),
        amqpUrl: brokerUrls(servers, accounts, 'trip').amqpUrl,
        trustedIssuers: [issuer.trustedIssuer('passenger', 'driver', 'operator')],
      },
      issuer,
      versions,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

export const WORKERS = join('bench', 'auth', 'workers');
