import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SERVICES, type ServiceName } from '@cabstand/contracts';
import { brokerUrls, definitionsOf, installationAccounts, LOCAL, secret } from '../../infra/index.ts';
import { developerIssuer } from './developer-issuer.ts';
import { serviceSecrets } from './environment.ts';
import { readSettings } from './settings.ts';

const JWKS = 'development-issuer.jwks.json';
/** What the services listen on unless they are told otherwise, whatever port of this machine leads there. */
const PORTS_INSIDE: Record<ServiceName, number> = { passenger: 3001, driver: 3002, trip: 3003 };

/** The same as ensureDatabase() does, for the image's first start (P1: nobody else may connect). */
const ownedDatabase = (service: ServiceName, password: string) => `
CREATE ROLE ${service} LOGIN PASSWORD '${password}';
CREATE DATABASE ${service} OWNER ${service};
REVOKE ALL ON DATABASE ${service} FROM PUBLIC;
GRANT CONNECT ON DATABASE ${service} TO ${service};`;

/**
 * What containers are given at /run/cabstand and in their environment, with the keys and passwords of this installation;
 * servers are called `postgres` and `rabbitmq` there, and services by their names.
 */
export async function containerFiles() {
  const settings = { ...readSettings(), tls: false };
  const accounts = installationAccounts(LOCAL);
  const passwordOf = (service: ServiceName) => secret(LOCAL, `postgres-${service}`);
  const closed = ['postgres', 'template1'].map((name) => `REVOKE CONNECT ON DATABASE ${name} FROM PUBLIC;`);
  await developerIssuer(settings);

  const base = { amqpUrl: 'amqp://rabbitmq:5672', managementUrl: 'http://rabbitmq:15672' };
  const perService = <T>(of: (service: ServiceName) => T) =>
    Object.fromEntries(SERVICES.map((service) => [service, of(service)])) as Record<ServiceName, T>;
  const databases = perService((service) => `postgres://${service}:${passwordOf(service)}@postgres:5432/${service}`);
  const services = perService((service) => brokerUrls(base, accounts, service));
  const { vhost } = accounts;
  const broker = {
    how: 'containers',
    vhost,
    adminUrl: '',
    managementUrl: null,
    services,
    container: null,
    isOurs: true,
  };
  const where = {
    jwksUriOf: (issuer: ServiceName) => `http://${issuer}:${PORTS_INSIDE[issuer]}/.well-known/jwks.json`,
    developerJwksUri: `file:///run/cabstand/${JWKS}`,
  };
  const infrastructure = { postgres: { how: 'containers', databases }, broker };
  const environments = await Promise.all(
    SERVICES.map(async (service) => [service, await serviceSecrets(settings, infrastructure, service, where)] as const),
  );
  return {
    environments: Object.fromEntries(environments) as Record<ServiceName, Record<string, string>>,
    postgresPassword: secret(LOCAL, 'postgres'),
    databases: [...SERVICES.map((s) => ownedDatabase(s, passwordOf(s))), '', ...closed, ''].join('\n'),
    definitions: JSON.stringify(definitionsOf(accounts), null, 2),
    rabbitmqConf: 'load_definitions = /run/cabstand/definitions.json\n',
    issuerKeys: readFileSync(join(LOCAL, JWKS), 'utf8'),
  };
}
