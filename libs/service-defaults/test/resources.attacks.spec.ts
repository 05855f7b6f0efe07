import { eventually, exchange, resourceAttacks } from '@cabstand/testing';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { RunningService } from '../src/index.ts';
import { createWorld, migrate, start, type World } from './fixture/running.ts';

let world: World;
let service: RunningService;
let token: string;

beforeAll(async () => {
  world = await createWorld();
  world.env.STREAMS_PER_PRINCIPAL = '3';
  world.env.STREAMS_PER_REPLICA = '5';
  await migrate(world);
  service = await start(world);
  token = await world.issuer.token('passenger', crypto.randomUUID());
});
afterAll(async () => {
  await service.stop();
  await world.drop();
});

const read = (path = '/v1/notes', as = token, signal = AbortSignal.timeout(2_000)) =>
  fetch(service.url + path, { headers: { authorization: `Bearer ${as}` }, signal });

describe('somebody who sends', () => {
  // The table is made before there is a token.
  const attacks = resourceAttacks({ writePath: '/v1/notes', readPath: '/v1/notes', token: 'TOKEN' });
  test.each(attacks)(
    '$name is answered $status, and the next is served',
    async ({ bytes: [head = '', ...rest], status, says = '' }) => {
      const bytes = [head.replace('TOKEN', token), ...rest];
      const { statuses, text, closed } = await exchange(service.url, bytes, 5_000);
      expect(statuses).toEqual([status]);
      expect(closed).toBe(true);
      expect(text).toContain(says);
      if (status >= 400) expect(text).toMatch(/\r\ncontent-type: application\/problem\+json/i);
      expect((await read()).status).toBe(200);
      expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
    },
  );
});

test('300 connections that are slow on purpose are gone within 15 s, and hold up nobody', async () => {
  const { hostname, port } = new URL(service.url);
  const post = 'POST /v1/notes HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n';
  const kinds = [
    { opening: '', drip: '' },
    { opening: 'GET /v1/notes HTTP/1.1\r\nhost: a\r\n', drip: 'x: y\r\n' },
    { opening: `${post}authorization: Bearer ${token}\r\ncontent-length: 1000\r\n\r\n`, drip: ' ' },
    { opening: `${post}authorization: Bearer ${token}\r\ntransfer-encoding: chunked\r\n\r\n`, drip: '1\r\n \r\n' },
  ];
  const startedAtMs = Date.now();
  const drips: NodeJS.Timeout[] = [];
  const open = async (i: number) => {
    const { opening, drip } = kinds[i % kinds.length]!;
    const socket: Socket = connect({ host: hostname, port: Number(port) });
    socket.on('error', () => undefined).resume();
    await once(socket, 'connect');
    socket.write(opening);
    drips.push(setInterval(() => socket.writable && socket.write(drip), 1_000));
    await once(socket, 'close');
    return Date.now() - startedAtMs;
  };
  const gone = Promise.all(Array.from({ length: 300 }, (_, i) => open(i)));
  expect((await read()).status).toBe(200);
  const lastedMs = await gone;
  drips.forEach(clearInterval);
  expect(Math.max(...lastedMs)).toBeLessThan(15_000);
  // Slow is not the same as refused: they had time to be honest.
  expect(Math.min(...lastedMs)).toBeGreaterThan(4_000);
});

describe('streams', () => {
  const open = async (as: string) => {
    const leaving = new AbortController();
    const response = await read('/v1/notes/events', as, leaving.signal);
    return { status: response.status, response, leave: () => leaving.abort() };
  };
  const gauge = async () => {
    const metrics = await (await fetch(`${service.managementUrl}/metrics`)).text();
    return Number(/^http_server_open_streams\{.*\} (\d+)$/m.exec(metrics)?.[1]);
  };

  test('are limited by principal and by process, and counted', async () => {
    const mine = [await open(token), await open(token), await open(token)];
    expect(mine.map(({ status }) => status)).toEqual([200, 200, 200]);
    const fourth = await open(token);
    expect([fourth.status, fourth.response.headers.get('retry-after')]).toEqual([429, '5']);
    expect(await fourth.response.json()).toMatchObject({ code: 'RATE_LIMITED' });

    const other = await world.issuer.token('passenger', crypto.randomUUID());
    const theirs = [await open(other), await open(other)];
    expect(theirs.map(({ status }) => status)).toEqual([200, 200]);
    const full = await open(other);
    expect([full.status, full.response.headers.get('retry-after')]).toEqual([503, '5']);
    expect(await full.response.json()).toMatchObject({ code: 'OVERLOADED' });
    expect(await gauge()).toBe(5);

    mine[0]!.leave();
    await eventually(async () => {
      const again = await open(token);
      expect(again.status).toBe(200);
      mine.push(again);
    });
    for (const { leave } of [...mine, ...theirs]) leave();
    await eventually(async () => expect(await gauge()).toBe(0));
  });
});
