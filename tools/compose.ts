/**
 * npm run compose [-- down | logs -f | …]
 *
 * The platform in containers. Writes what infra/compose.yaml mounts (keys, passwords, the broker's topology) to
 * .local/compose, then runs `docker compose` with the arguments, or `up --build` without any.
 */
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LOCAL, ROOT } from '../infra/index.ts';
import { containerFiles, loadDotEnv } from './runtime/index.ts';

const FOLDER = join(LOCAL, 'compose');

/** Readable by the containers' own users; the folder around it by its owner alone. */
function write(name: string, content: string): void {
  writeFileSync(join(FOLDER, name), content);
  chmodSync(join(FOLDER, name), 0o644);
}

async function writeFiles(): Promise<void> {
  const { environments, postgresPassword, databases, definitions, rabbitmqConf, issuerKeys } = await containerFiles();
  for (const folder of ['', 'postgres', 'issuers']) mkdirSync(join(FOLDER, folder), { recursive: true });
  chmodSync(FOLDER, 0o700);
  write('postgres-password', postgresPassword);
  write('postgres/databases.sql', databases);
  write('definitions.json', definitions);
  write('rabbitmq.conf', rabbitmqConf);
  write('issuers/development-issuer.jwks.json', issuerKeys);
  for (const [service, environment] of Object.entries(environments)) {
    // Single quotes: nothing in the value is taken for a variable or a comment.
    const lines = Object.entries(environment).map(([name, value]) => `${name}='${value}'\n`);
    write(`${service}.env`, lines.join(''));
  }
}

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
