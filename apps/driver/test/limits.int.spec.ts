import { randomUUIDv7 } from 'node:crypto';
import { startPlatform, type Person, type Platform } from './harness.ts';

let platform: Platform;
beforeAll(async () => {
  platform = await startPlatform({ LIMITS: 'production', TRUSTED_PROXIES: '127.0.0.1' }, 2);
});
afterAll(() => platform.stop());

const driver = async (): Promise<Person> => {
  const id = randomUUIDv7();
  return { id, token: await platform.issuer.token('driver', id) };
};
/** How many of so many calls, half of them at each replica, were not refused for being too many. */
async function allowedOf(calls: number, method: string, path: string, options: { as?: Person; from?: string }) {
  const { as, from = '192.0.2.1' } = options;
  const statuses: number[] = [];
  const caller = async (replica: number) => {
    for (let i = 0; i < calls / 20; i++) {
      const body = method === 'POST' ? {} : undefined;
      const answer = await platform.call(method, path, { as, body, replica, headers: { 'x-forwarded-for': from } });
      statuses.push(answer.status);
      if (answer.status === 429) {
        expect(answer.body.code).toBe('RATE_LIMITED');
        expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
        expect(answer.headers.get('ratelimit-policy')).toMatch(/^"[a-z-]+";q=\d+;w=\d+$/);
        expect(answer.headers.get('ratelimit')).toMatch(/^"[a-z-]+";r=0;t=\d+$/);
      }
    }
  };
  await Promise.all(Array.from({ length: 20 }, (_, i) => caller(i % 2)));
  return statuses.filter((status) => status !== 429).length;
}

/** What production allows, and what a replica may not have heard of in time. A window may end meanwhile. */
it.each([
  ['registering', 'POST', '/v1/drivers', { from: '192.0.2.2' }, 30, 60],
  ['signing in', 'POST', '/v1/sessions', { from: '192.0.2.3' }, 60, 120],
  ['changing a password', 'PUT', '/v1/drivers/me/password', { as: driver }, 10, 20],
  ['exporting', 'GET', '/v1/drivers/me/export', { as: driver }, 10, 40],
  ['posting positions', 'POST', '/v1/drivers/me/positions', { as: driver }, 180, 720],
  ['changing things', 'POST', `/v1/offers/${randomUUIDv7()}/decline`, { as: driver }, 120, 480],
  ['opening streams', 'GET', '/v1/drivers/me/events', { as: driver }, 60, 240],
] as const)('production limits %s', async (_case, method, path, who, least, most) => {
  const as = 'as' in who ? await who.as() : undefined;
  const from = 'from' in who ? who.from : undefined;
  const allowed = await allowedOf(most + 20, method, path, { ...(as && { as }), ...(from && { from }) });
  expect(allowed).toBeGreaterThanOrEqual(least);
  expect(allowed).toBeLessThanOrEqual(most);
});

it('production lets a driver report once a second, whatever others at that address do', async () => {
  const busy = await driver();
  expect(await allowedOf(400, 'GET', '/v1/drivers/me/events', { as: busy })).toBeLessThan(400);
  expect(await allowedOf(60, 'POST', '/v1/drivers/me/positions', { as: await driver() })).toBe(60);
  expect(await allowedOf(60, 'POST', '/v1/drivers/me/positions', { as: busy })).toBe(60);
});
