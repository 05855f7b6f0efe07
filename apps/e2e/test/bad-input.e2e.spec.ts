import { SERVICES, type ServiceName } from '@cabstand/contracts';
import { createTestIssuer } from '@cabstand/testing';
import { acceptedTrip, newDriver, newPassenger, driverProfile, profile } from '../src/people.ts';
import { danglingReferences, documentOf, operationsOf, type Operation } from '../src/openapi.ts';
import { freshPlace } from '../src/places.ts';
import { Platform } from '../src/platform.ts';
import { expectProblem, send, sendJson } from '../src/requests.ts';
import { runToEnd } from '../src/service-process.ts';

let platform: Platform;
let tokens: Record<'passenger' | 'driver' | 'operator', string>;
beforeAll(async () => {
  platform = await Platform.start();
  const [passenger, driver] = await Promise.all([newPassenger(platform.urls), newDriver(platform.urls)]);
  tokens = {
    passenger: await passenger.api.session.token(),
    driver: await driver.api.session.token(),
    operator: await platform.operatorToken(),
  };
});
afterAll(() => platform?.stop());

/** The table of platform.md. */
const OPERATIONS: Record<ServiceName, string[]> = {
  passenger: [
    'POST /v1/passengers',
    'POST /v1/sessions',
    'POST /v1/sessions/refresh',
    'DELETE /v1/sessions/current',
    'GET /v1/passengers/me',
    'PATCH /v1/passengers/me',
    'DELETE /v1/passengers/me',
    'PUT /v1/passengers/me/password',
    'GET /v1/passengers/me/export',
    'POST /v1/passengers/{id}/suspend',
    'POST /v1/passengers/{id}/reinstate',
    'GET /.well-known/jwks.json',
  ],
  driver: [
    'POST /v1/drivers',
    'POST /v1/sessions',
    'POST /v1/sessions/refresh',
    'DELETE /v1/sessions/current',
    'GET /v1/drivers/me',
    'PATCH /v1/drivers/me',
    'DELETE /v1/drivers/me',
    'PUT /v1/drivers/me/password',
    'GET /v1/drivers/me/export',
    'POST /v1/drivers/{id}/suspend',
    'POST /v1/drivers/{id}/reinstate',
    'PUT /v1/drivers/me/availability',
    'POST /v1/drivers/me/positions',
    'GET /v1/drivers/me/offer',
    'GET /v1/drivers/me/events',
    'POST /v1/offers/{offerId}/accept',
    'POST /v1/offers/{offerId}/decline',
    'GET /v1/drivers/positions',
    'GET /.well-known/jwks.json',
  ],
  trip: [
    'POST /v1/quotes',
    'POST /v1/trips',
    'GET /v1/trips',
    'GET /v1/trips/{id}',
    'POST /v1/trips/{id}/cancel',
    'POST /v1/trips/{id}/arrive',
    'POST /v1/trips/{id}/start',
    'POST /v1/trips/{id}/complete',
    'POST /v1/trips/{id}/rating',
    'GET /v1/trips/{id}/events',
  ],
};

/** Bodies that no operation takes, whatever its schema. The first element says which answer is right. */
const BAD_BODIES: [what: string, status: number, body: string][] = [
  ['cut off', 400, '{"a":'],
  ['not JSON at all', 400, 'pickup=here'],
  ['NaN, which JSON has not', 400, '{"lat":NaN}'],
  ['a bare string', 400, '"text"'],
  ['a number', 400, '42'],
  ['an array', 400, '[]'],
  ['an unknown field', 400, '{"surprise":true}'],
  ['a prototype', 400, '{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}}}'],
  ['deep nesting', 400, `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`],
  ['one megabyte', 413, `{"a":"${'x'.repeat(1_048_576)}"}`],
];

const concrete = (path: string) => path.replaceAll(/\{\w+\}/g, crypto.randomUUID());
/** A token that may call the operation at all, so that its schema is what refuses. */
function tokenFor(service: ServiceName, { method, path }: Operation): string {
  if (/^\/v1\/ops\/|\/(suspend|reinstate)$/.test(path) || path === '/v1/drivers/positions') return tokens.operator;
  if (service !== 'trip') return tokens[service];
  return /\/(arrive|start|complete)$/.test(path) && method === 'POST' ? tokens.driver : tokens.passenger;
}

