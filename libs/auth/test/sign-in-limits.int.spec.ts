import { randomUUID } from 'node:crypto';
import { createTestBroker, createTestDatabase, type TestBroker, type TestDatabase } from '@cabstand/testing';
import type { DataSource } from 'typeorm';
import { Passwords } from '../src/index.ts';
import type { GuessLimits } from '../src/sign-in-limits.ts';
import { ISSUER, openDatabase, startService, type TestedService } from './service.ts';

const PASSWORD = 'correct horse';
const HOME = '192.0.2.1';
const ELSEWHERE = '198.51.100.7';
const LIMITS: GuessLimits = {
  pair: { free: 3, lockAfter: 5, lockMs: 600_000 },
  account: { free: 12, lockAfter: 12, lockMs: 30_000 },
  network: { free: 15, lockAfter: 15, lockMs: 600_000 },
};

let database: TestDatabase;
let broker: TestBroker;
let dataSource: DataSource;
let service: TestedService;
let replica: TestedService;
let passwordHash: string;

beforeAll(async () => {
  [database, broker] = await Promise.all([createTestDatabase('auth'), createTestBroker()]);
  dataSource = await openDatabase(database.url);
  const start = () =>
    startService({ dataSource, amqpUrl: broker.urlFor('passenger'), sessions: { guessLimits: LIMITS } });
  [service, replica] = await Promise.all([start(), start()]);
  passwordHash = await service.app.get(Passwords).hash(PASSWORD, 'nobody@example.com');
  // The relay deletes what it has published.
  await dataSource.query(`
    CREATE TABLE published (type text, payload jsonb);
    CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO published VALUES (NEW.type, NEW.payload::jsonb); RETURN NEW; END $$;
    CREATE TRIGGER keep AFTER INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION keep()`);
});
beforeEach(() => dataSource.query('TRUNCATE sign_in_failures, published'));

afterAll(async () => {
  await Promise.all([service.app.close(), replica.app.close()]);
  await dataSource.destroy();
  await Promise.all([database.drop(), broker.drop()]);
});

async function openAccount() {
  const account = { id: randomUUID(), email: `${randomUUID()}@example.com` };
  await dataSource.query('INSERT INTO accounts VALUES ($1, $2, $3, false)', [account.id, account.email, passwordHash]);
  return account;
}

