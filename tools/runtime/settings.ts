import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { SERVICES, type ServiceName } from '@cabstand/contracts';
import { ROOT } from '../../infra/index.ts';

/** What a developer may set, in the environment or in `.env`. */
export interface Settings {
  ports: Record<ServiceName, { http: number; management: number }> & {
    web: number;
    identity: number;
    localTools: number;
    postgres: number;
    amqp: number;
    rabbitmqManagement: number;
  };
  /** An administrator's URL of a PostgreSQL server in which the databases and roles are made; null: an embedded one. */
  databaseUrl: string | null;
  /** A service's own database, made by somebody else. It wins over everything. */
  databaseUrls: Partial<Record<ServiceName, string>>;
  amqpUrl: string | null;
  amqpManagementUrl: string | null;
  /** HTTPS, and certificates instead of passwords, under an authority of the installation's own (`--tls`). */
  tls: boolean;
}

/** Below 32768, where Linux begins to hand out ports of its own accord. */
export const DEFAULT_PORTS = {
  passenger: { http: 3001, management: 9101 },
  driver: { http: 3002, management: 9102 },
  trip: { http: 3003, management: 9103 },
  web: 4200,
  identity: 4201,
  localTools: 4202,
  postgres: 15432,
  amqp: 15670,
  rabbitmqManagement: 15680,
};

/** @throws Error with one line for each variable that isn't a port */
export function readSettings(env: NodeJS.ProcessEnv = process.env): Settings {
  const problems: string[] = [];
  const port = (variable: string, fallback: number): number => {
    const value = env[variable];
    if (!value) return fallback;
    if (/^\d{1,5}$/.test(value) && Number(value) > 0 && Number(value) < 65_536) return Number(value);
    problems.push(`${variable} must be a port, not ${JSON.stringify(value)}`);
    return fallback;
  };
  const serviceEntries = SERVICES.map((service) => {
    const { http, management } = DEFAULT_PORTS[service];
    const name = service.toUpperCase();
    return [service, { http: port(`${name}_PORT`, http), management: port(`${name}_MANAGEMENT_PORT`, management) }];
  });
  const settings = {
    ports: {
      ...(Object.fromEntries(serviceEntries) as Record<ServiceName, { http: number; management: number }>),
      web: port('WEB_PORT', DEFAULT_PORTS.web),
      identity: port('IDENTITY_PORT', DEFAULT_PORTS.identity),
      localTools: port('LOCAL_TOOLS_PORT', DEFAULT_PORTS.localTools),
      postgres: port('POSTGRES_PORT', DEFAULT_PORTS.postgres),
      amqp: port('RABBITMQ_PORT', DEFAULT_PORTS.amqp),
      rabbitmqManagement: port('RABBITMQ_MANAGEMENT_PORT', DEFAULT_PORTS.rabbitmqManagement),
    },
    databaseUrl: env.DATABASE_URL || null,
    databaseUrls: Object.fromEntries(
      SERVICES.map((service) => [service, env[`DATABASE_URL_${service.toUpperCase()}`]]).filter(([, url]) => url),
    ) as Partial<Record<ServiceName, string>>,
    amqpUrl: env.AMQP_URL || null,
    amqpManagementUrl: env.AMQP_MANAGEMENT_URL || null,
    tls: env.CABSTAND_TLS === '1',
  };
  const foreign = Object.keys(env).filter((name) => /^(DATABASE_URL(_|$)|AMQP_URL$)/.test(name) && env[name]);
  if (settings.tls && foreign.length > 0)
    problems.push(`--tls makes certificates for servers of its own, and none for ${foreign.join(', ')}: unset it`);
  if (problems.length > 0) throw new Error(problems.join('\n'));
  return settings;
}

/** `.env` in the root, when there is one; what is set in the environment already wins. */
export function loadDotEnv(file = join(ROOT, '.env')): void {
  if (existsSync(file)) process.loadEnvFile(file);
}