describe.each(SERVICES)('the %s service', (service) => {
  it('describes every operation of the platform in valid OpenAPI 3.1, with its refusals', async () => {
    const document = await documentOf(platform, service);
    expect(document.openapi).toMatch(/^3\.1\.\d+$/);
    expect(document.info.title).not.toBe('');
    expect(danglingReferences(document)).toEqual([]);
    const operations = operationsOf(document);
    const described = operations.map(({ method, path }) => `${method} ${path}`);
    expect(described).toEqual(expect.arrayContaining(OPERATIONS[service]));
    for (const operation of operations) {
      const name = `${operation.method} ${operation.path}`;
      const expected = [
        ...(operation.hasBody ? ['400', '413', '415'] : []),
        ...(operation.isPublic ? [] : ['401', '403']),
        ...(operation.path.includes('{') ? ['404'] : []),
        '500',
      ];
      if (operation.path === '/.well-known/jwks.json') continue;
      expect({ name, answers: operation.answers }).toEqual({ name, answers: expect.arrayContaining(expected) });
      expect(operation.answers.some((status) => status.startsWith('2'))).toBe(true);
    }
  });

  it('refuses on every operation what no schema takes', async () => {
    const wrong: string[] = [];
    for (const operation of operationsOf(await documentOf(platform, service)).filter(({ hasBody }) => hasBody)) {
      const url = platform.urls[service] + concrete(operation.path);
      for (const [what, status, body] of BAD_BODIES) {
        const answer = await sendJson(operation.method, url, body, tokenFor(service, operation));
        const problem =
          answer.headers.get('content-type')?.startsWith('application/problem+json') && answer.json?.['code'];
        if (answer.status !== status || !problem)
          wrong.push(
            `${operation.method} ${operation.path} given ${what}: ${answer.status} ${answer.text.slice(0, 150)}`,
          );
        else expectProblem(answer, status);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('takes JSON only, and asks for a body where one is needed', async () => {
    const wrong: string[] = [];
    for (const operation of operationsOf(await documentOf(platform, service)).filter(({ hasBody }) => hasBody)) {
      const { method, path } = operation;
      const url = platform.urls[service] + concrete(path);
      const authorization = `Bearer ${tokenFor(service, operation)}`;
      for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/xml']) {
        const answer = await send(url, { method, body: 'a=b', headers: { authorization, 'content-type': type } });
        if (answer.status === 415) expectProblem(answer, 415, 'MEDIA_TYPE_UNSUPPORTED');
        else wrong.push(`${method} ${path} given ${type}: ${answer.status} ${answer.text.slice(0, 150)}`);
      }
      const needed = Boolean(operation.requestSchema?.required?.length);
      for (const body of needed ? ['', '{}'] : []) {
        const answer = await sendJson(method, url, body, tokenFor(service, operation));
        if (answer.status === 400) expectProblem(answer, 400);
        else wrong.push(`${method} ${path} given "${body}": ${answer.status} ${answer.text.slice(0, 150)}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('refuses on every operation tokens that are none of its own', async () => {
    const impostor = await createTestIssuer(platform.operators.issuer);
    const subject = crypto.randomUUID();
    const nowS = Math.floor(Date.now() / 1_000);
    const role = service === 'driver' ? 'driver' : 'passenger';
    const good = await platform.operators.token('operator', subject);
    const [header, claims, signature] = good.split('.') as [string, string, string];
    const none = Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url');
    const bad: Record<string, string> = {
      expired: await platform.operators.token('operator', subject, { iat: nowS - 900, exp: nowS - 600 }),
      'for somebody else': await platform.operators.token('operator', subject, { aud: ['elsewhere'] }),
      'of a role that this issuer may not grant': await platform.operators.token(role, subject),
      'of an ID token': await platform.operators.token('operator', subject, {}, 'JWT'),
      'of an impostor': await impostor.token('operator', subject),
      'of an unknown issuer': await impostor.token('operator', subject, { iss: 'https://nobody.example' }),
      'without a signature': `${none}.${claims}.`,
      'with another signature': `${header}.${claims}.${signature.split('').reverse().join('')}`,
      'without a subject': await platform.operators.token('operator', subject, { sub: undefined }),
      'that is none': 'not-a-token',
    };
    impostor.drop();
    const operations = operationsOf(await documentOf(platform, service)).filter(({ isPublic }) => !isPublic);
    expect(operations.length).toBeGreaterThan(5);
    const wrong: string[] = [];
    for (const { method, path } of operations) {
      const url = platform.urls[service] + concrete(path);
      expectProblem(await send(url, { method }), 401, 'TOKEN_MISSING');
      for (const [what, token] of Object.entries(bad)) {
        const answer = await send(url, { method, headers: { authorization: `Bearer ${token}` } });
        if (answer.status === 401) expectProblem(answer, 401, 'TOKEN_INVALID');
        else wrong.push(`${method} ${path} with a token ${what}: ${answer.status} ${answer.text.slice(0, 150)}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('knows no id that is none, and no path that it does not have', async () => {
    const wrong: string[] = [];
    for (const operation of operationsOf(await documentOf(platform, service)).filter(({ path }) =>
      path.includes('{'),
    )) {
      const { method, path } = operation;
      const headers = { authorization: `Bearer ${tokenFor(service, operation)}` };
      for (const id of ['1', 'me; DROP TABLE trips', '\0', 'a'.repeat(90), '\ud83d\ude95']) {
        const url = platform.urls[service] + path.replaceAll(/\{\w+\}/g, encodeURIComponent(id));
        const answer = await send(url, { method, headers });
        if (answer.status === 400 || answer.status === 404) expectProblem(answer, answer.status);
        else
          wrong.push(
            `${method} ${path} with the id ${JSON.stringify(id)}: ${answer.status} ${answer.text.slice(0, 150)}`,
          );
      }
      if (operation.requestSchema?.required?.length) continue;
      expectProblem(await send(platform.urls[service] + concrete(path), { method, headers }), 404, 'NOT_FOUND');
    }
    for (const path of ['/', '/v1/nothing', '/v1/%ff', '/.env', '/v1//me']) {
      const answer = await send(platform.urls[service] + path);
      if (answer.status === 400 || answer.status === 404) expectProblem(answer, answer.status);
      else wrong.push(`GET ${path}: ${answer.status} ${answer.text.slice(0, 150)}`);
    }
    expect(wrong).toEqual([]);
  });

  it('says in one line each what is wrong with its settings, and exits with 78', async () => {
    const env = platform.environments[service];
    const nothing = await runToEnd(service, [], {});
    expect(nothing.code).toBe(78);
    for (const name of ['DATABASE_URL', 'AMQP_URL', 'TRUSTED_ISSUERS'])
      expect(nothing.output.split('\n').filter((line) => line.includes(name))).toHaveLength(1);
    expect(nothing.output).not.toMatch(/\bat .+:\d+:\d+/);

    const malformed = await runToEnd(service, [], { ...env, PORT: 'eighty', DATABASE_URL: 'mysql://secret@x' });
    expect(malformed.code).toBe(78);
    expect(malformed.output.trimEnd().split('\n')).toHaveLength(2);
    expect(malformed.output).not.toContain('secret');
  });
});

/** Which value of which field of which call is wrong, each tried alone in a body that is right otherwise. */
const BAD_VALUES: Record<string, unknown[]> = {
  coordinate: [null, '52', true, [52], {}, 1e308, -1e308, 'NaN'],
  text: [null, 1, true, [], {}, '', 'x'.repeat(5_000), 'a\0b', '\ud800'],
  time: [null, 1, '', 'yesterday', '2026-13-01T00:00:00Z', '2026-01-01', '+100000-01-01T00:00:00Z'],
};

async function expectAllInvalid(
  method: string,
  url: string,
  token: string | undefined,
  bodies: unknown[],
): Promise<void> {
  const wrong: string[] = [];
  for (const body of bodies) {
    const text = JSON.stringify(body);
    const answer = await sendJson(method, url, text, token);
    const named = Array.isArray(answer.json?.['errors']) && answer.json['errors'].length > 0;
    if (answer.status === 400 && named) expectProblem(answer, 400, 'REQUEST_INVALID');
    else wrong.push(`${text.slice(0, 200)}: ${answer.status} ${answer.text.slice(0, 150)}`);
  }
  expect(wrong).toEqual([]);
}

/** The body once for each bad value of each field. */
const eachBad = (good: Record<string, unknown>, kinds: Record<string, unknown[] | undefined>): unknown[] =>
  Object.entries(kinds).flatMap(([field, values = []]) => values.map((value) => ({ ...good, [field]: value })));

describe('values', () => {
  const { coordinate, text, time } = BAD_VALUES;

  it.each([
    { service: 'passenger', path: 'passengers', make: profile },
    { service: 'driver', path: 'drivers', make: driverProfile },
  ] as const)('of a $service account', async ({ service, path, make }) => {
    const url = `${platform.urls[service]}/v1/${path}`;
    const good = { ...make() };
    const emails = [...(text ?? []), 'nobody', 'a@', '@b', 'a b@example.com', `${'x'.repeat(300)}@example.com`];
    const extra = service === 'driver' ? { licenceNumber: text, vehicle: [null, {}, 'car', { make: 'Cab' }] } : {};
    await expectAllInvalid('POST', url, undefined, [
      ...eachBad(good, { email: emails, password: [...(text ?? []), 'short'], name: text, phone: text, ...extra }),
      { ...good, role: 'operator' },
    ]);
    // Nothing of all that was written.
    expect((await sendJson('POST', url, JSON.stringify(good))).status).toBe(201);
  });

  it('of a quote', async () => {
    const good = freshPlace();
    const points = eachBad(good.pickup, {
      lat: [...(coordinate ?? []), 90.1, -91],
      lng: [...(coordinate ?? []), 180.5, -181],
    });
    await expectAllInvalid('POST', `${platform.urls.trip}/v1/quotes`, tokens.passenger, [
      ...points.flatMap((point) => [
        { ...good, pickup: point },
        { ...good, dropoff: point },
      ]),
      { pickup: good.pickup },
      { ...good, pickup: { ...good.pickup, altitude: 3 } },
    ]);
  });

  it('of positions', async () => {
    const good = { lat: 1, lng: 1, at: new Date().toISOString() };
    const url = `${platform.urls.driver}/v1/drivers/me/positions`;
    const points = [
      ...eachBad(good, { lat: [...(coordinate ?? []), 91], lng: [...(coordinate ?? []), 181], at: time }),
      ...eachBad(good, { headingDeg: ['north', -1, 361], speedMps: ['fast', -1] }),
    ];
    await expectAllInvalid('POST', url, tokens.driver, [
      ...points.map((point) => ({ points: [point] })),
      { points: [] },
      { points: {} },
      { points: Array.from({ length: 101 }, () => good) },
    ]);
    const flood = JSON.stringify({ points: Array.from({ length: 100_000 }, () => good) });
    expectProblem(await sendJson('POST', url, flood, tokens.driver), 413, 'BODY_TOO_LARGE');
  });

  it('of trips, ratings, availability and pages', async () => {
    const { trip, driver } = platform.urls;
    const ids = [null, 1, '', 'x', `${crypto.randomUUID()}0`, [crypto.randomUUID()]];
    await expectAllInvalid(
      'POST',
      `${trip}/v1/trips`,
      tokens.passenger,
      ids.map((quoteId) => ({ quoteId })),
    );
    await expectAllInvalid('PUT', `${driver}/v1/drivers/me/availability`, tokens.driver, [
      ...[null, 'busy', 1, true].map((status) => ({ status })),
      { status: 'online', until: 'late' },
    ]);
    const stars = [null, 0, 6, 4.5, '5', -1, 1e10].map((value) => ({ stars: value }));
    const comments = (text ?? [])
      .filter((value) => value !== null && value !== '')
      .map((comment) => ({ stars: 5, comment }));
    const url = `${trip}/v1/trips/${crypto.randomUUID()}/rating`;
    await expectAllInvalid('POST', url, tokens.passenger, [...stars, ...comments]);
    for (const query of ['limit=0', 'limit=101', 'limit=x', 'limit=1.5', 'cursor=%00', 'cursor=garbage', 'page=2'])
      expectProblem(
        await send(`${trip}/v1/trips?${query}`, { headers: { authorization: `Bearer ${tokens.passenger}` } }),
        400,
      );
  });

  it('of idempotency keys', async () => {
    for (const key of ['x'.repeat(300), 'two words', 'caf\u00e9']) {
      const headers = {
        authorization: `Bearer ${tokens.passenger}`,
        'content-type': 'application/json',
        'idempotency-key': key,
      };
      const body = JSON.stringify(freshPlace());
      expectProblem(
        await send(`${platform.urls.trip}/v1/quotes`, { method: 'POST', body, headers }),
        400,
        'REQUEST_INVALID',
      );
    }
  });

  it('never end in a 5xx, whatever the headers say', async () => {
    const strange: Record<string, string>[] = [
      { authorization: 'Basic YTpi' },
      { authorization: 'Bearer' },
      { authorization: `Bearer ${'x'.repeat(8_000)}` },
      { traceparent: '00-zz-zz-00' },
      { accept: 'text/event-stream', 'last-event-id': 'x' },
      { 'content-type': 'application/json; charset=utf-7' },
    ];
    for (const headers of strange) {
      for (const path of ['/v1/trips', `/v1/trips/${crypto.randomUUID()}/events`]) {
        const { status } = await send(platform.urls.trip + path, { headers });
        expect({ path, headers, isRefusal: status >= 400 && status < 500 }).toEqual({ path, headers, isRefusal: true });
      }
    }
  });
});

describe('a cursor of a stream that is none', () => {
  it.each(['x', '-1', '1e9', '9'.repeat(40), '\u00e9'])(
    '%j is refused or starts afresh, but breaks nothing',
    async (cursor) => {
      const place = freshPlace();
      const passenger = await newPassenger(platform.urls);
      const driver = await newDriver(platform.urls, place.pickup);
      const { id } = await acceptedTrip(passenger.api, driver.api, place);
      const streams = [
        { url: `${platform.urls.trip}/v1/trips/${id}/events`, token: await passenger.api.session.token() },
        { url: `${platform.urls.driver}/v1/drivers/me/events`, token: await driver.api.session.token() },
      ];
      for (const { url, token } of streams) {
        const leaving = new AbortController();
        const { status } = await fetch(url, {
          headers: { authorization: `Bearer ${token}`, 'last-event-id': cursor },
          signal: leaving.signal,
        });
        leaving.abort();
        expect([200, 400]).toContain(status);
      }
      expect(await driver.api.offer()).toBeUndefined();
    },
  );
});
