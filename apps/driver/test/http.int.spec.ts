import { randomUUIDv7 } from 'node:crypto';
import { eventually } from '@cabstand/testing';
import type { DriverView } from '../src/driver/driver.dto.ts';
import { north, PASSWORD, PICKUP, registration, startPlatform, type Person, type Platform } from './harness.ts';

let platform: Platform;
let operator: Person;
beforeAll(async () => {
  platform = await startPlatform();
  operator = { id: 'ops', token: await platform.issuer.token('operator', 'ops') };
});
afterAll(() => platform.stop());

const now = () => new Date().toISOString();

describe('registration', () => {
  it('opens an account that is offline, and tells the platform no more than a passenger may see', async () => {
    const profile = registration();
    const { status, body } = await platform.call<DriverView>('POST', '/v1/drivers', { body: profile });
    const { password: _, ...shown } = profile;
    expect(status).toBe(201);
    expect(body).toEqual({
      ...shown,
      id: expect.any(String),
      status: 'offline',
      rating: null,
      createdAt: expect.stringMatching(/Z$/),
    });
    const [event] = await eventually(() => {
      const found = platform.messages.of(body.id);
      expect(found).toHaveLength(1);
      return found;
    });
    expect(event).toMatchObject({ type: 'driver.registered', sequence: 1 });
    expect(event!.payload).toEqual({ driverId: body.id, firstName: 'Grace', vehicle: profile.vehicle });
  });

  it('takes an e-mail address once, however it is written', async () => {
    const profile = registration();
    expect((await platform.call('POST', '/v1/drivers', { body: profile })).status).toBe(201);
    const again = { ...profile, email: profile.email.toUpperCase() };
    const answer = await platform.call('POST', '/v1/drivers', { body: again });
    expect(answer).toMatchObject({ status: 409, body: { code: 'EMAIL_TAKEN' } });
  });

  it.each([
    ['a vehicle without a plate', { vehicle: { make: 'Skoda', model: 'Octavia', colour: 'cream' } }],
    ['a vehicle with a control character', { vehicle: { make: 'Sk\u0000da', model: 'O', colour: 'c', plate: 'B 1' } }],
    ['no licence', { licenceNumber: undefined }],
    ['a role of one’s own choice', { role: 'operator' }],
    ['a short password', { password: 'short' }],
  ])('is refused for %s', async (_, change) => {
    const answer = await platform.call('POST', '/v1/drivers', { body: { ...registration(), ...change } });
    expect(answer).toMatchObject({ status: 400, body: { code: 'REQUEST_INVALID' } });
  });
});

