import { randomBytes } from 'node:crypto';
import { SERVICES, type ServiceName } from '@cabstand/contracts';
import {
  createTestBroker,
  createTestDatabase,
  createTestIssuer,
  type TestBroker,
  type TestDatabase,
  type TestIssuer,
} from '@cabstand/testing';
import { freePort } from '../../../infra/ports.ts';
import type { ServiceUrls } from '../../../tools/client/api.ts';
import { perService, perServiceAsync, type PerService } from './per-service.ts';
import { ServiceProcess, runToEnd } from './service-process.ts';

export interface PlatformOptions {
  /** How many processes of a service; one unless told. */
  replicas?: Partial<Record<ServiceName, number>>;
  /** Settings for every service, on top of what they need. */
  env?: Record<string, string>;
  /** Issuers that every service trusts beside those it needs, as elements of TRUSTED_ISSUERS. */
  alsoTrusted?: object[];
  /** Where a service's database is made; all on the run's server unless told. */
  postgresUrls?: Partial<Record<ServiceName, string>>;
  /** Where people find each service when that isn't its first process: at a balancer before all of them. */
  publicUrls?: ServiceUrls;
  /** The services reach their servers without links, which then can't be cut. */
  direct?: boolean;
}

/** The three built services on free ports, with databases and a broker's vhost that nobody else uses. */
export class Platform {
  readonly urls: ServiceUrls;
  readonly services: PerService<[ServiceProcess, ...ServiceProcess[]]>;
  /** `stop` and `start` cut and mend what the services use; tests look at the data by other ways. */
  readonly databases: PerService<TestDatabase>;
  readonly broker: TestBroker;
  /** Issues operators' tokens, as an organisation's own OpenID provider would. */
  readonly operators: TestIssuer;
  readonly environments: PerService<Record<string, string>>;

  private constructor(
    parts: Pick<Platform, 'urls' | 'services' | 'databases' | 'broker' | 'operators' | 'environments'>,
  ) {
    this.urls = parts.urls;
    this.services = parts.services;
    this.databases = parts.databases;
    this.broker = parts.broker;
    this.operators = parts.operators;
    this.environments = parts.environments;
  }

  static async start(options: PlatformOptions = {}): Promise<Platform> {
    const { direct = false } = options;
    const [broker, operators, ports] = await Promise.all([
      createTestBroker({ direct }),
      createTestIssuer('https://operators.example'),
      perServiceAsync(() => freePort()),
    ]);
    const databases = await perServiceAsync((service) =>
      createTestDatabase(service, options.postgresUrls?.[service], { direct }),
    );
    const { env: extra = {}, alsoTrusted = [] } = options;
    const urls = options.publicUrls ?? perService((service) => `http://127.0.0.1:${ports[service]}`);
    const environments = perService((service) =>
      environmentOf(service, { broker, operators, urls, database: databases[service], extra, alsoTrusted }),
    );
    const services = await perServiceAsync(async (service) => {
      const first = await ServiceProcess.prepare(service, environments[service], ports[service]);
      const others = Array.from({ length: (options.replicas?.[service] ?? 1) - 1 }, () =>
        ServiceProcess.prepare(service, environments[service]),
      );
      return [first, ...(await Promise.all(others))] as [ServiceProcess, ...ServiceProcess[]];
    });
    const platform = new Platform({ urls, services, databases, broker, operators, environments });
    try {
      await perServiceAsync((service) => migrate(service, environments[service]));
      await Promise.all(platform.processes().map((process) => process.start()));
    } catch (error) {
      await platform.stop();
      throw error;
    }
    return platform;
  }

  processes(): ServiceProcess[] {
    return SERVICES.flatMap((service) => this.services[service]);
  }

  /** Starts one more process of a service, as a rolling update does, and answers once it is ready. */
  async addReplica(service: ServiceName): Promise<ServiceProcess> {
    const process = await ServiceProcess.prepare(service, this.environments[service]);
    this.services[service].push(process);
    await process.start();
    return process;
  }

  /** The same API, asked of another replica. */
  urlsOfReplica(service: ServiceName, index: number): ServiceUrls {
    return { ...this.urls, [service]: (this.services[service][index] ?? this.services[service][0]).url };
  }

  operatorToken(): Promise<string> {
    return this.operators.token('operator', crypto.randomUUID());
  }

  /** Everything that any of the services has logged. */
  log(): string[] {
    return this.processes().flatMap((process) => process.log);
  }

  async stop(): Promise<void> {
    await Promise.all(this.processes().map((process) => process.stop('SIGKILL')));
    this.operators.drop();
    await Promise.all([this.broker.drop(), ...SERVICES.map((service) => this.databases[service].drop())]);
  }
}

interface Surroundings {
  broker: TestBroker;
  operators: TestIssuer;
  urls: ServiceUrls;
  database: TestDatabase;
  extra: Record<string, string>;
  alsoTrusted: object[];
}

function environmentOf(service: ServiceName, around: Surroundings): Record<string, string> {
  const { broker, operators, urls, database, extra, alsoTrusted } = around;
  const issuerOf = (issuing: 'passenger' | 'driver') => {
    const issuer = urls[issuing];
    return { issuer, jwksUri: `${issuer}/.well-known/jwks.json`, algorithm: 'ES256', roles: [issuing] };
  };
  // Passenger and driver service believe their own tokens without being told.
  const issuers = service === 'trip' ? [issuerOf('passenger'), issuerOf('driver')] : [];
  const signing = {
    PUBLIC_URL: urls[service],
    BLIND_INDEX_KEY: randomBytes(32).toString('base64'),
    REFRESH_TOKEN_KEY: randomBytes(32).toString('base64'),
  };
  return {
    DATABASE_URL: database.url,
    AMQP_URL: broker.urlFor(service),
    AMQP_MANAGEMENT_URL: broker.managementUrlFor(service),
    TRUSTED_ISSUERS: JSON.stringify([...issuers, operators.trustedIssuer('operator'), ...alsoTrusted]),
    KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    ...(service === 'trip' ? {} : signing),
    ...extra,
  };
}

async function migrate(service: ServiceName, env: Record<string, string>): Promise<void> {
  const { code, output } = await runToEnd(service, ['migrate'], env);
  if (code !== 0) throw new Error(`migrating ${service} ended with ${code}:\n${output}`);
}
