import { SERVICES, type ServiceName } from '@cabstand/contracts';
import { eventually, messageOf } from '@cabstand/testing';
import { DriverApi, PassengerApi } from '../../../tools/client/api.ts';
import { query } from '../src/agreement.ts';
import { BrokerView, SOURCES } from '../src/messages.ts';
import { documentOf, operationsOf, type Operation } from '../src/openapi.ts';
import { acceptedTrip, drive, goOnlineAt, newDriver, newPassenger, requestTrip } from '../src/people.ts';
import { Platform } from '../src/platform.ts';
import { singing, stored, type Written } from '../src/stored.ts';
import { canaries, filled, named, RawCollector } from '../src/telltales.ts';

const { hers, his, strangers, sweeps } = canaries();
/** Where people were is stored in clear, and still nobody else's business. */
const places = { pickup: '41.876543210', dropoff: '41.895432101', position: '41.874321098' };
const tokens: Record<string, string> = {};
const refusals: Written[] = [];

let platform: Platform;
let broker: BrokerView;
let collector: RawCollector;

beforeAll(async () => {
  collector = await RawCollector.start();
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '200', LOG_LEVEL: 'trace' };
  platform = await Platform.start({
    env: { ...env, OTEL_METRIC_EXPORT_INTERVAL: '1000', OTEL_METRIC_EXPORT_TIMEOUT: '900' },
  });
  broker = await BrokerView.open(platform);
  await lead();
  for (const service of SERVICES) await sweep(service);
  await tellEvents();
}, 240_000);
afterAll(async () => {
  await broker.close();
  await platform.stop();
  await collector.stop();
});

/** Every answer that is none of 2xx is kept. A stream is left as soon as it is there. */
async function send(method: string, url: string, init: { body?: string; headers?: Record<string, string> } = {}) {
  const leaving = new AbortController();
  const response = await fetch(url, { method, ...init, signal: leaving.signal });
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream');
  const text = isStream ? '' : await response.text();
  leaving.abort();
  const headers = JSON.stringify([...response.headers]);
  if (response.status >= 400)
    refusals.push({ where: `answer of ${method} ${new URL(url).port}`, text: headers + text });
  return { status: response.status, text };
}

