import { eventually } from '@cabstand/testing';
import pg from 'pg';
import type { RunningService } from '../src/index.ts';
import { outside } from './fixture/notes.app.ts';
import { createWorld, migrate, start, type World } from './fixture/running.ts';

let world: World;
let service: RunningService;
let token: string;
let database: pg.Client;

beforeAll(async () => {
  world = await createWorld();
  await migrate(world);
  service = await start(world);
  token = await world.issuer.token('passenger', crypto.randomUUID());
  database = new pg.Client(world.database.url);
  await database.connect();
});
afterAll(async () => {
  await service.stop();
  await database.end();
  await world.drop();
});
beforeEach(() => database.query('TRUNCATE notes, idempotency_keys'));

const post = (key: string | undefined, body: object, { path = '/v1/notes', as = token } = {}) =>
  fetch(service.url + path, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${as}`,
      'content-type': 'application/json',
      ...(key === undefined ? {} : { 'idempotency-key': key }),
    },
    body: JSON.stringify(body),
  });
const codeOf = async (response: Response) => [response.status, ((await response.json()) as { code: string }).code];
const texts = async () =>
  (await database.query<{ text: string }>('SELECT text FROM notes ORDER BY seq')).rows.map(({ text }) => text);

test('gives the first answer again, and has no second effect', async () => {
  const first = await post('k1', { text: 'one' });
  const second = await post('k1', { text: 'one' });
  expect([first.status, second.status]).toEqual([201, 201]);
  expect(await second.text()).toBe(await first.text());
  expect(await texts()).toEqual(['one']);
});

test('keeps the answer sealed, and bound to its key', async () => {
  const answer = await (await post('k1', { text: 'canary' })).text();
  await post('k2', { text: 'canary' });
  const { rows } = await database.query<{ body: Buffer }>('SELECT body FROM idempotency_keys');
  for (const { body } of rows) expect(body.toString('latin1')).not.toContain('canary');
  const swap = 'UPDATE idempotency_keys SET body = $1 WHERE body = $2';
  await database.query(swap, [rows[0]!.body, rows[1]!.body]);
  const [first, second] = [await post('k1', { text: 'canary' }), await post('k2', { text: 'canary' })];
  expect([first.status, second.status].toSorted()).toEqual([201, 500]);
  expect(await second.text()).not.toContain(answer);
});

test('repeats the status that the route answers', async () => {
  await post('k1', { text: 'one' }, { path: '/v1/open-notes' });
  expect((await post('k1', { text: 'one' }, { path: '/v1/open-notes' })).status).toBe(202);
});

test('refuses the key with another body, and on another route', async () => {
  await post('k1', { text: 'one' });
  expect(await codeOf(await post('k1', { text: 'two' }))).toEqual([422, 'IDEMPOTENCY_KEY_REUSED']);
  expect(await codeOf(await post('k1', { text: 'one' }, { path: '/v1/notes?again=1' }))).toEqual([
    422,
    'IDEMPOTENCY_KEY_REUSED',
  ]);
  expect(await texts()).toEqual(['one']);
});

test('keeps nothing that a password in the body could be guessed by', async () => {
  const key = crypto.randomUUID();
  for (const other of [key, crypto.randomUUID()]) await post(other, { text: 'secret' });
  const { rows } = await database.query<{ key: string; request_hash: Buffer }>('SELECT * FROM idempotency_keys');
  expect(JSON.stringify(rows)).not.toContain(key);
  expect(new Set(rows.map((row) => row.request_hash.toString('hex'))).size).toBe(2);
});

test('keeps the keys of one person from another’s', async () => {
  const other = await world.issuer.token('passenger', crypto.randomUUID());
  const mine = await post('k1', { text: 'mine' });
  const theirs = await post('k1', { text: 'theirs' }, { as: other });
  expect([mine.status, theirs.status]).toEqual([201, 201]);
  expect(await texts()).toEqual(['mine', 'theirs']);
});

test.each([
  ['empty', ''],
  ['too long', 'k'.repeat(256)],
  ['not printable', 'a\tb'],
])('refuses a key that is %s', async (_case, key) => {
  expect(await codeOf(await post(key, { text: 'one' }))).toEqual([400, 'REQUEST_INVALID']);
});

test('runs one of 8 at once; the others are told to wait, and then get its answer', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  outside.gate = promise;
  const statuses: number[] = [];
  const all = Array.from({ length: 8 }, async () => {
    const response = await post('k1', { text: 'wait' });
    statuses.push(response.status);
    return response;
  });
  await eventually(() => expect(statuses).toEqual(Array(7).fill(409)));
  resolve();
  const answers = await Promise.all(all);
  const first = answers.find(({ status }) => status === 201);
  const again = await post('k1', { text: 'wait' });
  expect(await again.json()).toEqual(await first?.json());
  expect(await texts()).toEqual(['wait']);
});

test('does not keep refusals', async () => {
  expect(await codeOf(await post('k1', { text: 'refuse' }))).toEqual([409, 'EMAIL_TAKEN']);
  expect((await database.query('SELECT FROM idempotency_keys')).rowCount).toBe(0);
  expect(await codeOf(await post('k1', { text: 'refuse' }))).toEqual([409, 'EMAIL_TAKEN']);
  expect(await texts()).toEqual([]);
});

test('keeps neither effect nor answer when the connection is lost between them', async () => {
  expect((await codeOf(await post('k1', { text: 'crash' })))[0]).toBe(503);
  expect(await texts()).toEqual([]);
  expect((await database.query('SELECT FROM idempotency_keys')).rowCount).toBe(0);
  // Nothing is held any longer.
  expect((await post('k1', { text: 'fine' })).status).toBe(201);
});

test('forgets after 24 hours', async () => {
  await post('k1', { text: 'one' });
  await database.query("UPDATE idempotency_keys SET created_at = now() - interval '25 hours'");
  expect((await post('k1', { text: 'two' })).status).toBe(201);
  expect((await post('k1', { text: 'two' })).status).toBe(201);
  expect(await texts()).toEqual(['one', 'two']);
});

test('does nothing without a key', async () => {
  await post(undefined, { text: 'one' });
  await post(undefined, { text: 'one' });
  expect(await texts()).toEqual(['one', 'one']);
});
