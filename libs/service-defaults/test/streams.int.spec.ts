import { RevokedSessions } from '@cabstand/auth';
import { Transactions } from '@cabstand/messaging';
import { eventually } from '@cabstand/testing';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { DataSource } from 'typeorm';
import type { RunningService } from '../src/index.ts';
import { outside } from './fixture/notes.app.ts';
import { createWorld, migrate, start, type World } from './fixture/running.ts';

let world: World;
let service: RunningService;
let token: string;
const opened: IncomingMessage[] = [];

beforeAll(async () => {
  world = await createWorld();
  await migrate(world);
  service = await start(world, { streams: { heartbeatMs: 50, pollMs: 60_000, stalledMs: 500, revocationCheckMs: 50 } });
  token = await world.issuer.token('passenger', crypto.randomUUID());
});
afterAll(async () => {
  await service.stop();
  await world.drop();
});
beforeEach(async () => {
  outside.allowed = true;
  await service.app.get(DataSource).query('TRUNCATE notes RESTART IDENTITY');
});
afterEach(() => opened.splice(0).forEach((response) => response.destroy()));

interface Stream {
  response: IncomingMessage;
  text(): string;
  ids(): string[];
  ended: Promise<unknown>;
}

async function open(headers: Record<string, string> = {}, as = token): Promise<Stream> {
  const request = get(`${service.url}/v1/notes/events`, { headers: { authorization: `Bearer ${as}`, ...headers } });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  opened.push(response);
  let text = '';
  response.on('data', (chunk) => (text += String(chunk))).on('error', () => undefined);
  const ids = () => [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => id!);
  return { response, text: () => text, ids, ended: new Promise((resolve) => response.on('close', resolve)) };
}

async function note(text: string): Promise<void> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  expect(
    (await fetch(`${service.url}/v1/notes`, { method: 'POST', headers, body: JSON.stringify({ text }) })).status,
  ).toBe(201);
  outside.bus.emit('wake');
}

test('sends what there is, then what comes, with ids, and beats in between', async () => {
  await note('one');
  const stream = await open();
  expect(stream.response.headers).toMatchObject({
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  await note('two');
  await eventually(() => expect(stream.ids()).toEqual(['1', '2']));
  expect(stream.text()).toMatch(/^retry: \d+\n\nid: 1\nevent: note\ndata: \{"text":"one"\}\n\n/);
  await eventually(() => expect(stream.text()).toMatch(/: \n\n: \n\n$/));
});

test('resumes after Last-Event-ID, and takes nonsense for a first visit', async () => {
  for (const text of ['one', 'two', 'three']) await note(text);
  const resumed = await open({ 'last-event-id': '2' });
  const fresh = await open({ 'last-event-id': "1'; DROP TABLE notes" });
  await eventually(() => expect(fresh.ids()).toEqual(['1', '2', '3']));
  await eventually(() => expect(resumed.ids()).toEqual(['3']));
});

test('sends pushed events without an id, the latest of each kind', async () => {
  const stream = await open();
  for (const lat of [1, 2, 3]) outside.bus.emit('push', { event: 'moved', data: { lat } });
  await eventually(() => expect(stream.text()).toContain('event: moved\ndata: {"lat":3}'));
  expect(stream.text()).not.toContain('"lat":1');
  expect(stream.ids()).toEqual([]);
});

test('asks the policy before each event', async () => {
  const stream = await open();
  await note('before');
  await eventually(() => expect(stream.ids()).toEqual(['1']));
  outside.allowed = false;
  await note('after');
  await stream.ended;
  expect(stream.ids()).toEqual(['1']);
  expect(stream.text()).toMatch(/retry: \d+\n\n$/);
});

test('ends when the token does', async () => {
  const until = Math.ceil(Date.now() / 1_000) + 1;
  const stream = await open({}, await world.issuer.token('passenger', crypto.randomUUID(), { exp: until }));
  await stream.ended;
  expect(Date.now() / 1_000).toBeGreaterThanOrEqual(until - 0.1);
  expect(Date.now() / 1_000).toBeLessThan(until + 2);
});

test('ends when the session is revoked', async () => {
  const sessionId = crypto.randomUUID();
  const stream = await open({}, await world.issuer.token('passenger', crypto.randomUUID(), { sid: sessionId }));
  const other = await open();
  await service.app
    .get(Transactions)
    .run((tx) =>
      service.app
        .get(RevokedSessions)
        .add(tx, { issuer: world.issuer.issuer, sessionId, expiresAt: new Date(Date.now() + 60_000) }),
    );
  await stream.ended;
  expect(other.response.closed).toBe(false);
});

test('holds next to nothing for a reader that takes nothing, and cuts it off', async () => {
  const stream = await open();
  stream.response.pause();
  const filler = 'x'.repeat(100_000);
  const heapBefore = process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed;
  let pushes = 0;
  const flood = setInterval(() => {
    for (let i = 0; i < 50; i++) outside.bus.emit('push', { event: 'moved', data: { n: pushes++, filler } });
  }, 1);
  await eventually(() => expect(outside.bus.listenerCount('push')).toBe(0));
  clearInterval(flood);
  expect(pushes).toBeGreaterThan(200);
  const grown = process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed - heapBefore;
  expect(grown).toBeLessThan(100 * 1024 * 1024);
});

test('lets go of a client that has left', async () => {
  const stream = await open();
  await eventually(() => expect(outside.bus.listenerCount('wake')).toBe(1));
  stream.response.destroy();
  await eventually(() => expect(outside.bus.listenerCount('wake')).toBe(0));
});

test('ends streams when it drains, and takes no more', async () => {
  const own = await start(world);
  const headers = { authorization: `Bearer ${token}` };
  const stream = await fetch(`${own.url}/v1/notes/events`, { headers });
  const stopped = own.stop();
  expect(await stream.text()).toMatch(/retry: \d+\n\n$/);
  await stopped;
  expect(outside.bus.listenerCount('wake')).toBe(0);
});