const sendJson = (method: string, url: string, token: string | undefined, body?: unknown, headers = {}) =>
  send(method, url, {
    headers: {
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });

/** A day with everything in it that people type, in the right fields and once beside them. */
async function lead(): Promise<void> {
  const { urls } = platform;
  const profileOf = (own: typeof hers | typeof his) => ({
    email: own.address,
    password: own.password,
    name: `${own['first name']} ${own['family name']}`,
    phone: own.phone,
  });
  const vehicle = { make: his.make, model: 'One', colour: 'white', plate: his.plate };
  const passenger = new PassengerApi(urls, { email: hers.address, password: hers.password });
  const driver = new DriverApi(urls, { email: his.address, password: his.password });
  await passenger.register(profileOf(hers));
  await driver.register({ ...profileOf(his), licenceNumber: his.licence, vehicle });
  for (const [role, own] of [
    ['passenger', hers],
    ['driver', his],
  ] as const) {
    const again = { ...profileOf(own), ...(role === 'driver' ? { licenceNumber: his.licence, vehicle } : {}) };
    const register = `${urls[role]}/v1/${role}s`;
    expect((await sendJson('POST', register, undefined, again)).status).toBe(409);
    await sendJson('POST', register, undefined, { ...again, [own.address]: own.phone, phone: [own.phone] });
    for (const attempt of [
      { email: own.address, password: own['wrong password'] },
      { email: strangers.address, password: own['wrong password'] },
    ])
      expect((await sendJson('POST', `${urls[role]}/v1/sessions`, undefined, attempt)).status).toBe(401);
  }
  const pickup = { lat: Number(places.pickup), lng: 12.5 };
  await goOnlineAt(driver, { lat: Number(places.position), lng: 12.5 });
  const place = { pickup, dropoff: { lat: Number(places.dropoff), lng: 12.5 } };
  const cancelled = await requestTrip(passenger, place);
  await passenger.cancel(cancelled.id, hers.reason);
  const { id } = await acceptedTrip(passenger, driver, place);
  await drive(driver, id);
  for (const [member, own] of [
    [passenger, hers],
    [driver, his],
  ] as const) {
    const headers = { 'idempotency-key': `k${id}` };
    const rating = { stars: 5, comment: own.comment };
    const rated = await sendJson(
      'POST',
      `${urls.trip}/v1/trips/${id}/rating`,
      await member.session.token(),
      rating,
      headers,
    );
    expect(rated.status).toBe(201);
  }
  for (const [role, member, own] of [
    ['passenger', passenger, hers],
    ['driver', driver, his],
  ] as const) {
    const me = `${urls[role]}/v1/${role}s/me`;
    const token = await member.session.token();
    const more =
      role === 'driver' ? { licenceNumber: his['new licence'], vehicle: { ...vehicle, plate: his['new plate'] } } : {};
    const changed = await sendJson('PATCH', me, token, { name: own['new name'], phone: own['new phone'], ...more });
    const password = { currentPassword: own.password, newPassword: own['new password'] };
    expect([changed.status, (await sendJson('PUT', `${me}/password`, token, password)).status]).toEqual([200, 204]);
    tokens[`${role}'s access token`] = member.session.tokens!.accessToken.split('.')[2]!;
    tokens[`${role}'s refresh token`] = member.session.tokens!.refreshToken;
  }
}

/** Every operation, with what belongs elsewhere in each place where something can be typed. */
async function sweep(service: ServiceName): Promise<void> {
  const document = await documentOf(platform, service);
  const words = Object.values(sweeps);
  let people: string[] = [];
  const bearer = async ({ isPublic, method, path }: Operation): Promise<string[]> => {
    if (isPublic) return [''];
    const making = people.length > 0 ? [] : [newPassenger(platform.urls), newDriver(platform.urls)];
    const made = (await Promise.all(making)).map(({ api }) => api.session.token());
    const known = [...people, ...(await Promise.all(made))];
    // What ends an account or its sessions leaves nobody for the next operation.
    people = method === 'DELETE' || path.endsWith('/password') ? [] : known;
    return [await platform.operatorToken(), ...known];
  };
  for (const operation of operationsOf(document)) {
    const { method, path, requestSchema, hasBody } = operation;
    const everywhere = {
      'access-reason': `because of ${sweeps.name}`,
      'idempotency-key': sweeps.address,
      'last-event-id': sweeps.phone,
      'openpgp-key': sweeps.name,
      'user-agent': sweeps.address,
      'x-forwarded-for': sweeps.name,
      traceparent: `00-${sweeps.name}-00`,
      origin: `https://${sweeps.name}.example`,
    };
    const search = new URLSearchParams({
      limit: sweeps.phone,
      cursor: sweeps.address,
      [sweeps.address]: sweeps.password,
    });
    for (const token of await bearer(operation)) {
      const base = platform.urls[service];
      const odd = base + path.replaceAll(/\{\w+\}/g, encodeURIComponent(sweeps.address));
      const plain = base + path.replaceAll(/\{\w+\}/g, crypto.randomUUID());
      await sendJson(method, `${odd}?${search}`, token, undefined, everywhere);
      await sendJson(method, `${odd}?access_token=${sweeps.password}`, sweeps.password);
      if (!hasBody) continue;
      const good = filled(document, requestSchema, [...words]) as object;
      await sendJson(method, plain, token, good, everywhere);
      await sendJson(method, plain, token, { ...good, [sweeps.address]: 1, [sweeps.phone]: 2 });
      await sendJson(method, plain, token, `{"name": ${sweeps.name}, "email": "${sweeps.address}"}`);
      await sendJson(method, plain, token, JSON.stringify(sweeps.name));
      await sendJson(method, plain, token, `name=${sweeps.name}`, { 'content-type': sweeps.name });
    }
  }
}

/** Every event that says something of people, as it should be and in ways in which it should not. */
async function tellEvents(): Promise<void> {
  const vehicle = { make: 'Cab', model: 'One', colour: 'white', plate: strangers['plate in an event'] };
  const firstName = strangers['name in an event'];
  const broken = strangers['name in a broken event'];
  for (const { publisher, type } of SOURCES.filter(({ publisher }) => publisher !== 'trip')) {
    for (const each of [type, type.replace('registered', 'updated')]) {
      const about = { [`${publisher}Id`]: crypto.randomUUID(), firstName, vehicle, status: 'online' };
      await broker.publish(publisher, messageOf(publisher, each, about));
      await broker.publish(publisher, messageOf(publisher, each, { ...about, firstName: [broken], vehicle: broken }));
      const unreadable = messageOf(publisher, each, about);
      await broker.publish(publisher, {
        ...unreadable,
        body: Buffer.from(`{"firstName": ${strangers['name in no JSON']}`),
      });
    }
  }
  // Of the passenger's one, whose contract has no vehicle, the good ones are fine too: readers leave out what they don't know.
  await eventually(async () => {
    const dead = await query(platform.databases.trip.url, 'SELECT 1 FROM dead_letters');
    expect(dead.length).toBeGreaterThanOrEqual(8);
  });
}

const everybodys = () => ({ ...named({ hers, his, strangers, sweeps, tokens }) });

it('has enough to sing', () => {
  expect(Object.keys(everybodys()).length).toBeGreaterThanOrEqual(30);
  expect(refusals.length).toBeGreaterThan(300);
});

it.each(['logs', 'traces', 'metrics', 'error bodies'])('no %s say anything of anybody', async (kind) => {
  const all: Record<string, () => Promise<Written[]>> = {
    logs: async () => platform.log().map((text) => ({ where: `log: ${text.slice(0, 300)}`, text })),
    traces: async () => {
      await eventually(() => expect(collector.written.filter(({ where }) => where.endsWith('traces'))).not.toEqual([]));
      return collector.written;
    },
    metrics: async () => {
      const texts = await Promise.all(platform.processes().map((process) => process.metrics()));
      const exported = collector.written.filter(({ where }) => where.endsWith('metrics'));
      return [...texts.map((text) => ({ where: 'metrics', text })), ...exported];
    },
    'error bodies': async () => refusals,
  };
  const written = await all[kind]!();
  expect(written.length).toBeGreaterThan(2);
  expect(singing(written, { ...everybodys(), ...named({ places }) })).toEqual([]);
  const lng = await query<{ n: number }>(platform.databases.trip.url, 'SELECT count(*)::int AS n FROM trips');
  expect(lng[0]!.n).toBeGreaterThan(0);
});

it('no database says anything of anybody who has no key to it, nor does what dead letters say of themselves', async () => {
  await eventually(async () => {
    for (const service of SERVICES)
      expect(await query(platform.databases[service].url, 'SELECT 1 FROM outbox')).toEqual([]);
  });
  // What an operator gave as the reason for looking is kept as it was given.
  const written = (await stored(platform)).filter(({ where }) => !where.endsWith('ops_audit'));
  expect(written.length).toBeGreaterThan(100);
  expect(singing(written, everybodys())).toEqual([]);
});

it('a canary that does sing is heard, wherever it sits', async () => {
  const planted = `planted-${crypto.randomUUID()}@example.com`;
  const found = (text: string) => singing([{ where: 'here', text }], { planted });
  for (const text of [planted, encodeURIComponent(planted), Buffer.from(`x${planted}yz`).toString('base64')])
    expect(found(`before ${text} after`)).toEqual(['planted in here']);
  expect(found('before after')).toEqual([]);
  await query(platform.databases.trip.url, 'CREATE TABLE leak (bytes bytea)');
  await query(platform.databases.trip.url, 'INSERT INTO leak VALUES ($1)', [Buffer.from(planted)]);
  expect(singing(await stored(platform), { planted })).toEqual(['planted in trip.leak']);
  await query(platform.databases.trip.url, 'DROP TABLE leak');
});
