import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { SERVICES, type ServiceName } from '@cabstand/contracts';
import { certificateFiles, LOCAL, secret } from '../../infra/index.ts';
import { developerIssuer, issuerUrl } from './developer-issuer.ts';
import type { Infrastructure } from './infrastructure.ts';
import type { Settings } from './settings.ts';

/** Services that authenticate users of their own. */
const ISSUING = ['passenger', 'driver'] as const;

export const publicUrl = (settings: Settings, service: ServiceName) =>
  `${schemeOf(settings)}://localhost:${settings.ports[service].http}`;

export const webUrl = (settings: Settings) => `${schemeOf(settings)}://localhost:${settings.ports.web}`;

const localToolsUrl = (settings: Settings) => `${schemeOf(settings)}://localhost:${settings.ports.localTools}`;

const schemeOf = ({ tls }: Settings) => (tls ? 'https' : 'http');

/** Where a service finds what it trusts: on this machine, unless it runs in a container. */
export interface Whereabouts {
  jwksUriOf: (issuer: ServiceName) => string;
  developerJwksUri?: string;
}

const key = (name: string) => secret(LOCAL, name, () => randomBytes(32).toString('base64'));

/** Where a service that runs here reads its key-encryption keys, also those of a rotation meanwhile. */
export const keyRingFile = (service: ServiceName) => join(LOCAL, 'secrets', `${service}-key-encryption`);

/** What a service's rows are sealed with; there is an index of e-mail addresses where people register. */
export const dataKeys = (service: ServiceName): Record<string, string> => ({
  KEY_ENCRYPTION_KEY: key(`${service}-key-encryption`),
  ...(service === 'trip' ? {} : { BLIND_INDEX_KEY: key(`${service}-blind-index`) }),
});

/** What each service trusts: those who authenticate its users, and the development issuer for operators. */
async function trustedIssuers(settings: Settings, service: ServiceName, where: Whereabouts) {
  const own = ISSUING.filter((issuer) => service === 'trip' || issuer === service).map((issuer) => ({
    issuer: publicUrl(settings, issuer),
    jwksUri: where.jwksUriOf(issuer),
    algorithm: 'ES256',
    roles: [issuer],
  }));
  const developer = await developerIssuer(settings);
  return [...own, { ...developer, jwksUri: where.developerJwksUri ?? developer.jwksUri }];
}

/** The environment that a service is given on this machine; the developer's own wins (DISPATCH_OFFER_TTL=60s npm start). */
export async function serviceEnvironment(
  settings: Settings,
  infrastructure: Infrastructure,
  service: ServiceName,
): Promise<Record<string, string>> {
  const jwksUriOf = (issuer: ServiceName) =>
    `${schemeOf(settings)}://127.0.0.1:${settings.ports[issuer].http}/.well-known/jwks.json`;
  return {
    NODE_ENV: 'production',
    LOG_LEVEL: 'info',
    WEB_ORIGINS: webUrl(settings),
    ...inherited(),
    HOST: '127.0.0.1',
    PORT: String(settings.ports[service].http),
    MANAGEMENT_PORT: String(settings.ports[service].management),
    ...(await serviceSecrets(settings, infrastructure, service, { jwksUriOf })),
    KEY_ENCRYPTION_KEY: `file:${keyRingFile(service)}`,
    ...(settings.tls ? certificateOf(service, infrastructure) : {}),
  };
}

/**
 * What `npm start` adds for the operator page: services that can be broken on purpose, and whose traces go to the local
 * server (tools/local).
 */
export function watchedEnvironment(settings: Settings): Record<string, string> {
  const hasCollector = Object.keys(process.env).some((name) => /^OTEL_EXPORTER_OTLP_(TRACES_)?ENDPOINT$/.test(name));
  return {
    FAULT_SWITCHES: process.env.FAULT_SWITCHES ?? 'on',
    ...(hasCollector
      ? {}
      : {
          OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${localToolsUrl(settings)}/v1/traces`,
          ...(settings.tls ? { OTEL_EXPORTER_OTLP_CERTIFICATE: certificateFiles(LOCAL, 'web').ca } : {}),
          OTEL_BSP_SCHEDULE_DELAY: '500',
        }),
  };
}

/** The environment of the server of the pages. */
export function webEnvironment(settings: Settings): Record<string, string> {
  const { ca, cert, key } = certificateFiles(LOCAL, 'web');
  return {
    NODE_ENV: 'production',
    ...inherited(),
    HOST: '127.0.0.1',
    PORT: String(settings.ports.web),
    OPERATOR_ISSUER: issuerUrl(settings),
    LOCAL_TOOLS_URL: localToolsUrl(settings),
    ...Object.fromEntries(SERVICES.map((service) => [`${service.toUpperCase()}_URL`, publicUrl(settings, service)])),
    ...(settings.tls ? { TLS_CERT_FILE: cert, TLS_KEY_FILE: key, NODE_EXTRA_CA_CERTS: ca } : {}),
  };
}

/** Whom the service is, and whom it talks to: everything here is at 127.0.0.1, so names have to tell. */
function certificateOf(service: ServiceName, { postgres }: Infrastructure): Record<string, string> {
  const { cert, key, ca } = certificateFiles(LOCAL, service);
  const database = new URL(postgres.databases[service]);
  // Its paths are for the tools: the service presents the files below, and notices when they are renewed.
  database.search = '';
  return {
    DATABASE_URL: database.href,
    DATABASE_TLS_NAME: 'postgres',
    AMQP_TLS_NAME: 'rabbitmq',
    ...{ TLS_CERT_FILE: cert, TLS_KEY_FILE: key, TLS_CA_FILE: ca },
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
    ...dataKeys(service),
    ...(issues
      ? {
          PUBLIC_URL: publicUrl(settings, service),
          REFRESH_TOKEN_KEY: key(`${service}-refresh-token`),
        }
      : {}),
  };
}

/** Nothing of npm's and Nx's own goes to a service, nor what only the runtime reads. */
function inherited(): Record<string, string> {
  const own = /^(npm_|NX_|INIT_CWD$|NODE_OPTIONS$|DATABASE_URL|AMQP_|CABSTAND_|POSTGRES_|RABBITMQ_)/;
  const ports = new Set([
    ...['WEB_PORT', 'IDENTITY_PORT', 'LOCAL_TOOLS_PORT'],
    ...SERVICES.flatMap((s) => [`${s.toUpperCase()}_PORT`, `${s.toUpperCase()}_MANAGEMENT_PORT`]),
  ]);
  const entries = Object.entries(process.env).filter(([name]) => !own.test(name) && !ports.has(name));
  return Object.fromEntries(entries) as Record<string, string>;
}
