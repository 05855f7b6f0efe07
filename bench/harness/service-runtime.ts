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
import type { ServiceName } from '@cabstand/contracts';

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

/** PostgreSQL and RabbitMQ of our own for one service. Nothing is synced to disk: the disk is not what is measured. */
export async function startRuntime(service: ServiceName): Promise<BenchRuntime> {
  const dir = testFolder(`-bench-${service}`);
  const servers = await startTestRuntime(dir, (line) => console.error(line));
  const issuer = await createTestIssuer();
  const stop = async () => {
    issuer.drop();
    await servers.stop();
  };
  try {
    const owned = { name: service, role: service, password: secret(dir, 'bench-database') };
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
        amqpUrl: brokerUrls(servers, accounts, service).amqpUrl,
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
