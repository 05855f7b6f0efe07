import { randomUUID } from 'node:crypto';
import { createTestBroker, createTestDatabase, type TestBroker, type TestDatabase } from '@cabstand/testing';
import type { DataSource } from 'typeorm';
import { Passwords } from '../src/index.ts';
import { openDatabase, startService, type TestedService } from './service.ts';

const PASSWORD = 'correct horse';
const PAGE = 'https://rides.example';
let database: TestDatabase;
let broker: TestBroker;
let dataSource: DataSource;
/** Its public URL is `https:`. */
let service: TestedService;
/** Without TLS, as everything runs on a desk. */
let plain: TestedService;
let passwordHash: string;

beforeAll(async () => {
  [database, broker] = await Promise.all([createTestDatabase('auth'), createTestBroker()]);
  dataSource = await openDatabase(database.url);
  const start = (issuer: string) =>
    startService({
      dataSource,
      amqpUrl: broker.urlFor('passenger'),
      sessions: { issuer, allowedOrigins: [PAGE] },
    });
  [service, plain] = await Promise.all([start('https://passenger.test'), start('http://passenger.test')]);
  passwordHash = await service.app.get(Passwords).hash(PASSWORD, 'nobody@example.com');
});

afterAll(async () => {
  await Promise.all([service.app.close(), plain.app.close()]);
  await dataSource.destroy();
  await Promise.all([database.drop(), broker.drop()]);
});

async function post(path: string, headers: Record<string, string | undefined>, body?: object, on = service) {
  const given = Object.entries({ ...headers, ...(body ? { 'content-type': 'application/json' } : {}) });
  const response = await fetch(`${on.url}/v1/sessions${path}`, {
    method: path === '/current' ? 'DELETE' : 'POST',
    headers: given.filter((entry): entry is [string, string] => entry[1] !== undefined),
    body: body ? JSON.stringify(body) : null,
  });
  const text = await response.text();
  const cookies = response.headers.getSetCookie();
  return {
    status: response.status,
    body: (text ? JSON.parse(text) : {}) as Record<string, string>,
    /** As the browser would send it back. */
    cookie: cookies[0]?.split(';')[0] ?? '',
    attributes: cookies.map((cookie) => cookie.split('; ').slice(1).sort()),
  };
}

async function openAccount() {
  const account = { id: randomUUID(), email: `${randomUUID()}@example.com` };
  await dataSource.query('INSERT INTO accounts VALUES ($1, $2, $3, false)', [account.id, account.email, passwordHash]);
  return account.email;
}
const signIn = async (headers: Record<string, string> = { 'session-mode': 'cookie' }, on = service) =>
  post('', headers, { email: await openAccount(), password: PASSWORD }, on);
const refresh = (cookie: string) => post('/refresh', { cookie, origin: PAGE });

it('is asked for at sign-in, and holds what the answer leaves out', async () => {
  const answer = await signIn();
  expect(answer.status).toBe(201);
  expect(Object.keys(answer.body).sort()).toEqual(['accessToken', 'expiresIn', 'tokenType']);
  expect(answer.cookie).toMatch(/^__Host-cabstand-passenger=[\w-]{43}$/);
  expect(answer.attributes).toEqual([['HttpOnly', 'Max-Age=3600', 'Path=/', 'SameSite=Strict', 'Secure']]);
});

it('without TLS has a plain name, and goes along to the sessions only', async () => {
  const answer = await signIn({ 'session-mode': 'cookie' }, plain);
  expect(answer.cookie).toMatch(/^cabstand-passenger=[\w-]{43}$/);
  expect(answer.attributes).toEqual([['HttpOnly', 'Max-Age=3600', 'Path=/v1/sessions', 'SameSite=Strict']]);
});

it('is not set for whoever does not ask', async () => {
  const answer = await signIn({});
  expect({ body: Object.keys(answer.body).length, cookie: answer.cookie }).toEqual({ body: 4, cookie: '' });
  const { refreshToken } = answer.body;
  expect(await post('/refresh', {}, { refreshToken })).toMatchObject({ status: 200, cookie: '', attributes: [] });
});

