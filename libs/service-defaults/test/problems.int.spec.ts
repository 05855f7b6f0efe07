import { connect } from 'node:net';
import type { RunningService } from '../src/index.ts';
import { createWorld, migrate, start, type World } from './fixture/running.ts';

let world: World;
let service: RunningService;
let token: string;

beforeAll(async () => {
  world = await createWorld();
  await migrate(world);
  service = await start(world);
  token = await world.issuer.token('passenger', crypto.randomUUID());
});
afterAll(async () => {
  await service.stop();
  await world.drop();
});

const JSON_HEADERS = { 'content-type': 'application/json' };
const post = (body: string, headers: Record<string, string> = JSON_HEADERS) =>
  fetch(`${service.url}/v1/notes`, { method: 'POST', headers: { authorization: `Bearer ${token}`, ...headers }, body });
const get = (path: string, headers: Record<string, string> = {}) =>
  fetch(service.url + path, { headers: { authorization: `Bearer ${token}`, ...headers } });

async function refusal(response: Response) {
  expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  const problem = (await response.json()) as Record<string, unknown>;
  expect(problem).toMatchObject({
    type: expect.stringMatching(/^urn:/),
    title: expect.any(String),
    detail: expect.any(String),
  });
  expect(problem.status).toBe(response.status);
  expect(problem.traceId).toMatch(/^[0-9a-f]{32}$/);
  return [response.status, problem.code, problem.errors] as const;
}

test.each([
  ['malformed JSON', '{"text": ', JSON_HEADERS, 400, 'REQUEST_MALFORMED'],
  ['NaN', '{"text": NaN}', JSON_HEADERS, 400, 'REQUEST_MALFORMED'],
  ['a prototype', '{"text": "a", "__proto__": {"admin": true}}', JSON_HEADERS, 400, 'REQUEST_MALFORMED'],
  ['a constructor', '{"text": "a", "constructor": "b"}', JSON_HEADERS, 400, 'REQUEST_INVALID'],
  ['an empty body', '', JSON_HEADERS, 400, 'REQUEST_INVALID'],
  ['a list', '[]', JSON_HEADERS, 400, 'REQUEST_INVALID'],
  ['null', 'null', JSON_HEADERS, 400, 'REQUEST_INVALID'],
  ['a megabyte', JSON.stringify({ text: 'x'.repeat(1_000_000) }), JSON_HEADERS, 413, 'BODY_TOO_LARGE'],
  ['plain text', 'text=a', { 'content-type': 'text/plain' }, 415, 'MEDIA_TYPE_UNSUPPORTED'],
  ['a form', 'text=a', { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'MEDIA_TYPE_UNSUPPORTED'],
  ['deep nesting', '['.repeat(100_000) + ']'.repeat(100_000), JSON_HEADERS, 400, 'REQUEST_INVALID'],
  [
    'deep nesting with escapes',
    `{"\\u0061":${'['.repeat(100_000)}1${']'.repeat(100_000)}}`,
    JSON_HEADERS,
    400,
    'REQUEST_INVALID',
  ],
])('answers %s as a problem', async (_case, body, headers, status, code) => {
  expect((await refusal(await post(body, headers))).slice(0, 2)).toEqual([status, code]);
});

test('refuses what is nested deeper than anything that is taken, before it is parsed', async () => {
  const [, , errors] = await refusal(await post(`{"text":${'['.repeat(20)}${']'.repeat(20)}}`));
  expect(errors).toEqual([{ path: '', message: 'is nested deeper than 20 levels' }]);
  const [, , shallow] = await refusal(await post(`{"text":${'['.repeat(19)}${']'.repeat(19)}}`));
  expect(shallow).toEqual([{ path: 'text', message: expect.any(String) }]);
});

test('refuses bytes that are no UTF-8, rather than to replace them', async () => {
  const body = Buffer.from('{"text":"\xff\xfe"}', 'latin1');
  const answer = await fetch(`${service.url}/v1/notes`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, ...JSON_HEADERS },
    body,
  });
  expect((await refusal(answer)).slice(0, 2)).toEqual([400, 'REQUEST_MALFORMED']);
});

