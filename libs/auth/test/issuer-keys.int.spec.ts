import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createTestDatabase, eventually, type TestDatabase } from '@cabstand/testing';
import type { DataSource } from 'typeorm';
import { IssuerKeys } from '../src/issuer-keys.ts';
import type { TrustedIssuer } from '../src/index.ts';
import { VerifiedTokens } from '../src/verified-tokens.ts';
import { openDatabase } from './service.ts';
import { createKey, jwksOf, type Key } from './tokens.ts';

const COOLDOWN_MS = 300;

let database: TestDatabase;
let dataSource: DataSource;

beforeAll(async () => {
  database = await createTestDatabase('auth');
  dataSource = await openDatabase(database.url);
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

/** An issuer whose key set is served over HTTP, and can be changed, broken and taken away. */
async function startIssuer(...keys: Key[]) {
  const state = { fetches: 0, body: JSON.stringify(jwksOf(...keys)), status: 200 };
  let held = Promise.resolve();
  const listen = (port: number) =>
    new Promise<Server>((resolve) => {
      const server = createServer((_, response) => {
        state.fetches++;
        const headers = { 'content-type': 'application/json', connection: 'close' };
        void held.then(() => response.writeHead(state.status, headers).end(state.body));
      });
      server.listen(port, '127.0.0.1', () => resolve(server));
    });
  let server = await listen(0);
  const { port } = server.address() as AddressInfo;
  const close = () => new Promise<void>((resolve) => void server.close(() => resolve()));
  const trusted: TrustedIssuer = {
    issuer: `https://issuer-${port}.test`,
    jwksUri: `http://127.0.0.1:${port}/jwks.json`,
    algorithm: 'ES256',
    roles: ['passenger'],
  };
  return {
    state,
    trusted,
    stop: close,
    start: async () => void (server = await listen(port)),
    /** Answers nobody until what it returns is called. */
    hang: () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      held = promise;
      return resolve;
    },
    publish: (...next: Key[]) => void (state.body = JSON.stringify(jwksOf(...next))),
  };
}

/** What one replica holds in memory. */
const replica = (trusted: TrustedIssuer, timeoutMs = 500, verified = new VerifiedTokens()) =>
  new IssuerKeys(dataSource, verified, {
    audience: 'trip',
    trustedIssuers: [trusted],
    keyFetchCooldownMs: COOLDOWN_MS,
    keyFetchTimeoutMs: timeoutMs,
  });

const refusal = (code: string) => expect.objectContaining({ code }) as Error;

it('are fetched once, however many ask', async () => {
  const key = createKey();
  const issuer = await startIssuer(key);
  const keys = replica(issuer.trusted);
  const found = await Promise.all(Array.from({ length: 50 }, () => keys.find(issuer.trusted, key.kid)));
  expect(found.every((object) => object === found[0])).toBe(true);
  expect(found[0]!.equals(key.publicKey)).toBe(true);
  expect(issuer.state.fetches).toBe(1);
  await issuer.stop();
});

it('cannot be found out about while the issuer has never been reached: 503, and soon afterwards', async () => {
  const key = createKey();
  const issuer = await startIssuer(key);
  await issuer.stop();
  const keys = replica(issuer.trusted);
  await expect(keys.find(issuer.trusted, key.kid)).rejects.toEqual(refusal('ISSUER_UNAVAILABLE'));
  await issuer.start();
  await eventually(() => keys.find(issuer.trusted, key.kid));
  await issuer.stop();
});

it('are kept in the database: a replica that starts while the issuer is down knows them', async () => {
  const key = createKey();
  const issuer = await startIssuer(key);
  await replica(issuer.trusted).find(issuer.trusted, key.kid);
  await issuer.stop();
  const restarted = replica(issuer.trusted);
  expect((await restarted.find(issuer.trusted, key.kid)).equals(key.publicKey)).toBe(true);
  expect(issuer.state.fetches).toBe(1);
});

it('that are unknown cause one fetch in the cool-down, whatever the flood, and a new key is found after it', async () => {
  const [old, next] = [createKey(), createKey()];
  const issuer = await startIssuer(old);
  const keys = replica(issuer.trusted);
  await keys.find(issuer.trusted, old.kid);
  const flood = (round: number) =>
    Promise.allSettled(Array.from({ length: 100 }, (_, i) => keys.find(issuer.trusted, `made-up-${round}-${i}`)));
  const begun = Date.now();
  for (let round = 0; round < 5; round++)
    for (const { status, ...rest } of await flood(round))
      expect({ status, ...rest }).toEqual({ status: 'rejected', reason: refusal('TOKEN_INVALID') });
  expect(issuer.state.fetches).toBeLessThanOrEqual(1 + Math.ceil((Date.now() - begun) / COOLDOWN_MS));

  issuer.publish(old, next);
  await eventually(async () => {
    const [, found] = await Promise.all([flood(6), keys.find(issuer.trusted, next.kid)]);
    expect(found.equals(next.publicKey)).toBe(true);
  });
  await issuer.stop();
});

it('that are unknown while the issuer is down may be its new ones: 503, and the known ones go on', async () => {
  const [old, next] = [createKey(), createKey()];
  const issuer = await startIssuer(old);
  const keys = replica(issuer.trusted);
  await keys.find(issuer.trusted, old.kid);
  await issuer.stop();
  await eventually(() => expect(keys.find(issuer.trusted, next.kid)).rejects.toEqual(refusal('ISSUER_UNAVAILABLE')));
  await expect(keys.find(issuer.trusted, old.kid)).resolves.toBeDefined();
  issuer.publish(old, next);
  await issuer.start();
  await eventually(() => keys.find(issuer.trusted, next.kid));
  await issuer.stop();
});

it.each([
  ['an error page', 500, '<html>'],
  ['a redirect', 302, '{}'],
  ['no JSON', 200, '<html>'],
  ['no keys', 200, '{"keys":[]}'],
  ['something else', 200, '[]'],
])('are not replaced by %s', async (_, status, body) => {
  const key = createKey();
  const issuer = await startIssuer(key);
  const keys = replica(issuer.trusted);
  await keys.find(issuer.trusted, key.kid);
  Object.assign(issuer.state, { status, body });
  const fetched = issuer.state.fetches;
  await eventually(async () => {
    await keys.find(issuer.trusted, 'unknown').catch(() => undefined);
    expect(issuer.state.fetches).toBeGreaterThan(fetched);
  });
  await expect(keys.find(issuer.trusted, key.kid)).resolves.toBeDefined();
  await expect(replica(issuer.trusted).find(issuer.trusted, key.kid)).resolves.toBeDefined();
  await issuer.stop();
});

it('that are old are refreshed without anybody waiting for it', async () => {
  const key = createKey();
  const issuer = await startIssuer(key);
  await replica(issuer.trusted).find(issuer.trusted, key.kid);
  await dataSource.query(`UPDATE issuer_keys SET fetched_at = fetched_at - interval '1 day' WHERE issuer = $1`, [
    issuer.trusted.issuer,
  ]);
  const keys = replica(issuer.trusted);
  await issuer.stop();
  await expect(keys.find(issuer.trusted, key.kid)).resolves.toBeDefined();
  await issuer.start();
  await eventually(async () => {
    await keys.find(issuer.trusted, key.kid);
    expect(issuer.state.fetches).toBe(2);
  });
  await issuer.stop();
});

it('that are others than before make every verified token prove itself anew', async () => {
  const [old, next] = [createKey(), createKey()];
  const issuer = await startIssuer(old);
  const verified = new VerifiedTokens();
  const keys = replica(issuer.trusted, 500, verified);
  await keys.find(issuer.trusted, old.kid);
  const principal = { issuer: 'https://a.test', subject: 'ann', role: 'passenger', sessionId: null } as const;
  const remember = () =>
    verified.add('token', { ...principal, clientId: 'test', expiresAt: new Date(Date.now() + 60_000) });
  const refetch = async () => {
    const { fetches } = issuer.state;
    await eventually(async () => {
      await keys.find(issuer.trusted, 'unknown').catch(() => undefined);
      expect(issuer.state.fetches).toBeGreaterThan(fetches);
    });
  };
  remember();
  await refetch();
  expect(verified.find('token')).toBeDefined();
  issuer.publish(next);
  await refetch();
  expect(verified.find('token')).toBeUndefined();
  await issuer.stop();
});

it('that are being fetched again keep nobody waiting', async () => {
  const key = createKey();
  const issuer = await startIssuer(key);
  await replica(issuer.trusted).find(issuer.trusted, key.kid);
  await dataSource.query(`UPDATE issuer_keys SET fetched_at = fetched_at - interval '1 day' WHERE issuer = $1`, [
    issuer.trusted.issuer,
  ]);
  const keys = replica(issuer.trusted, 30_000);
  const answer = issuer.hang();
  for (let i = 0; i < 10; i++) await expect(keys.find(issuer.trusted, key.kid)).resolves.toBeDefined();
  await eventually(() => expect(issuer.state.fetches).toBe(2));
  answer();
  await issuer.stop();
});

describe('where the OpenID configuration says', () => {
  /** An issuer that says so itself: everything it serves is at one address. */
  async function startDiscoverable(configure: (own: { issuer: string; jwks_uri: string }) => object, key: Key) {
    const paths: string[] = [];
    const server = createServer(({ url }, response) => {
      paths.push(url!);
      const { port } = server.address() as AddressInfo;
      const issuer = `http://127.0.0.1:${port}/realms/city`;
      const body = url!.endsWith('/.well-known/openid-configuration')
        ? configure({ issuer, jwks_uri: `http://127.0.0.1:${port}/keys` })
        : jwksOf(key);
      response.writeHead(200, { connection: 'close' }).end(JSON.stringify(body));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}/realms/city`;
    const trusted: TrustedIssuer = { issuer, discovery: true, algorithm: 'ES256', roles: ['operator'] };
    return { trusted, paths, stop: () => new Promise((resolve) => server.close(resolve)) };
  }

  it('are found, and kept', async () => {
    const key = createKey();
    const issuer = await startDiscoverable((own) => own, key);
    expect((await replica(issuer.trusted).find(issuer.trusted, key.kid)).equals(key.publicKey)).toBe(true);
    expect(issuer.paths).toEqual(['/realms/city/.well-known/openid-configuration', '/keys']);
    await issuer.stop();
    await expect(replica(issuer.trusted).find(issuer.trusted, key.kid)).resolves.toBeDefined();
  });

  it.each<[string, (own: { issuer: string; jwks_uri: string }) => object]>([
    ['is of another issuer', (own) => ({ ...own, issuer: 'https://evil.test' })],
    ['is of the issuer with a slash behind', (own) => ({ ...own, issuer: `${own.issuer}/` })],
    ['names no keys', ({ issuer }) => ({ issuer })],
    ['names a file', (own) => ({ ...own, jwks_uri: 'file:///etc/passwd' })],
    ['is none', () => []],
  ])('are not looked for when it %s', async (_, configure) => {
    const key = createKey();
    const issuer = await startDiscoverable(configure, key);
    await expect(replica(issuer.trusted).find(issuer.trusted, key.kid)).rejects.toEqual(refusal('ISSUER_UNAVAILABLE'));
    expect(issuer.paths).not.toContain('/keys');
    await issuer.stop();
  });
});
