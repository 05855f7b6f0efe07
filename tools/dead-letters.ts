/** npx nx run tools:dead-letters -- list|show|replay|discard …: what the operators' API offers, at a prompt. */
import { parseArgs } from 'node:util';
import { SERVICES, type ServiceName } from '@cabstand/contracts';
import { ApiError, call } from './client/http.ts';
import { developerIssuerName, loadDotEnv, operatorToken, readSettings, red, runningPlatform } from './runtime/index.ts';

const USAGE = `npx nx run tools:dead-letters -- <command>

  list    [--queue QUEUE] [--limit N]                   of all services, newest first
  show    ID [--reason TEXT]                            everything that is known of one; what it says of people
                                                        only with a reason (10 to 200 characters), which is recorded
  replay  ID                                            to its queue again
  replay  --queue QUEUE [--type TYPE] [--before TIME]   all of a queue
  discard ID --reason TEXT                              for good; the reason is recorded

  --service passenger|driver|trip    that service only
  --url URL                          that service, at this address; CABSTAND_TOKEN is the operator's access token for it`;

interface Letter {
  id: string;
  queue: string;
  type: string | null;
  reason: string;
  detail: string | null;
  attempts: number;
  deadAt: string;
}

class UsageError extends Error {}

const { values, positionals } = (() => {
  try {
    return parseArgs({
      allowPositionals: true,
      options: Object.fromEntries(
        ['service', 'url', 'queue', 'type', 'before', 'limit', 'reason'].map((name) => [name, { type: 'string' }]),
      ) as Record<'service' | 'url' | 'queue' | 'type' | 'before' | 'limit' | 'reason', { type: 'string' }>,
    });
  } catch (error) {
    console.error(`${red((error as Error).message)}\n\n${USAGE}`);
    process.exit(64);
  }
})();

/** The addresses to ask: one that is named, or those of the platform that runs here. */
function addresses(): string[] {
  if (values.url) return [values.url.replace(/\/$/, '')];
  const named = values.service ?? (values.queue && values.queue.split('.')[0]);
  const services = named === undefined ? SERVICES : SERVICES.filter((service) => service === named);
  if (services.length === 0) throw new UsageError(`there is no service ${named}`);
  const running = runningPlatform();
  const { ports } = readSettings();
  const urlOf = (service: ServiceName) => running?.services[service].url ?? `http://localhost:${ports[service].http}`;
  return services.map(urlOf);
}

async function token(): Promise<string> {
  if (process.env.CABSTAND_TOKEN) return process.env.CABSTAND_TOKEN;
  return operatorToken(developerIssuerName());
}

async function ask<T>(address: string, method: string, path: string, body?: object): Promise<T> {
  const url = `${address}/v1/ops/dead-letters${path}`;
  // A reason is for the record, and headers are bytes.
  const headers: Record<string, string> =
    method === 'GET' && values.reason ? { 'access-reason': Buffer.from(values.reason).toString('latin1') } : {};
  const { body: answer } = await call<T>(method, url, { token: await token(), body, headers, timeoutMs: 60_000 });
  return answer;
}

/** Ids don't say whose they are: each service is asked in turn. */
async function askFor<T>(id: string | undefined, method: string, path = '', body?: object): Promise<T> {
  if (!id) throw new UsageError('which one? its id is missing');
  for (const address of addresses()) {
    try {
      return await ask<T>(address, method, `/${encodeURIComponent(id)}${path}`, body);
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 404)) throw error;
    }
  }
  throw new Error(`there is no dead letter ${id}`);
}

async function list(): Promise<void> {
  const search = new URLSearchParams({ limit: values.limit ?? '20', ...(values.queue && { queue: values.queue }) });
  const pages = await Promise.all(
    addresses().map((address) => ask<{ items: Letter[]; nextCursor: string | null }>(address, 'GET', `?${search}`)),
  );
  const letters = pages.flatMap(({ items }) => items).sort((a, b) => (a.deadAt < b.deadAt ? 1 : -1));
  for (const letter of letters) {
    const { id, deadAt, queue, type, reason, attempts, detail } = letter;
    // A forged message must not write to the terminal.
    const about = JSON.stringify(`${reason}${detail ? `: ${detail}` : ''}`).slice(1, -1);
    const what = type === null ? '?' : JSON.stringify(type).slice(1, -1);
    console.log(`${id}  ${deadAt.slice(0, 19)}Z  ${queue}  ${what}  ${attempts}×  ${about}`);
  }
  const more = pages.some(({ nextCursor }) => nextCursor !== null);
  console.log(letters.length === 0 ? 'no dead letters' : `${letters.length} shown${more ? '; there are more' : ''}`);
}

async function replay(id: string | undefined): Promise<void> {
  const { queue, type, before } = values;
  if (id === undefined && !queue) throw new UsageError('which ones? an id or --queue is missing');
  const [address = ''] = addresses();
  const { replayed } = id
    ? await askFor<{ replayed: number }>(id, 'POST', '/replay')
    : await ask<{ replayed: number }>(address, 'POST', '/replay', { queue, type, before });
  console.log(`${replayed} replayed; what fails again comes back with its history`);
}

async function discard(id: string | undefined): Promise<void> {
  if (!values.reason) throw new UsageError('why? --reason is missing');
  await askFor(id, 'DELETE', '', { reason: values.reason });
  console.log(`${id} discarded`);
}

try {
  loadDotEnv();
  const [command, id] = positionals;
  if (command === 'list') await list();
  else if (command === 'show') console.log(JSON.stringify(await askFor(id, 'GET'), null, 2));
  else if (command === 'replay') await replay(id);
  else if (command === 'discard') await discard(id);
  else throw new UsageError(command ? `there is no command ${command}` : 'a command is missing');
} catch (error) {
  const isUsage = error instanceof UsageError;
  const isUnreachable = error instanceof TypeError && error.message === 'fetch failed';
  console.error(
    red(
      isUnreachable
        ? 'no service answers; is the platform running? (npm start)'
        : String(error instanceof Error ? error.message : error),
    ),
  );
  if (isUsage) console.error(`\n${USAGE}`);
  process.exitCode = isUsage ? 64 : 1;
}