test('names each field that is wrong, and no value', async () => {
  const [status, code, errors] = await refusal(await post('{"text":"","stars":9,"secret":"hunter2"}'));
  expect([status, code]).toEqual([400, 'REQUEST_INVALID']);
  expect(errors).toEqual([
    { path: 'text', message: expect.any(String) },
    { path: 'stars', message: expect.any(String) },
    { path: 'secret', message: 'is not a known field' },
  ]);
  expect(JSON.stringify(errors)).not.toContain('hunter2');
  const [, , ofPath] = await refusal(await get('/v1/notes/not-a-uuid'));
  expect(ofPath).toEqual([{ path: 'id', message: expect.any(String) }]);
});

test('refuses characters that PostgreSQL cannot store, wherever they are', async () => {
  const invalid = [400, 'REQUEST_INVALID'];
  const [, , errors] = await refusal(await post('{"text":"a\\u0000b"}'));
  expect(errors).toEqual([{ path: 'text', message: 'holds a character that cannot be stored' }]);
  expect((await refusal(await post('{"text":"a\\ud800b"}'))).slice(0, 2)).toEqual(invalid);
  expect((await refusal(await get('/v1/notes?cursor=%00'))).slice(0, 2)).toEqual(invalid);
  expect((await refusal(await get('/v1/notes/%00'))).slice(0, 2)).toEqual(invalid);
  const spoken = await post('{"text":"caf\\u00e9 \\ud83d\\ude95 \\\\u0000"}');
  expect(await spoken.json()).toMatchObject({ text: 'café 🚕 \\u0000' });
});

