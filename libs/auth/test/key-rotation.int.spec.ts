import { randomUUID } from 'node:crypto';
import {
  createTestBroker,
  createTestDatabase,
  eventually,
  type TestBroker,
  type TestDatabase,
} from '@cabstand/testing';
import { decodeProtectedHeader } from 'jose';
import type { DataSource } from 'typeorm';
import { ownIssuer, Passwords } from '../src/index.ts';
import { SessionJanitor } from '../src/session-janitor.ts';
import { ISSUER, openDatabase, startService, type TestedService } from './service.ts';
import { claimsOf, createKey, headerOf, publish, signRaw } from './tokens.ts';

const OPERATORS = 'https://operators.test';
const PASSWORD = 'correct horse battery';
/** In proportion as they are by default: keys are fresh for a minute and published for two before they sign. */
const FRESH_MS = 500;
const LEAD_MS = 3_000;

const operatorKey = createKey();
const operators = publish(OPERATORS, ['operator'], operatorKey);
const operator = signRaw(operatorKey, headerOf(operatorKey), claimsOf(OPERATORS, { role: 'operator' }));

let databases: TestDatabase[];
let broker: TestBroker;
let dataSources: DataSource[];
/** Two replicas that issue, and a service that fetches their keys over HTTP. */
let issuers: TestedService[];
let verifier: TestedService;
let refreshToken: string;

beforeAll(async () => {
  databases = await Promise.all([createTestDatabase('auth'), createTestDatabase('auth')]);
  broker = await createTestBroker();
  dataSources = await Promise.all(databases.map(({ url }) => openDatabase(url)));
  const [issuing, verifying] = dataSources as [DataSource, DataSource];
  const amqpUrl = broker.urlFor('passenger');
  const issues = {
    dataSource: issuing,
    amqpUrl,
    sessions: { signingKeyLeadMs: LEAD_MS },
    keysFreshMs: FRESH_MS,
    trustedIssuers: [ownIssuer(ISSUER, 'passenger'), operators.trusted],
  };
  issuers = [await startService(issues), await startService(issues)];
  const jwksUri = `${issuers[0]!.url}/.well-known/jwks.json`;
  verifier = await startService({
    dataSource: verifying,
    amqpUrl,
    issues: false,
    keysFreshMs: FRESH_MS,
    trustedIssuers: [{ issuer: ISSUER, jwksUri, algorithm: 'ES256', roles: ['passenger'] }],
  });
  const account = { id: randomUUID(), email: `${randomUUID()}@example.com` };
  const passwordHash = await issuers[0]!.app.get(Passwords).hash(PASSWORD, account.email);
  await issuing.query('INSERT INTO accounts VALUES ($1, $2, $3, false)', [account.id, account.email, passwordHash]);
  const signedIn = await post(issuers[0]!, '/v1/sessions', { email: account.email, password: PASSWORD });
  ({ refreshToken } = (await signedIn.json()) as { refreshToken: string });
});

afterAll(async () => {
  await Promise.all([...issuers, verifier].map(({ app }) => app.close()));
  await Promise.all(dataSources.map((dataSource) => dataSource.destroy()));
  await Promise.all([...databases, broker].map((made) => made.drop()));
  operators.drop();
});