describe('the own account', () => {
  it('can be read, changed, exported and erased', async () => {
    const driver = await platform.hire();
    const vehicle = { make: 'Opel', model: 'Corsa', colour: 'blue', plate: 'B OC 7' };
    const change = { phone: '+49 30 7654321', name: 'Ada Lovelace', vehicle };
    const changed = await platform.call<DriverView>('PATCH', '/v1/drivers/me', { as: driver, body: change });
    expect(changed).toMatchObject({ status: 200, body: { ...change, status: 'online' } });
    const nothing = await platform.call<DriverView>('PATCH', '/v1/drivers/me', { as: driver, body: {} });
    expect(nothing).toMatchObject({ status: 200, body: change });
    // Positions are stored a moment after they were heard.
    const exported = await eventually(async () => {
      const answer = await platform.call('GET', '/v1/drivers/me/export', { as: driver });
      expect(answer).toMatchObject({ status: 200, body: { profile: { email: driver.email }, position: PICKUP } });
      return answer;
    });
    expect(exported.body).toMatchObject({ sessions: [{ endedAt: null }] });
    expect(JSON.stringify(exported.body)).not.toContain('argon2');

    expect(await platform.call('DELETE', '/v1/drivers/me', { as: driver })).toMatchObject({ status: 204 });
    expect(await platform.call('GET', '/v1/drivers/me', { as: driver })).toMatchObject({ status: 401 });
    const credentials = { email: driver.email, password: PASSWORD };
    expect(await platform.call('POST', '/v1/sessions', { body: credentials })).toMatchObject({ status: 401 });
    for (const table of ['drivers WHERE id', 'positions WHERE driver_id', 'availability WHERE driver_id']) {
      expect(await platform.rows(`SELECT 1 FROM ${table} = $1`, [driver.id])).toEqual([]);
    }
    await eventually(() => expect(platform.messages.of(driver.id, 'driver.erased')).toHaveLength(1));
    const sequences = platform.messages.of(driver.id).map(({ sequence }) => sequence);
    expect(sequences).toEqual([1, 2, 3, 4]);
    const updated = { driverId: driver.id, firstName: 'Ada', vehicle, status: 'online' };
    expect(platform.messages.of(driver.id, 'driver.updated').at(-1)!.payload).toEqual(updated);
  });

  it('is nobody else’s: not another role’s, another issuer’s or an unknown driver’s', async () => {
    const driver = await platform.signUp();
    const impostor = { id: driver.id, token: await platform.issuer.token('driver', driver.id) };
    const get = (as?: Person) => platform.call('GET', '/v1/drivers/me', as ? { as } : {});
    expect(await get(impostor)).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
    expect(await get(operator)).toMatchObject({ status: 403, body: { code: 'ROLE_FORBIDDEN' } });
    expect(await get()).toMatchObject({ status: 401, body: { code: 'TOKEN_MISSING' } });
    expect(await platform.stand(impostor, PICKUP)).toMatchObject({ status: 404 });
    expect(await platform.go(impostor, 'online')).toMatchObject({ status: 404 });
    expect(await platform.offer(impostor)).toMatchObject({ status: 204 });
    const passenger = { id: randomUUIDv7(), token: await platform.issuer.token('passenger', randomUUIDv7()) };
    expect(await platform.stand(passenger, PICKUP)).toMatchObject({ status: 401 });
  });
});

describe('suspension', () => {
  it('ends sessions, refuses new ones, and is lifted by reinstating', async () => {
    const driver = await platform.hire();
    const judge = (action: string, as = operator) =>
      platform.call('POST', `/v1/drivers/${driver.id}/${action}`, { as });
    expect(await judge('suspend', driver)).toMatchObject({ status: 403 });
    expect(await judge('suspend')).toMatchObject({ status: 200, body: { id: driver.id, suspended: true } });
    expect(await judge('suspend')).toMatchObject({ status: 200 });
    expect(await platform.offer(driver)).toMatchObject({ status: 401 });
    const signIn = () => platform.call('POST', '/v1/sessions', { body: { email: driver.email, password: PASSWORD } });
    expect(await signIn()).toMatchObject({ status: 403, body: { code: 'ACCOUNT_SUSPENDED' } });
    const refresh = () =>
      platform.call('POST', '/v1/sessions/refresh', { body: { refreshToken: driver.refreshToken } });
    expect(await refresh()).toMatchObject({ status: 403, body: { code: 'ACCOUNT_SUSPENDED' } });
    expect(await judge('reinstate')).toMatchObject({ status: 200, body: { id: driver.id, suspended: false } });
    // The session stays ended.
    expect(await refresh()).toMatchObject({ status: 401, body: { code: 'REFRESH_TOKEN_INVALID' } });
    expect(await signIn()).toMatchObject({ status: 201 });
    await eventually(() => {
      const types = platform.messages.of(driver.id).map(({ type }) => type);
      expect(types).toEqual([
        'driver.registered',
        'driver.updated',
        'driver.suspended',
        'driver.updated',
        'driver.reinstated',
      ]);
    });
  });

  it('of nobody is not found', async () => {
    const path = `/v1/drivers/${randomUUIDv7()}/suspend`;
    expect(await platform.call('POST', path, { as: operator })).toMatchObject({ status: 404 });
    expect(await platform.call('POST', '/v1/drivers/42/suspend', { as: operator })).toMatchObject({ status: 400 });
  });
});