it('rotates with the rules of refresh tokens: one successor for a retry, and reuse ends the session', async () => {
  const { cookie } = await signIn();
  const [first, retry] = [await refresh(cookie), await refresh(cookie)];
  expect(first).toMatchObject({ status: 200, attributes: [expect.arrayContaining(['HttpOnly'])] });
  expect(first.body).not.toHaveProperty('refreshToken');
  expect(first.cookie).not.toBe(cookie);
  expect(retry.cookie).toBe(first.cookie);
  const second = await refresh(first.cookie);
  expect(await refresh(cookie)).toMatchObject({ status: 401, body: { code: 'REFRESH_TOKEN_INVALID' } });
  expect((await refresh(second.cookie)).status).toBe(401);
});

it('is cleared at sign-out', async () => {
  const { body, cookie } = await signIn();
  const answer = await post('/current', { cookie, authorization: `Bearer ${body.accessToken}` });
  expect(answer).toMatchObject({ status: 204, cookie: '__Host-cabstand-passenger=' });
  expect(answer.attributes).toEqual([['HttpOnly', 'Max-Age=0', 'Path=/', 'SameSite=Strict', 'Secure']]);
  expect((await refresh(cookie)).status).toBe(401);
});

describe('comes from the service’s own pages only', () => {
  it.each([
    ['a page that is configured', () => PAGE, 200],
    ['a page at the address that is asked', () => service.url.replace('http:', 'https:'), 200],
    ['a page there without TLS', () => service.url, 403],
    ['no page at all', () => undefined, 403],
    ['another site', () => 'https://evil.example', 403],
    ['another port', () => `${PAGE}:8443`, 403],
    ['a host that begins alike', () => `${PAGE}.evil.example`, 403],
    ['a page in a sandbox', () => 'null', 403],
  ])('refreshing for %s', async (_, origin, status) => {
    const { cookie } = await signIn();
    const answer = await post('/refresh', { cookie, origin: origin() });
    expect(answer.status).toBe(status);
    if (status === 403) expect(answer).toMatchObject({ body: { code: 'ORIGIN_FORBIDDEN' }, cookie: '' });
    // A refusal has not used the token up.
    if (status === 403) expect((await refresh(cookie)).status).toBe(200);
  });

  it('signing in too: nobody is signed in to an account of another site’s choice', async () => {
    const evil = { 'session-mode': 'cookie', origin: 'https://evil.example' };
    expect(await signIn(evil)).toMatchObject({ status: 403, body: { code: 'ORIGIN_FORBIDDEN' }, cookie: '' });
    expect((await signIn({ ...evil, origin: PAGE })).status).toBe(201);
  });
});

it.each([
  ['neither cookie nor body nor page', undefined, undefined, 400, 'REQUEST_INVALID'],
  ['no cookie', undefined, PAGE, 401, 'REFRESH_TOKEN_INVALID'],
  ['an empty cookie', '__Host-cabstand-passenger=', PAGE, 401, 'REFRESH_TOKEN_INVALID'],
  ['a made-up cookie', `__Host-cabstand-passenger=${'x'.repeat(43)}`, PAGE, 401, 'REFRESH_TOKEN_INVALID'],
])('refreshing with %s', async (_, cookie, origin, status, code) => {
  expect(await post('/refresh', { cookie, origin })).toMatchObject({ status, body: { code } });
});

it.each([
  ['planted beside the real one', (real: string) => `${real}; __Host-cabstand-passenger=planted`],
  ['under the name without TLS', (real: string) => real.replace('__Host-', '')],
  ['of the other service', (real: string) => real.replace('passenger', 'driver')],
])('a cookie %s is none', async (_, change) => {
  const { cookie } = await signIn();
  expect(await refresh(change(cookie))).toMatchObject({ status: 401, body: { code: 'REFRESH_TOKEN_INVALID' } });
});

it('a mode that is unknown is refused', async () => {
  expect(await signIn({ 'session-mode': 'cookies' })).toMatchObject({
    status: 400,
    body: { code: 'REQUEST_INVALID' },
  });
});