test('refuses a body where none is taken, and one that says nothing is none', async () => {
  const end = (body: string, headers = JSON_HEADERS) =>
    fetch(`${service.url}/v1/notes/last`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${token}`, ...headers },
      body,
    });
  const [status, code, errors] = await refusal(await end('{"reason":"old"}'));
  expect([status, code, errors]).toEqual([
    400,
    'REQUEST_INVALID',
    [{ path: 'reason', message: 'is not a known field' }],
  ]);
  expect((await refusal(await end('["a"]'))).slice(0, 2)).toEqual([400, 'REQUEST_INVALID']);
  for (const nothing of ['', '{}', 'null']) expect((await end(nothing)).status).toBe(204);
});

test.each([
  ['/nowhere', 404, 'NOT_FOUND'],
  ['/v1/notes/not-a-uuid', 400, 'REQUEST_INVALID'],
  [`/v1/notes/${crypto.randomUUID()}`, 404, 'NOT_FOUND'],
  ['/v1/notes?limit=1000', 400, 'REQUEST_INVALID'],
  ['/v1/notes?unknown=1', 400, 'REQUEST_INVALID'],
  ['/v1/notes?cursor=bm9uc2Vuc2U', 400, 'REQUEST_INVALID'],
  ['/v1/%zz', 400, 'REQUEST_MALFORMED'],
  ['/v1/broken', 500, 'INTERNAL'],
])('answers GET %s with %d %s', async (path, status, code) => {
  expect((await refusal(await get(path))).slice(0, 2)).toEqual([status, code]);
});

test('says with every 503 when to try again', async () => {
  const busy = await get('/v1/busy');
  expect(busy.headers.get('retry-after')).toBe('2');
  expect((await refusal(busy)).slice(0, 2)).toEqual([503, 'OVERLOADED']);
});

test('says nothing of what went wrong inside', async () => {
  expect(await (await get('/v1/broken')).text()).not.toMatch(/secret|stack|Error/);
});

test.each([
  ['headers without end', `GET /v1/notes HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`, 431],
  ['a body length that is no number', 'POST /v1/notes HTTP/1.1\r\nhost: a\r\ncontent-length: lots\r\n\r\n', 400],
  [
    'two body lengths',
    'POST /v1/notes HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n',
    400,
  ],
  ['no HTTP at all', 'hello\r\n\r\n', 400],
])('answers %s as a problem', async (_case, sent, status) => {
  const answer = await raw(sent);
  expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  expect(answer).toContain('content-type: application/problem+json');
  expect(JSON.parse(answer.split('\r\n\r\n')[1]!)).toMatchObject({ status, code: 'REQUEST_MALFORMED' });
});

function raw(sent: string): Promise<string> {
  const { port, hostname } = new URL(service.url);
  const socket = connect(Number(port), hostname);
  let answer = '';
  socket.on('data', (chunk) => (answer += chunk.toString())).on('error', () => undefined);
  socket.write(sent);
  return new Promise((resolve) => socket.on('close', () => resolve(answer)));
}

test('continues the caller’s trace, and tells its id', async () => {
  const traceId = 'a1'.repeat(16);
  const response = await get('/v1/notes/not-a-uuid', { traceparent: `00-${traceId}-${'b2'.repeat(8)}-01` });
  expect(await response.json()).toMatchObject({ traceId });
  const bad = (await (await get('/nowhere', { traceparent: `00-${'0'.repeat(32)}-${'b2'.repeat(8)}-01` })).json()) as {
    traceId: string;
  };
  expect(bad.traceId).not.toBe('0'.repeat(32));
});

test('pages through a list', async () => {
  for (const text of ['one', 'two', 'three']) await post(JSON.stringify({ text }));
  const texts: string[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const response = await get(`/v1/notes?limit=2${cursor && `&cursor=${cursor}`}`);
    const list = (await response.json()) as { items: { text: string }[]; nextCursor: string | null };
    expect(list.items.length).toBeGreaterThan(0);
    texts.push(...list.items.map(({ text }) => text));
    cursor = list.nextCursor;
  }
  expect(texts.slice(-3)).toEqual(['one', 'two', 'three']);
});

test('describes itself in OpenAPI 3.1, refusals too, with a page that needs no network', async () => {
  const document = (await (await fetch(`${service.url}/openapi.json`)).json()) as {
    openapi: string;
    paths: Record<
      string,
      Record<
        string,
        { security?: unknown; parameters: { name: string }[]; responses: Record<string, { description: string }> }
      >
    >;
  };
  expect(document.openapi).toBe('3.1.0');
  const create = document.paths['/v1/notes']!.post!;
  expect(create.security).toEqual([{ bearer: [] }]);
  expect(create.parameters.map(({ name }) => name)).toEqual(['Idempotency-Key']);
  expect(Object.keys(create.responses)).toEqual([
    '201',
    '400',
    '401',
    '403',
    '404',
    '409',
    '413',
    '415',
    '422',
    '429',
    '500',
    '503',
  ]);
  expect(create.responses['409']!.description.split(', ').sort()).toEqual(['EMAIL_TAKEN', 'IDEMPOTENCY_IN_FLIGHT']);
  expect(document.paths['/v1/slow']!.get!.security).toBeUndefined();
  // What every body may be refused for, also where none is taken.
  expect(Object.keys(document.paths['/v1/notes/last']!.delete!.responses)).toEqual(
    expect.arrayContaining(['400', '413', '415']),
  );

  const html = await (await fetch(`${service.url}/docs`)).text();
  for (const [, asset] of html.matchAll(/(?:src|href)="([^"]+)"/g)) {
    expect(asset).toMatch(/^\//);
    expect((await fetch(service.url + asset)).status).toBe(200);
  }
});

test('measures requests by route pattern', async () => {
  await get(`/v1/notes/${crypto.randomUUID()}`);
  const metrics = await (await fetch(`${service.managementUrl}/metrics`)).text();
  expect(metrics).toMatch(/http_server_request_duration_count\{[^}]*http_route="\/v1\/notes\/:id"/);
  expect(metrics).toMatch(/nodejs_eventloop_delay_p99/);
  expect(metrics).toMatch(/v8js_memory_heap_used/);
  expect(metrics).toMatch(/process_memory_usage/);
});
