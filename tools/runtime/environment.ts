import { randomBytes } from 'node:crypto';
import { SERVICES, type ServiceName } from '@cabstand/contracts';
import { LOCAL, secret } from '../../infra/index.ts';
import { developerIssuer } from './developer-issuer.ts';
import type { Infrastructure } from './infrastructure.ts';
import type { Settings } from './settings.ts';

/** Services that authenticate users of their own. */
const ISSUING = ['passenger', 'driver'] as const;

export const publicUrl = (settings: Settings, service: ServiceName) =>
  `http://localhost:${settings.ports[service].http}`;

/** Where a service finds what it trusts: on this machine, unless it runs in a container. */
export interface Whereabouts {
  jwksUriOf: (issuer: ServiceName) => string;
  developerJwksUri?: string;
}

const key = (name: string) => secret(LOCAL, name, () => randomBytes(32).toString('base64'));

/** What each service trusts: those who authenticate its users, and the development issuer for operators. */
async function trustedIssuers(settings: Settings, service: ServiceName, where: Whereabouts) {
  const own = ISSUING.filter((issuer) => service === 'trip' || issuer === service).map((issuer) => ({
    issuer: publicUrl(settings, issuer),
    jwksUri: where.jwksUriOf(issuer),
    algorithm: 'ES256',
    roles: [issuer],
  }));
  const developer = await developerIssuer();
  return [...own, { ...developer, jwksUri: where.developerJwksUri ?? developer.jwksUri }];
}

/** The environment that a service is given on this machine; the developer's own wins (DISPATCH_OFFER_TTL=60s npm start). */
export async function serviceEnvironment(
  settings: Settings,
  infrastructure: Infrastructure,
  service: ServiceName,
): Promise<Record<string, string>> {
  const jwksUriOf = (issuer: ServiceName) => `http://127.0.0.1:${settings.ports[issuer].http}/.well-known/jwks.json`;
  return {
    NODE_ENV: 'production',
    LOG_LEVEL: 'info',
    ...inherited(),
    HOST: '127.0.0.1',
    PORT: String(settings.ports[service].http),
    MANAGEMENT_PORT: String(settings.ports[service].management),
    ...(await serviceSecrets(settings, infrastructure, service, { jwksUriOf })),
  };
}

/** What only this installation knows: URLs with their passwords, keys, and whom to trust. */
export async function serviceSecrets(
  settings: Settings,
  infrastructure: Pick<Infrastructure, 'postgres' | 'broker'>,
  service: ServiceName,
  where: Whereabouts,
): Promise<Record<string, string>> {
  const broker = infrastructure.broker.services[service];
  const issues = ISSUING.some((name) => name === service);
  return {
    DATABASE_URL: infrastructure.postgres.databases[service],
    AMQP_URL: broker.amqpUrl,
    ...(broker.managementUrl ? { AMQP_MANAGEMENT_URL: broker.managementUrl } : {}),
    TRUSTED_ISSUERS: JSON.stringify(await trustedIssuers(settings, service, where)),
    ...(issues
      ? {
          PUBLIC_URL: publicUrl(settings, service),
          KEY_ENCRYPTION_KEY: key(`${service}-key-encryption`),
          REFRESH_TOKEN_KEY: key(`${service}-refresh-token`),
        }
      : {}),
  };
}

/** Nothing of npm's and Nx's own goes to a service, nor what only the runtime reads. */
function inherited(): Record<string, string> {
  const own = /^(npm_|NX_|INIT_CWD$|NODE_OPTIONS$|DATABASE_URL|AMQP_|CABSTAND_|POSTGRES_|RABBITMQ_)/;
  const ports = new Set(SERVICES.flatMap((s) => [`${s.toUpperCase()}_PORT`, `${s.toUpperCase()}_MANAGEMENT_PORT`]));
  const entries = Object.entries(process.env).filter(([name]) => !own.test(name) && !ports.has(name));
  return Object.fromEntries(entries) as Record<string, string>;
}
