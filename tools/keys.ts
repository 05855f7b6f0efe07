/** npx nx run tools:keys -- list|rotate SERVICE: the keys that a service signs access tokens with. */
import { parseArgs } from 'node:util';
import { call } from './client/http.ts';
import { developerIssuer, loadDotEnv, operatorToken, readSettings, red, runningPlatform } from './runtime/index.ts';

const ISSUING = ['passenger', 'driver'] as const;
const USAGE = `npx nx run tools:keys -- <command> ${ISSUING.join('|')}

  list      the keys that are published: the next, the current, and previous ones whose tokens are still about
  rotate    publishes a new key, which signs from when every verifier knows it; no request fails meanwhile

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
  await developerIssuer();
  return operatorToken('00000000-0000-7000-8000-000000000001', 300);
}

function print(keys: readonly Key[]): void {
  for (const { kid, algorithm, state, signsFrom } of keys)
    console.log(`${kid}  ${algorithm}  ${state.padEnd(8)}  signs from ${signsFrom.slice(0, 19)}Z`);
}

try {
  loadDotEnv();
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { url: { type: 'string' } } });
  const [command, name] = positionals;
  const service = ISSUING.find((issuing) => issuing === name);
  if (!service) throw new UsageError(name ? `${name} has no keys of its own` : 'which service? its name is missing');
  const local = runningPlatform()?.services[service].url ?? `http://localhost:${readSettings().ports[service].http}`;
  const ask = async (method: string, path: string) => {
    const url = `${values.url?.replace(/\/$/, '') ?? local}/v1/ops/signing-keys${path}`;
    return (await call<{ items: Key[] }>(method, url, { token: await token() })).body.items;
  };
  if (command === 'list') print(await ask('GET', ''));
  else if (command === 'rotate') print(await ask('POST', '/rotate'));
  else throw new UsageError(`there is no command ${command}`);
} catch (error) {
  const isUsage = error instanceof UsageError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS');
  const isUnreachable = error instanceof TypeError && error.message === 'fetch failed';
  const message = error instanceof Error ? error.message : String(error);
  console.error(red(isUnreachable ? 'the service does not answer; is the platform running? (npm start)' : message));
  if (isUsage) console.error(`\n${USAGE}`);
  process.exitCode = isUsage ? 64 : 1;
}