async function signIn(email: string, password: string, from: string, on = service) {
  const response = await fetch(`${on.url}/v1/sessions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-forwarded-for': from },
    body: JSON.stringify({ email, password }),
  });
  const { code, accessToken } = (await response.json()) as { code?: string; accessToken?: string };
  return { status: response.status, code, accessToken, retryAfterS: Number(response.headers.get('retry-after')) };
}
const guess = async (email: string, times: number, from: string, on = service) => {
  const statuses: number[] = [];
  for (let i = 0; i < times; i++) statuses.push((await signIn(email, `guess ${i}`, from, on)).status);
  return statuses;
};
/** As if everybody had waited for as long as they were told to. */
const untilNobodyWaits = () => dataSource.query('UPDATE sign_in_failures SET blocked_until = now()');
const locks = async () => {
  const rows = await dataSource.query<{ payload: Record<string, string> }[]>(
    `SELECT payload FROM published WHERE type = 'security.account-locked'`,
  );
  return rows.map(({ payload }) => payload);
};
const hashes = () => [service, replica].reduce((sum, { app }) => sum + app.get(Passwords).computed.total, 0);

describe('guessing one account’s password', () => {
  it('costs nothing at first, then time, then a lock that is an event', async () => {
    const { id, email } = await openAccount();
    expect(await guess(email, 4, HOME)).toEqual([401, 401, 401, 401]);
    expect(await signIn(email, PASSWORD, HOME)).toMatchObject({ status: 429, code: 'RATE_LIMITED', retryAfterS: 1 });
    expect(await locks()).toMatchObject([{ issuer: ISSUER, accountId: id, network: HOME }]);
    // On the other replica too, and hammering doesn't make it longer.
    const { status, retryAfterS } = await signIn(email, PASSWORD, HOME, replica);
    expect({ status, locked: retryAfterS > 500 && retryAfterS <= 600 }).toEqual({ status: 429, locked: true });
    await guess(email, 5, HOME);
    expect(await locks()).toHaveLength(1);
    await untilNobodyWaits();
    expect((await signIn(email, PASSWORD, HOME)).status).toBe(201);
  });

  it('waiting as told buys one guess at a time', async () => {
    const { email } = await openAccount();
    const statuses: number[] = [];
    for (let i = 0; i < 8; i++) {
      statuses.push(...(await guess(email, 1, HOME)));
      await untilNobodyWaits();
    }
    expect(statuses).toEqual(Array(8).fill(401));
    // The fifth locked, and so did each one after a lock.
    expect(await locks()).toHaveLength(4);
  });

  it('is forgotten when the right password comes, or after a quiet quarter of an hour', async () => {
    const { email } = await openAccount();
    await guess(email, 3, HOME);
    expect((await signIn(email, PASSWORD, HOME)).status).toBe(201);
    expect(await guess(email, 3, HOME)).toEqual([401, 401, 401]);
    await dataSource.query('UPDATE sign_in_failures SET expires_at = now()');
    expect(await guess(email, 4, HOME)).toEqual([401, 401, 401, 401]);
  });

  it('does not slip through side by side: of 60 at once on two replicas, few are even hashed', async () => {
    const { email } = await openAccount();
    const before = hashes();
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, i) => signIn(email, `guess ${i}`, HOME, i % 2 ? service : replica)),
    );
    // Three are free, and four are under way at most when the fourth is counted.
    expect(hashes() - before).toBeLessThanOrEqual(7);
    expect(answers.filter(({ status }) => status === 429).length).toBeGreaterThanOrEqual(53);
    expect(await locks()).toHaveLength(1);
  });

  it('is answered alike for accounts that do not exist, and is no event then', async () => {
    const { email } = await openAccount();
    const nobody = `${randomUUID()}@example.com`;
    const before = hashes();
    const known = await guess(email, 7, HOME);
    const perAccount = hashes() - before;
    expect(await guess(nobody, 7, ELSEWHERE)).toEqual(known);
    expect(hashes() - before).toBe(2 * perAccount);
    expect(await locks()).toHaveLength(1);
  });

  it('counts IPv6 by /64', async () => {
    const { email } = await openAccount();
    for (let i = 1; i <= 5; i++) await signIn(email, 'wrong', `2001:db8:1:2::${i}`);
    expect((await signIn(email, PASSWORD, '2001:db8:1:2:ffff::1')).status).toBe(429);
    expect((await signIn(email, PASSWORD, '2001:db8:1:3::1')).status).toBe(201);
    expect(await locks()).toMatchObject([{ network: '2001:db8:1:2::/64' }]);
  });
});

describe('a stranger', () => {
  it('does not lock the owner out from another network', async () => {
    const { email } = await openAccount();
    await guess(email, 10, ELSEWHERE);
    expect((await signIn(email, PASSWORD, ELSEWHERE)).status).toBe(429);
    expect((await signIn(email, PASSWORD, HOME)).status).toBe(201);
  });

  it('with many networks locks new ones out for seconds, and never those that the owner has signed in from', async () => {
    const { id, email } = await openAccount();
    await signIn(email, PASSWORD, HOME);
    for (let i = 1; i <= 12; i++) await guess(email, 1, `203.0.113.${i}`);
    expect(await locks()).toMatchObject([{ accountId: id }]);
    expect((await locks())[0]).not.toHaveProperty('network');
    const elsewhere = await signIn(email, PASSWORD, ELSEWHERE);
    expect(elsewhere.status).toBe(429);
    expect(elsewhere.retryAfterS).toBeLessThanOrEqual(30);
    expect((await signIn(email, PASSWORD, HOME)).status).toBe(201);
    // One more failure after the lock is the first of twelve again.
    await untilNobodyWaits();
    await guess(email, 1, '203.0.113.99');
    expect((await signIn(email, PASSWORD, ELSEWHERE)).status).toBe(201);
  });
});

it('spraying one password over many accounts ends for the network, and for no other', async () => {
  const victims = await Promise.all(Array.from({ length: 16 }, openAccount));
  const statuses: number[] = [];
  for (const { email } of victims) statuses.push((await signIn(email, 'Summer of 2026', ELSEWHERE)).status);
  expect(statuses).toEqual([...Array<number>(15).fill(401), 429]);
  expect((await signIn(victims[0]!.email, PASSWORD, ELSEWHERE)).status).toBe(429);
  expect((await signIn(victims[0]!.email, PASSWORD, HOME)).status).toBe(201);
});

it('only failures count: thirty right sign-ins at once are all let in', async () => {
  const { email } = await openAccount();
  const answers = await Promise.all(Array.from({ length: 30 }, () => signIn(email, PASSWORD, HOME)));
  expect(answers.map(({ status }) => status)).toEqual(Array(30).fill(201));
});

it('stores neither whom nor where it is about', async () => {
  const { email } = await openAccount();
  await guess(email, 4, HOME);
  const rows = await dataSource.query<{ row: string }[]>('SELECT f::text AS row FROM sign_in_failures f');
  const stored = rows.map(({ row }) => row).join('\n');
  for (const text of [email, HOME])
    for (const spelling of [text, Buffer.from(text).toString('hex')]) expect(stored).not.toContain(spelling);
  expect(rows).toHaveLength(3);
});

it('a flood is hashed two at a time, calls beside it are answered while it queues, and what is too much comes back', async () => {
  const { email } = await openAccount();
  const { accessToken } = await signIn(email, PASSWORD, HOME);
  const { computed } = service.app.get(Passwords);
  computed.mostRunning = 0;
  const before = computed.total;
  const flood = Promise.all(
    Array.from({ length: 140 }, (_, i) => signIn(`${randomUUID()}@example.com`, PASSWORD, `10.0.${i}.1`)),
  );
  for (let i = 0; i < 20; i++) {
    const { status } = await fetch(`${service.url}/notes`, { headers: { authorization: `Bearer ${accessToken}` } });
    expect(status).toBe(200);
  }
  // All twenty, one after the other, before the flood was half through.
  expect(computed.total - before).toBeLessThan(50);
  const answers = await flood;
  expect(computed.mostRunning).toBe(2);
  const turnedAway = answers.filter(({ status }) => status === 503);
  expect(turnedAway.length).toBeGreaterThan(0);
  for (const answer of turnedAway) expect(answer).toMatchObject({ code: 'OVERLOADED', retryAfterS: 2 });
  expect(answers.filter(({ status }) => status === 401)).toHaveLength(140 - turnedAway.length);
});
