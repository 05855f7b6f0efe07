import { request as plainRequest } from 'node:http';
import type { RunningService } from '../src/index.ts';
import { createWorld, migrate, start, type World } from './fixture/running.ts';

const PAGE = 'https://app.example.com';

let world: World;
let service: RunningService;
let token: string;

beforeAll(async () => {
  world = await createWorld();
  world.env.WEB_ORIGINS = `${PAGE},http://localhost:4200`;
  world.env.TRUSTED_PROXIES = '127.0.0.1';
  await migrate(world);
  service = await start(world);
  token = await world.issuer.token('passenger', crypto.randomUUID());
});
afterAll(async () => {
  await service.stop();
  await world.drop();
});

/** What fetch() doesn't let anybody say: Origin, and methods of CORS itself. */
function call(method: string, path: string, headers: Record<string, string> = {}) {
  return new Promise<{ status: number; headers: Record<string, string> }>((resolve, reject) => {
    const sent = plainRequest(service.url + path, { method, headers, agent: false }, (answer) => {
      resolve({ status: answer.statusCode!, headers: answer.headers as Record<string, string> });
      answer.destroy();
    });
    sent.on('error', reject).end();
  });
}
const me = () => ({ authorization: `Bearer ${token}` });

describe('every answer', () => {
  test.each([
    ['a list', 'GET', '/v1/notes', 200],
    ['a stream', 'GET', '/v1/notes/events', 200],
    ['a refusal', 'GET', '/v1/notes/not-a-uuid', 400],
    ['an unknown path', 'GET', '/nowhere', 404],
    ['an unreadable path', 'GET', '/v1/%zz', 400],
    ['an unknown method', 'TRACE', '/v1/notes', 404],
    ['a failure of ours', 'GET', '/v1/broken', 500],
    ['the document', 'GET', '/openapi.json', 200],
  ])('tells browsers what not to do with it: %s', async (_case, method, path, status) => {
    const answer = await call(method, path, me());
    expect(answer.status).toBe(status);
    expect(answer.headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'cache-control': 'no-store',
      vary: 'origin',
    });
    for (const name of ['server', 'x-powered-by', 'access-control-allow-origin', 'strict-transport-security'])
      expect(answer.headers).not.toHaveProperty(name);
  });

  test('lets nobody frame the page of the API either, which may run its own scripts', async () => {
    const { headers } = await call('GET', '/docs');
    expect(headers['content-security-policy']).toMatch(/^default-src 'self';.*frame-ancestors 'none'$/);
  });

  test('asks for TLS in future where it was used', async () => {
    const { headers } = await call('GET', '/v1/notes', { ...me(), 'x-forwarded-proto': 'https' });
    expect(headers['strict-transport-security']).toBe('max-age=63072000; includeSubDomains');
  });
});

describe('pages of other origins', () => {
  const preflight = (origin: string) =>
    call('OPTIONS', '/v1/notes', {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type',
    });

  test('that are known may call', async () => {
    const asked = await preflight(PAGE);
    expect(asked.status).toBe(204);
    expect(asked.headers).toMatchObject({
      'access-control-allow-origin': PAGE,
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
      'access-control-max-age': '600',
      vary: 'origin',
    });
    for (const name of [
      'authorization',
      'content-type',
      'idempotency-key',
      'last-event-id',
      'access-reason',
      'session-mode',
    ])
      expect(asked.headers['access-control-allow-headers']!.split(', ')).toContain(name);
    for (const path of ['/v1/notes', '/v1/notes/events', '/v1/notes/not-a-uuid']) {
      const { headers } = await call('GET', path, { ...me(), origin: PAGE });
      expect(headers['access-control-allow-origin']).toBe(PAGE);
      expect(headers['access-control-expose-headers']).toBe('retry-after, ratelimit, ratelimit-policy');
    }
  });

  test.each([
    'https://evil.example.com',
    'https://app.example.com.evil.example',
    'https://app.example.com:8443',
    'http://app.example.com',
    'https://APP.example.com',
    'https://app.example.com/',
    'null',
    '*',
    '',
  ])('may not, from %p', async (origin) => {
    const asked = await preflight(origin);
    const called = await call('GET', '/v1/notes', { ...me(), origin });
    expect(asked.status).toBe(404);
    for (const { headers } of [asked, called])
      expect(Object.keys(headers).filter((name) => name.startsWith('access-control-'))).toEqual([]);
  });
});
