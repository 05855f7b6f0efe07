import { exchange, smugglingAttacks } from '@cabstand/testing';
import type { RunningService } from '../src/index.ts';
import { createWorld, migrate, start, type World } from './fixture/running.ts';

let world: World;
let service: RunningService;

beforeAll(async () => {
  world = await createWorld();
  await migrate(world);
  service = await start(world);
});
afterAll(async () => {
  await service.stop();
  await world.drop();
});

test('two requests on one connection get two answers, which the attacks below must not', async () => {
  const one = 'GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n';
  expect((await exchange(service.url, one + one)).statuses).toEqual([404, 404]);
});

test.each(smugglingAttacks('/v1/notes'))('answers $name once, and hangs up', async ({ bytes, status }) => {
  const { statuses, text, closed } = await exchange(service.url, bytes);
  expect(statuses).toEqual([status]);
  expect(text).toMatch(/\r\ncontent-type: application\/problem\+json/i);
  expect(text).toContain('"code":"REQUEST_MALFORMED"');
  expect(closed).toBe(true);
});
