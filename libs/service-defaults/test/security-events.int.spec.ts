import { SecurityEvents, SecurityLog, type FloodKind } from '@cabstand/auth';
import { createTestIssuer, eventually, openMessages, type TestMessages } from '@cabstand/testing';
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import type { RunningService } from '../src/index.ts';
import { createWorld, migrate, start, type World } from './fixture/running.ts';

let world: World;
let service: RunningService;
let messages: TestMessages;
let database: pg.Client;

beforeAll(async () => {
  world = await createWorld();
  world.env.TRUSTED_ISSUERS = JSON.stringify([world.issuer.trustedIssuer('passenger', 'operator')]);
  world.env.LIMITS = 'local,sign-in=5/1h';
  world.env.TRUSTED_PROXIES = '127.0.0.1';
  await migrate(world);
  service = await start(world);
  messages = await openMessages(world.broker, 'passenger');
  database = new pg.Client({ connectionString: world.database.url });
  await database.connect();
});
afterAll(async () => {
  await service.stop();
  await messages.close();
  await database.end();
  await world.drop();
});

const events = () => service.app.get(SecurityEvents);
const told = (type: string) => messages.published.filter((event) => event.type === `security.${type}`);
/** The newest, as operators read it. */
async function listed(limit = 1): Promise<Record<string, unknown>[]> {
  const headers = { authorization: `Bearer ${await world.issuer.token('operator', 'reader')}` };
  const response = await call('GET', `/v1/ops/security-events?limit=${limit}`, headers);
  return ((await response.json()) as { items: Record<string, unknown>[] }).items;
}
const call = (method: string, path: string, headers: Record<string, string>) =>
  fetch(service.url + path, { method, headers });
const times = <T>(count: number, fn: (i: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, i) => fn(i)));

describe('a flood', () => {
  const impostor = createTestIssuer();
  const operator = randomUUID();
  const FLOODS: [kind: FloodKind, who: object, once: (i: number) => Promise<Response>, status: number][] = [
    [
      'token-rejected',
      { network: '192.0.2.1' },
      async (i) => {
        const token = await (await impostor).token('passenger', `somebody-${i}`);
        return call('GET', '/v1/notes', { authorization: `Bearer ${token}`, 'x-forwarded-for': '192.0.2.1' });
      },
      401,
    ],
    [
      'access-denied',
      { subject: operator },
      async () => {
        const token = await world.issuer.token('operator', operator);
        return call('GET', '/v1/notes', { authorization: `Bearer ${token}`, 'x-forwarded-for': '192.0.2.2' });
      },
      403,
    ],
    [
      'rate-limited',
      { network: '2001:db8:0:1::/64' },
      (i) => call('POST', '/v1/guesses', { 'x-forwarded-for': `2001:db8:0:1::${i}` }),
      429,
    ],
    [
      'login-failed',
      { network: '192.0.2.3' },
      () => call('POST', '/v1/wrong-guesses', { 'x-forwarded-for': '192.0.2.3' }),
      401,
    ],
  ];

  test.each(FLOODS)('of %s is one event, and meanwhile no row', async (kind, who, once, status) => {
    if (kind === 'rate-limited') await times(5, once);
    const answers = await times(60, once);
    expect(answers.map((answer) => answer.status)).toEqual(answers.map(() => status));
    const { rows } = await database.query('SELECT 1 FROM outbox');
    expect(rows).toEqual([]);

    await events().report();
    await eventually(() => expect(told(kind)).toHaveLength(1));
    const [{ subject, sequence, payload }] = told(kind) as [TestMessages['published'][number]];
    expect(payload).toMatchObject({ count: 60, ...who });
    expect(Date.parse(String(payload.until))).toBeGreaterThanOrEqual(Date.parse(String(payload.since)));
    // What brokers and their logs see says nothing of anybody.
    expect([subject, sequence]).toEqual([payload.reportId, 1]);
    expect(Object.keys(payload).sort()).toEqual(
      [...(status === 403 ? ['issuer', 'subject'] : ['network']), 'count', 'reportId', 'since', 'until'].sort(),
    );
    const { issuer = null, subject: whose = null } = payload as { issuer?: string; subject?: string };
    expect(await listed()).toMatchObject([{ type: `security.${kind}`, count: 60, issuer, subject: whose }]);
    await events().report();
    expect(told(kind)).toHaveLength(1);
  });
});

test('tells a note of somebody else from one that there is not', async () => {
  const before = told('access-denied').length;
  const subject = randomUUID();
  const authorization = `Bearer ${await world.issuer.token('passenger', subject)}`;
  const answers = await times(5, () => call('GET', '/v1/others-note', { authorization }));
  const unknown = await times(5, () => call('GET', `/v1/notes/${randomUUID()}`, { authorization }));
  expect([...answers, ...unknown].map(({ status }) => status)).toEqual(Array(10).fill(404));
  await events().report();
  await eventually(() => expect(told('access-denied')).toHaveLength(before + 1));
  expect(told('access-denied').at(-1)!.payload).toMatchObject({ subject, count: 5 });
});

test('of many sides costs no more than 51 events', async () => {
  const before = told('token-rejected').length;
  for (let i = 0; i < 5_000; i++) events().count('token-rejected', `10.${i >> 8}.${i & 255}.1`);
  await events().report();
  await eventually(() => expect(told('token-rejected')).toHaveLength(before + 51));
  const counts = told('token-rejected')
    .slice(before)
    .map(({ payload }) => payload);
  expect(counts.filter(({ network }) => network === undefined)).toEqual([expect.objectContaining({ count: 4_950 })]);
});

test('forgets the oldest of many, so that attackers fill no disk', async () => {
  await database.query(`INSERT INTO security_events (id, at, type, count)
    SELECT ('00000000-0000-7000-8000-' || lpad(i::text, 12, '0'))::uuid, now(), 'security.login-failed', i
    FROM generate_series(1, 10050) AS i`);
  const [newest] = await listed();
  await service.app.get(SecurityLog).prune();
  const { rows } = await database.query('SELECT count(*)::int FROM security_events');
  expect(rows).toEqual([{ count: 10_000 }]);
  expect(await listed()).toEqual([newest]);
});

test('is told later, when it cannot be written down now', async () => {
  const before = told('login-failed').length;
  await database.query('ALTER TABLE outbox RENAME TO out_of_order');
  for (let i = 0; i < 7; i++) events().count('login-failed', '192.0.2.9');
  await events().report();
  events().count('login-failed', '192.0.2.9');
  await database.query('ALTER TABLE out_of_order RENAME TO outbox');
  await events().report();
  await eventually(() => expect(told('login-failed')).toHaveLength(before + 1));
  expect(told('login-failed').at(-1)!.payload).toMatchObject({ network: '192.0.2.9', count: 8 });
});

test('counts in the metrics, by kind alone', async () => {
  const metrics = await (await fetch(`${service.managementUrl}/metrics`)).text();
  expect(metrics).toMatch(/^security_events_total\{kind="login-failed"[^}]*\} \d+$/m);
  expect(metrics).not.toMatch(/security_events_total\{[^}]*192\.0\.2/);
});