const post = (on: TestedService, path: string, body?: object, token?: string) =>
  fetch(`${on.url}${path}`, {
    method: 'POST',
    headers: {
      ...(body ? { 'content-type': 'application/json' } : {}),
      ...(token ? { authorization: `Bearer ${token}` } : {}),
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
const read = (on: TestedService, token: string) =>
  fetch(`${on.url}/notes`, { headers: { authorization: `Bearer ${token}` } });
/** A new access token of the one session that there is. */
async function refreshed(on = issuers[0]!): Promise<string> {
  const response = await post(on, '/v1/sessions/refresh', { refreshToken });
  expect(response.status).toBe(200);
  const tokens = (await response.json()) as { accessToken: string; refreshToken: string };
  refreshToken = tokens.refreshToken;
  return tokens.accessToken;
}
const published = async () => {
  const response = await fetch(`${issuers[0]!.url}/.well-known/jwks.json`);
  return ((await response.json()) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid);
};
const kidOf = (token: string) => decodeProtectedHeader(token).kid!;

/** Refreshes and reads without a pause, on each service in turn, until it is stopped. */
function keepAsking() {
  const seen = { kids: new Set<string>(), requests: 0, failures: [] as string[], first: '' };
  let stopped = false;
  const check = async (response: Response) => {
    seen.requests++;
    if (!response.ok) seen.failures.push(`${response.status} ${await response.text()}`);
  };
  const running = (async () => {
    for (let i = 0; !stopped; i++) {
      const accessToken = await refreshed(issuers[i % 2]);
      seen.first ||= accessToken;
      seen.kids.add(kidOf(accessToken));
      for (const service of [verifier, ...issuers])
        for (const token of [accessToken, seen.first]) await check(await read(service, token));
    }
  })();
  return { seen, stop: () => ((stopped = true), running) };
}

it('keys rotate under constant requests, and none of them fails', async () => {
  const before = await published();
  const { seen, stop } = keepAsking();
  await eventually(() => expect(seen.requests).toBeGreaterThan(20));
  const answer = await post(issuers[1]!, '/v1/ops/signing-keys/rotate', undefined, operator);
  expect(answer.status).toBe(200);
  const { items } = (await answer.json()) as { items: { kid: string; state: string }[] };
  expect(items.map(({ state }) => state)).toEqual(['next', 'current']);
  expect(await published()).toEqual([items[0]!.kid, ...before]);
  await eventually(() => expect(seen.kids.size).toBe(2));
  const { requests } = seen;
  await eventually(() => expect(seen.requests).toBeGreaterThan(requests + 50));
  await stop();
  expect(seen.failures).toEqual([]);
  expect([...seen.kids]).toEqual([...before, items[0]!.kid]);
});

it('an old key stays until its last token has expired; then it verifies nothing any more', async () => {
  const accessToken = await refreshed();
  const [current, old] = await published();
  expect(kidOf(accessToken)).toBe(current);
  await issuers[0]!.app.get(SessionJanitor).sweep();
  expect(await published()).toEqual([current, old]);
  await dataSources[0]!.query(`UPDATE signing_keys SET signs_from = signs_from - interval '1 hour'`);
  await issuers[0]!.app.get(SessionJanitor).sweep();
  expect(await published()).toEqual([current]);
  for (const service of [verifier, ...issuers]) expect((await read(service, accessToken)).status).toBe(200);
});

it('a key that is withdrawn takes with it even tokens that were verified a moment ago', async () => {
  const accessToken = await refreshed();
  for (const service of [verifier, ...issuers]) expect((await read(service, accessToken)).status).toBe(200);
  await dataSources[0]!.query('DELETE FROM signing_keys');
  // Somebody new makes a service look again; nobody else has to.
  await eventually(
    async () => {
      for (const service of [verifier, ...issuers]) {
        await read(service, signRaw(createKey(), headerOf(createKey()), claimsOf(ISSUER)));
        expect((await read(service, accessToken)).status).toBe(401);
      }
    },
    { timeoutMs: 30_000 },
  );
});

it('operators alone may see and rotate them, and it is on record', async () => {
  const cases = [
    [operator, 200],
    [await refreshed(), 403],
    [undefined, 401],
  ] as const;
  for (const [token, status] of cases)
    expect((await post(issuers[0]!, '/v1/ops/signing-keys/rotate', undefined, token)).status).toBe(status);
  const entries = await dataSources[0]!.query<{ action: string }[]>(
    `SELECT action FROM ops_audit WHERE action = 'ops.signing-key-rotated' AND issuer = $1`,
    [OPERATORS],
  );
  expect(entries.length).toBeGreaterThanOrEqual(2);
});
