/** npx nx run tools:keys -- list|rotate|rotate-data SERVICE: the keys that a service signs with, and seals data with. */
import { parseArgs } from 'node:util';
import { setTimeout as wait } from 'node:timers/promises';
import { SERVICES, type ServiceName } from '@cabstand/contracts';
import { call } from './client/http.ts';
import { dataSourceOf, withDatabase } from './migrate.ts';
import { addKey, NOTICED_AFTER_MS, rewrapAll } from './rotate-data.ts';
import {
  dataKeys,
  developerIssuerName,
  keyRingFile,
  loadDotEnv,
  operatorToken,
  readSettings,
  red,
  runningPlatform,
} from './runtime/index.ts';

const ISSUING = ['passenger', 'driver'] as const;
const USAGE = `npx nx run tools:keys -- <command> ${ISSUING.join('|')}

  list      the keys that are published: the next, the current, and previous ones whose tokens are still about
  rotate    publishes a new key, which signs from when every verifier knows it; no request fails meanwhile
  rotate-data
            makes a new key-encryption key, and wraps by it what older ones have wrapped, while the service (trip too)
            runs. With KEY_ENCRYPTION_KEY set it makes none, and wraps by the newest of those

  --url URL    the service at this address; CABSTAND_TOKEN is the operator's access token for it`;

interface Key {
  kid: string;
  algorithm: string;
  state: 'next' | 'current' | 'previous';
  signsFrom: string;
}

class UsageError extends Error {}

async function token(): Promise<string> {
  if (process.env.CABSTAND_TOKEN) return process.env.CABSTAND_TOKEN;
  return operatorToken(developerIssuerName());
}

function print(keys: readonly Key[]): void {
  for (const { kid, algorithm, state, signsFrom } of keys)
    console.log(`${kid}  ${algorithm}  ${state.padEnd(8)}  signs from ${signsFrom.slice(0, 19)}Z`);
}

async function signingKeys(command?: string, service?: (typeof ISSUING)[number], at?: string): Promise<void> {
  if (!service) throw new UsageError(`which service? one of ${ISSUING.join(', ')}`);
  const local = runningPlatform()?.services[service].url ?? `http://localhost:${readSettings().ports[service].http}`;
  const ask = async (method: string, path: string) => {
    const url = `${at?.replace(/\/$/, '') ?? local}/v1/ops/signing-keys${path}`;
    return (await call<{ items: Key[] }>(method, url, { token: await token() })).body.items;
  };
  if (command === 'list') print(await ask('GET', ''));
  else if (command === 'rotate') print(await ask('POST', '/rotate'));
  else throw new UsageError(`there is no command ${command}`);
}

/** Whoever sets KEY_ENCRYPTION_KEY has given the service the new key already. */
async function rotateData(service?: ServiceName): Promise<void> {
  if (!service) throw new UsageError(`which service? one of ${SERVICES.join(', ')}`);
  if (!process.env.KEY_ENCRYPTION_KEY) {
    dataKeys(service);
    console.log(`made version ${addKey(keyRingFile(service))} of ${keyRingFile(service)}`);
    await wait(NOTICED_AFTER_MS);
  }
  const done = await withDatabase(service, async (url) => {
    const dataSource = await (await dataSourceOf(service, url)).initialize();
    try {
      return await rewrapAll(dataSource);
    } finally {
      await dataSource.destroy();
    }
  });
  for (const [table, rows] of Object.entries(done)) console.log(`${table}  ${rows} rows`);
  console.log('nothing is wrapped by an older key; they are still needed for older backups');
}

try {
  loadDotEnv();
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { url: { type: 'string' } } });
  const [command, name] = positionals;
  if (command === 'rotate-data') await rotateData(SERVICES.find((service) => service === name));
  else
    await signingKeys(
      command,
      ISSUING.find((service) => service === name),
      values.url,
    );
} catch (error) {
  const isUsage = error instanceof UsageError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS');
  const isUnreachable = error instanceof TypeError && error.message === 'fetch failed';
  const message = error instanceof Error ? error.message : String(error);
  console.error(red(isUnreachable ? 'the service does not answer; is the platform running? (npm start)' : message));
  if (isUsage) console.error(`\n${USAGE}`);
  process.exitCode = isUsage ? 64 : 1;
}
