/**
 * npm run compose [-- down | logs -f | …]
 *
 * The platform in containers. Writes what infra/compose.yaml mounts (keys, passwords, the broker's topology) to
 * .local/compose, then runs `docker compose` with the arguments, or `up --build` without any.
 */
import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SERVICES, type ServiceName } from '@cabstand/contracts';
import { brokerUrls, definitionsOf, installationAccounts, LOCAL, ROOT, secret } from '../infra/index.ts';
import { developerIssuer, loadDotEnv, readSettings, serviceSecrets } from './runtime/index.ts';

const FOLDER = join(LOCAL, 'compose');
const JWKS = 'development-issuer.jwks.json';

/** Readable by the containers' own users; the folder around it by its owner alone. */
function write(name: string, content: string): void {
  writeFileSync(join(FOLDER, name), content);
  chmodSync(join(FOLDER, name), 0o644);
}

/** The same as ensureDatabase() does, for the image's first start (P1: nobody else may connect). */
const ownedDatabase = (service: ServiceName, password: string) => `
CREATE ROLE ${service} LOGIN PASSWORD '${password}';
CREATE DATABASE ${service} OWNER ${service};
REVOKE ALL ON DATABASE ${service} FROM PUBLIC;
GRANT CONNECT ON DATABASE ${service} TO ${service};`;

async function writeFiles(): Promise<void> {
  const settings = { ...readSettings(), tls: false };
  const accounts = installationAccounts(LOCAL);
  const passwordOf = (service: ServiceName) => secret(LOCAL, `postgres-${service}`);
  for (const folder of ['', 'postgres', 'issuers']) mkdirSync(join(FOLDER, folder), { recursive: true });
  chmodSync(FOLDER, 0o700);

  write('postgres-password', secret(LOCAL, 'postgres'));
  const closed = ['postgres', 'template1'].map((name) => `REVOKE CONNECT ON DATABASE ${name} FROM PUBLIC;`);
  write(
    'postgres/databases.sql',
    [...SERVICES.map((s) => ownedDatabase(s, passwordOf(s))), '', ...closed, ''].join('\n'),
  );
  write('definitions.json', JSON.stringify(definitionsOf(accounts), null, 2));
  write('rabbitmq.conf', 'load_definitions = /run/cabstand/definitions.json\n');
  await developerIssuer();
  copyFileSync(join(LOCAL, JWKS), join(FOLDER, 'issuers', JWKS));

  const base = { amqpUrl: 'amqp://rabbitmq:5672', managementUrl: 'http://rabbitmq:15672' };
  const perService = <T>(of: (service: ServiceName) => T) =>
    Object.fromEntries(SERVICES.map((service) => [service, of(service)])) as Record<ServiceName, T>;
  const databases = perService((service) => `postgres://${service}:${passwordOf(service)}@postgres:5432/${service}`);
  const services = perService((service) => brokerUrls(base, accounts, service));
  const { vhost } = accounts;
  const broker = { how: 'compose', vhost, adminUrl: '', managementUrl: null, services, container: null, isOurs: true };
  const where = {
    jwksUriOf: (issuer: ServiceName) => `http://${issuer}:${PORTS_INSIDE[issuer]}/.well-known/jwks.json`,
    developerJwksUri: `file:///run/cabstand/${JWKS}`,
  };
  for (const service of SERVICES) {
    const env = await serviceSecrets(settings, { postgres: { how: 'compose', databases }, broker }, service, where);
    // Single quotes: nothing in the value is taken for a variable or a comment.
    write(
      `${service}.env`,
      Object.entries(env)
        .map(([name, value]) => `${name}='${value}'\n`)
        .join(''),
    );
  }
}

/** As EXPOSEd by the Dockerfiles, whatever port of this machine leads to them. */
const PORTS_INSIDE: Record<ServiceName, number> = { passenger: 3001, driver: 3002, trip: 3003 };

loadDotEnv();
await writeFiles();
const args = process.argv.length > 2 ? process.argv.slice(2) : ['up', '--build'];
console.log(`wrote .local/compose; docker compose ${args.join(' ')}`);
const file = join(ROOT, 'infra', 'compose.yaml');
const docker = spawn('docker', ['compose', '--file', file, ...args], { stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => docker.kill(signal));
docker.on('error', () => {
  console.error('docker was not found; npm start needs none');
  process.exit(1);
});
docker.on('exit', (code) => process.exit(code ?? 1));