describe('positions', () => {
  it.each([
    ['no points', { points: [] }],
    ['too many points', { points: Array.from({ length: 101 }, () => ({ ...PICKUP, at: now() })) }],
    ['a latitude beyond the pole', { points: [{ lat: 91, lng: 0, at: now() }] }],
    ['no time', { points: [PICKUP] }],
    ['an unknown field', { points: [{ ...PICKUP, at: now(), altitude: 3 }] }],
    ['nothing', {}],
  ])('are refused for %s', async (_, body) => {
    const driver = await platform.signUp();
    const answer = await platform.call('POST', '/v1/drivers/me/positions', { as: driver, body });
    expect(answer).toMatchObject({ status: 400, body: { code: 'REQUEST_INVALID' } });
  });

  it('keep the newest believable point of all that were sent, in whatever order', async () => {
    const driver = await platform.signUp();
    const at = (agoMs: number) => new Date(Date.now() - agoMs).toISOString();
    const report = (points: object[]) =>
      platform.call('POST', '/v1/drivers/me/positions', { as: driver, body: { points } });
    const batch = await report([
      { ...north(10), at: at(1_000) },
      { ...PICKUP, at: at(2_000) },
      { ...north(50_000), at: at(500) },
      { ...PICKUP, at: at(-60_000) },
      { ...PICKUP, at: '0001-01-01T00:00:00Z' },
    ]);
    expect(batch).toMatchObject({ status: 202, body: { accepted: 2, dropped: 3 } });
    expect(await report([{ ...north(99), at: at(1_500) }])).toMatchObject({ body: { accepted: 0, dropped: 1 } });
    await eventually(async () => {
      const kept = await platform.rows<{ lat: number }>('SELECT lat FROM positions WHERE driver_id = $1', [driver.id]);
      expect(kept).toEqual([{ lat: expect.closeTo(north(10).lat, 9) }]);
    });
  });

  it('may be as small as a number can be', async () => {
    const driver = await platform.signUp();
    const least = { lat: 5e-324, lng: -5e-324, headingDeg: 5e-324, speedMps: 1e-46, at: now() };
    const answer = await platform.call('POST', '/v1/drivers/me/positions', { as: driver, body: { points: [least] } });
    expect(answer).toMatchObject({ status: 202, body: { accepted: 1 } });
    await eventually(async () => {
      const kept = await platform.rows('SELECT heading_deg, speed_mps FROM positions WHERE driver_id = $1', [
        driver.id,
      ]);
      expect(kept).toEqual([{ heading_deg: 0, speed_mps: 0 }]);
    });
  });
});

describe('offers', () => {
  it('are not found unless they are one’s own', async () => {
    const [driver, other] = [await platform.hire(), await platform.signUp()];
    await platform.request();
    const { offerId } = await platform.untilOffered(driver);
    for (const action of ['accept', 'decline'] as const) {
      expect(await platform.answer(other, offerId, action)).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
      expect(await platform.answer(driver, randomUUIDv7(), action)).toMatchObject({ status: 404 });
      expect(await platform.answer(driver, 'mine', action)).toMatchObject({ status: 400 });
      expect(await platform.answer(operator, offerId, action)).toMatchObject({ status: 403 });
    }
    expect(await platform.answer(driver, offerId, 'decline')).toMatchObject({
      status: 200,
      body: { status: 'declined' },
    });
    expect(await platform.answer(driver, offerId, 'accept')).toMatchObject({
      status: 409,
      body: { code: 'OFFER_CLOSED' },
    });
  });
});

describe('the OpenAPI document', () => {
  it('names each call once, lists the refusals of those with an account, and tells what streams', async () => {
    type Call = { operationId: string; responses: Record<string, { content?: object }> };
    const { body } = await platform.call<{ paths: Record<string, Record<string, Call>> }>('GET', '/openapi.json');
    const calls = Object.values(body.paths).flatMap((methods) => Object.values(methods));
    expect(new Set(calls.map(({ operationId }) => operationId)).size).toBe(calls.length);
    for (const [path, methods] of Object.entries(body.paths).filter(([path]) => path.includes('/me')))
      for (const { responses } of Object.values(methods))
        // An open offer is looked for, and nobody has none.
        if (path !== '/v1/drivers/me/offer')
          expect([path, Object.keys(responses)]).toEqual([path, expect.arrayContaining(['404'])]);
    for (const path of ['/v1/drivers/me/events', '/v1/drivers/positions'])
      expect(body.paths[path]!.get!.responses['200']!.content).toHaveProperty('text/event-stream');
  });
});
