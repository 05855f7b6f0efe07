import { randomBytes } from 'node:crypto';
import type { ServiceName } from '@cabstand/contracts';
import {
  brokerUrls,
  certificateFiles,
  ensureServiceDatabases,
  installationAccounts,
  installationAuthority,
  startTestRuntime,
  testFolder,
  type Authority,
  type CertificateFiles,
} from '../../../infra/index.ts';

export {
  Authority,
  Management,
  writePair,
  type CertificateFiles,
  type CertificateRequest,
} from '../../../infra/index.ts';

/** A PostgreSQL and a RabbitMQ of the test's own, which take certificates and nothing else. */
export interface SecureServers {
  /** What a service needs of its environment to be let in, with its certificate in these files. */
  envOf(service: ServiceName, files?: CertificateFiles): Record<string, string>;
  filesOf(holder: string): CertificateFiles;
  /** Signs what the servers believe. */
  authority: Authority;
  /** To a database, as administrator. */
  postgresUrl: string;
  managementUrl: string;
  stop(): Promise<void>;
}

export async function startSecureServers(): Promise<SecureServers> {
  const dir = testFolder(`-tls-${randomBytes(3).toString('hex')}`);
  const accounts = installationAccounts(dir, true);
  const { stop, ...runtime } = await startTestRuntime(dir, undefined, { tls: true });
  const { authority } = await installationAuthority(dir);
  const databases = await ensureServiceDatabases(runtime.postgresUrl, () => undefined);
  const filesOf = (holder: string) => certificateFiles(dir, holder);
  return {
    envOf: (service, { cert, key, ca } = filesOf(service)) => {
      const database = new URL(databases[service]);
      database.search = '';
      const broker = brokerUrls(runtime, accounts, service);
      return {
        ...{ DATABASE_URL: database.href, DATABASE_TLS_NAME: 'postgres' },
        ...{ AMQP_URL: broker.amqpUrl, AMQP_MANAGEMENT_URL: broker.managementUrl, AMQP_TLS_NAME: 'rabbitmq' },
        ...{ TLS_CERT_FILE: cert, TLS_KEY_FILE: key, TLS_CA_FILE: ca },
      };
    },
    ...{ filesOf, authority, postgresUrl: runtime.postgresUrl, managementUrl: runtime.managementUrl, stop },
  };
}
