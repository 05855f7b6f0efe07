import { eventually } from '@cabstand/testing';
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import type { RunningService } from '../src/index.ts';
import { createWorld, migrate, start, type World } from './fixture/running.ts';

const LIMITS = 'production,sign-in=5/1h,public=20/1h,read=8/1h,write=4/1h';

let world: World;
let replicas: RunningService[];
let database: pg.Client;

beforeAll(async () => {
  world = await createWorld();
  world.env.TRUSTED_ISSUERS = JSON.stringify([world.issuer.trustedIssuer('passenger', 'operator')]);
  await migrate(world);
  const behindProxy = { ...world.env, LIMITS, TRUSTED_PROXIES: '127.0.0.1,10.0.0.0/8' };
  replicas = [await start({ ...world, env: behindProxy }), await start({ ...world, env: behindProxy })];
  database = new pg.Client({ connectionString: world.database.url });
  await database.connect();
});
afterAll(async () => {
  await database.end();
  await Promise.all(replicas.map((replica) => replica.stop()));
  await world.drop();
});

let networks = 0;
/** An address that no other test calls from. */
const anAddress = () => `198.51.100.${++networks}`;
const caller = async (role: 'passenger' | 'operator' = 'passenger') => ({
  authorization: `Bearer ${await world.issuer.token(role, randomUUID())}`,
});

const call = (method: string, path: string, headers: Record<string, string>, replica = 0) =>
  fetch(replicas[replica]!.url + path, { method, headers });
const statusOf = async (...request: Parameters<typeof call>) => (await call(...request)).status;
const guess = (from: string, replica = 0) => statusOf('POST', '/v1/guesses', { 'x-forwarded-for': from }, replica);
const allowed = (statuses: number[]) => statuses.filter((status) => status !== 429).length;
const counted = async () =>
  Number((await database.query<{ sum: string }>('SELECT sum(calls) FROM rate_limits')).rows[0]!.sum);

const failures = async () => {
  const metrics = await (await fetch(`${replicas[0]!.managementUrl}/metrics`)).text();
  return Number(/^rate_limit_store_failures_total\{.*\} (\d+)$/m.exec(metrics)?.[1] ?? 0);
};

describe('an exact limit', () => {
  test('holds across replicas, however many calls come at once', async () => {
    const from = anAddress();
    const statuses = await Promise.all(Array.from({ length: 60 }, (_, i) => guess(from, i % 2)));
    expect(allowed(statuses)).toBe(5);
  });

  test('counts a route under each of its names', async () => {
    const from = anAddress();
    for (const path of ['/v1/guesses', '/v2/guesses', '/v1/guesses?a=1', '/v2/guesses', '/v1/guesses'])
      expect(await statusOf('POST', path, { 'x-forwarded-for': from })).toBe(204);
    expect(await statusOf('POST', '/v2/guesses', { 'x-forwarded-for': from }, 1)).toBe(429);
  });

  test('writes nothing for callers who are over it', async () => {
    const from = anAddress();
    for (let i = 0; i < 6; i++) await guess(from);
    const before = await counted();
    expect(allowed(await Promise.all(Array.from({ length: 50 }, () => guess(from))))).toBe(0);
    expect(await counted()).toBe(before);
  });
});

describe('where a call comes from', () => {
  test.each([
    ['the address that the proxy saw', (i: number) => `203.0.113.${i}, 192.0.2.1`],
    ['not what stands before it', (i: number) => `garbage-${i}, 192.0.2.2`],
    ['the first that is no proxy', (i: number) => `203.0.113.${i}, 192.0.2.3, 10.1.2.3`],
    ['an IPv6 network, not one of its addresses', (i: number) => `2001:db8:77:1::${i}`],
    ['IPv4 in IPv6 clothes as IPv4', (i: number) => (i % 2 ? '192.0.2.4' : '::ffff:192.0.2.4')],
  ])('is %s', async (_case, forwardedFor) => {
    const statuses = await Promise.all(Array.from({ length: 20 }, (_, i) => guess(forwardedFor(i), i % 2)));
    expect(allowed(statuses)).toBe(5);
  });

  test('is the connection, where no proxy is trusted', async () => {
    const exposed = await start({ ...world, env: { ...world.env, LIMITS } });
    try {
      const statuses = await Promise.all(
        Array.from({ length: 20 }, async (_, i) => {
          const headers = { 'x-forwarded-for': `203.0.113.${i}`, forwarded: `for=203.0.113.${i}` };
          return (await fetch(`${exposed.url}/v1/guesses`, { method: 'POST', headers })).status;
        }),
      );
      expect(allowed(statuses)).toBe(5);
    } finally {
      await exposed.stop();
    }
  });
});

describe('a limit by principal', () => {
  test('counts all calls of a kind, and says how many are left', async () => {
    const me = await caller();
    const first = await call('GET', '/v1/notes', me);
    expect(first.status).toBe(200);
    expect(first.headers.get('ratelimit-policy')).toBe('"read";q=8;w=3600');
    expect(first.headers.get('ratelimit')).toMatch(/^"read";r=7;t=\d{1,4}$/);
    const paths = ['/v1/notes?limit=1', `/v1/notes/${randomUUID()}`, '/v1/notes', '/v1/notes/not-a-uuid', '/v1/notes'];
    for (const path of paths) expect(await statusOf('GET', path, me)).not.toBe(429);
    for (let i = 0; i < 2; i++) expect(await statusOf('HEAD', '/v1/notes', me)).toBe(200);

    const refused = await call('GET', '/v1/notes', me);
    expect(refused.status).toBe(429);
    expect(refused.headers.get('ratelimit')).toMatch(/^"read";r=0;t=\d{1,4}$/);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(refused.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(await refused.json()).toMatchObject({ status: 429, code: 'RATE_LIMITED' });
    // Another kind of call, and somebody else at the same address.
    expect(await statusOf('DELETE', '/v1/notes/last', me)).toBe(204);
    expect(await statusOf('GET', '/v1/notes', await caller())).toBe(200);
  });

  test('reaches the other replicas within seconds', async () => {
    const me = await caller();
    for (let i = 0; i < 8; i++) expect(await statusOf('GET', '/v1/notes', me, 0)).toBe(200);
    await eventually(async () => expect(await statusOf('GET', '/v1/notes', me, 1)).toBe(429), { everyMs: 400 });
  });

  test('counts calls that the policy refuses', async () => {
    const operator = await caller('operator');
    for (let i = 0; i < 8; i++) expect(await statusOf('GET', '/v1/notes', operator)).toBe(403);
    expect(await statusOf('GET', '/v1/notes', operator)).toBe(429);
  });
});

test('says nothing in the database of who called', async () => {
  await guess('192.0.2.77');
  const { rows } = await database.query<{ id: string }>('SELECT id FROM rate_limits');
  expect(rows.length).toBeGreaterThan(0);
  for (const { id } of rows) expect(id).toMatch(/^[\w-]{43}$/);
});

test('limits at each replica alone while the counts cannot be stored, and together again afterwards', async () => {
  await database.query('ALTER TABLE rate_limits RENAME TO out_of_order');
  const [from, me] = [anAddress(), await caller()];
  for (const replica of [0, 1]) {
    expect(allowed(await Promise.all(Array.from({ length: 20 }, () => guess(from, replica))))).toBe(5);
    const reads = Array.from({ length: 12 }, () => statusOf('GET', '/v1/notes', me, replica));
    expect(allowed(await Promise.all(reads))).toBe(8);
  }
  // What could not be stored is not forgotten.
  const before = await failures();
  await eventually(async () => expect(await failures()).toBeGreaterThan(before));
  for (const replica of [0, 1]) {
    expect(await guess(from, replica)).toBe(429);
    expect(await statusOf('GET', '/v1/notes', me, replica)).toBe(429);
  }
  await database.query('ALTER TABLE out_of_order RENAME TO rate_limits');
  await eventually(async () => {
    const fresh = anAddress();
    const statuses = await Promise.all(Array.from({ length: 20 }, (_, i) => guess(fresh, i % 2)));
    expect(allowed(statuses)).toBe(5);
  });
});
