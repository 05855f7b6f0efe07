import { randomUUIDv7 } from 'node:crypto';
import type { RatingView, TripView } from '../src/trip/trip.dto.ts';
import { DROPOFF, PICKUP, startPlatform, VEHICLE, type Person, type Platform } from './harness.ts';

let platform: Platform;
beforeAll(async () => void (platform = await startPlatform()));
afterAll(() => platform.stop());

interface Problem {
  code: string;
  status: number;
}
const problem = (method: string, path: string, as: Person | undefined, body?: unknown) =>
  platform.call<Problem>(method, path, { ...(as ? { as } : {}), body });

describe('a quote', () => {
  it('prices a ride by distance and time, and says that it was estimated', async () => {
    const { status, body } = await platform.quote(await platform.person('passenger'));
    expect(status).toBe(201);
    expect(body).toEqual({
      quoteId: expect.any(String),
      fareMinor: 1_132,
      currency: 'EUR',
      distanceM: 4_902,
      durationS: 588,
      distanceSource: 'estimate',
      expiresAt: expect.stringMatching(/Z$/),
    });
    expect(Date.parse(body.expiresAt) - Date.now()).toBeGreaterThan(290_000);
  });

  it.each([
    ['a latitude beyond the pole', { pickup: { lat: 91, lng: 0 }, dropoff: DROPOFF }],
    ['text for a number', { pickup: { lat: '52', lng: 13 }, dropoff: DROPOFF }],
    ['no dropoff', { pickup: PICKUP }],
    ['a fare of the passenger’s choice', { pickup: PICKUP, dropoff: DROPOFF, fareMinor: 1 }],
    ['nothing', {}],
  ])('is refused for %s', async (_, body) => {
    const answer = await problem('POST', '/v1/quotes', await platform.person('passenger'), body);
    expect(answer).toMatchObject({ status: 400, body: { code: 'REQUEST_INVALID' } });
  });

  it('is for passengers only', async () => {
    const ride = { pickup: PICKUP, dropoff: DROPOFF };
    expect(await problem('POST', '/v1/quotes', undefined, ride)).toMatchObject({ status: 401 });
    for (const role of ['driver', 'operator'] as const) {
      const answer = await problem('POST', '/v1/quotes', await platform.person(role), ride);
      expect(answer).toMatchObject({ status: 403, body: { code: 'ROLE_FORBIDDEN' } });
    }
  });
});

describe('a request for a trip', () => {
  it('makes a trip of the quote, at the quoted fare', async () => {
    const passenger = await platform.person('passenger');
    const { body: quote } = await platform.quote(passenger);
    const { status, body } = await platform.call<TripView>('POST', '/v1/trips', {
      as: passenger,
      body: { quoteId: quote.quoteId },
    });
    expect(status).toBe(201);
    expect(body).toEqual({
      id: expect.any(String),
      status: 'requested',
      passengerId: passenger.id,
      driverId: null,
      pickup: PICKUP,
      dropoff: DROPOFF,
      fareMinor: quote.fareMinor,
      currency: 'EUR',
      distanceM: quote.distanceM,
      durationS: quote.durationS,
      requestedAt: expect.stringMatching(/Z$/),
      acceptedAt: null,
      arrivedAt: null,
      startedAt: null,
      completedAt: null,
      cancelledAt: null,
      cancelledBy: null,
    });
    expect(await platform.get(passenger, body.id)).toEqual(body);
  });

  it('needs a quote of one’s own that is neither used nor expired', async () => {
    const [passenger, other] = [await platform.person('passenger'), await platform.person('passenger')];
    const { body: quote } = await platform.quote(passenger);
    const ask = (as: Person, quoteId: string) => problem('POST', '/v1/trips', as, { quoteId });

    expect(await ask(passenger, randomUUIDv7())).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
    expect(await ask(other, quote.quoteId)).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
    expect(await ask(passenger, 'mine')).toMatchObject({ status: 400, body: { code: 'REQUEST_INVALID' } });

    await platform.rows(`UPDATE quotes SET expires_at = now() WHERE id = $1`, [quote.quoteId]);
    expect(await ask(passenger, quote.quoteId)).toMatchObject({ status: 409, body: { code: 'QUOTE_EXPIRED' } });

    const { body: fresh } = await platform.quote(passenger);
    expect((await ask(passenger, fresh.quoteId)).status).toBe(201);
    expect(await ask(passenger, fresh.quoteId)).toMatchObject({ status: 409, body: { code: 'QUOTE_USED' } });
  });

  it('is refused while the passenger has an active trip, and leaves the quote usable', async () => {
    const passenger = await platform.person('passenger');
    const first = await platform.requestTrip(passenger);
    const { body: quote } = await platform.quote(passenger);
    const again = () => problem('POST', '/v1/trips', passenger, { quoteId: quote.quoteId });
    expect(await again()).toMatchObject({ status: 409, body: { code: 'TRIP_ALREADY_ACTIVE' } });
    await platform.call('POST', `/v1/trips/${first.id}/cancel`, { as: passenger });
    expect((await again()).status).toBe(201);
  });

  it('repeated with its Idempotency-Key gives the same trip', async () => {
    const passenger = await platform.person('passenger');
    const { body: quote } = await platform.quote(passenger);
    const headers = { 'idempotency-key': randomUUIDv7() };
    const ask = () =>
      platform.call<TripView>('POST', '/v1/trips', { as: passenger, body: { quoteId: quote.quoteId }, headers });
    const [first, second] = [await ask(), await ask()];
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(second.body).toEqual(first.body);
  });
});

describe('a trip', () => {
  it('goes from request to rating, seen by both sides', async () => {
    const [passenger, driver] = [await platform.person('passenger'), await platform.person('driver')];
    await platform.introduce(passenger, driver);
    const trip = await platform.requestTrip(passenger);
    const path = `/v1/trips/${trip.id}`;
    expect(await problem('GET', path, driver)).toMatchObject({ status: 404 });
    expect(await problem('POST', `${path}/cancel`, driver)).toMatchObject({ status: 404 });

    await platform.accept(driver, trip.id);
    const accepted = await platform.untilStatus(driver, trip.id, 'accepted');
    expect(accepted.driver).toEqual({ firstName: 'Grace', vehicle: VEHICLE, rating: null });
    expect(accepted.passenger).toEqual({ firstName: 'Ada' });

    for (const [action, status, stamp] of [
      ['arrive', 'arrived', 'arrivedAt'],
      ['start', 'in_progress', 'startedAt'],
      ['complete', 'completed', 'completedAt'],
    ] as const) {
      expect(await problem('POST', `${path}/rating`, passenger, { stars: 5 })).toMatchObject({
        status: 409,
        body: { code: 'TRIP_NOT_RATEABLE' },
      });
      const { status: code, body } = await platform.call<TripView>('POST', `${path}/${action}`, { as: driver });
      expect({ code, status: body.status }).toEqual({ code: 200, status });
      expect(Date.parse(body[stamp]!)).toBeGreaterThanOrEqual(Date.parse(body.acceptedAt!));
      expect(await problem('POST', `${path}/${action}`, driver)).toMatchObject({
        status: 409,
        body: { code: 'TRIP_TRANSITION_INVALID' },
      });
    }
    expect(await problem('POST', `${path}/cancel`, passenger)).toMatchObject({ status: 409 });

    const rating = await platform.call<RatingView>('POST', `${path}/rating`, {
      as: passenger,
      body: { stars: 4, comment: 'Smooth' },
    });
    expect(rating).toMatchObject({ status: 201, body: { tripId: trip.id, rateeRole: 'driver', stars: 4 } });
    expect((await problem('POST', `${path}/rating`, driver, { stars: 5 })).status).toBe(201);
    for (const side of [passenger, driver]) {
      const again = await problem('POST', `${path}/rating`, side, { stars: 1 });
      expect(again).toMatchObject({ status: 409, body: { code: 'TRIP_ALREADY_RATED' } });
    }

    const next = await platform.requestTrip(passenger);
    await platform.accept(driver, next.id);
    expect((await platform.untilStatus(passenger, next.id, 'accepted')).driver?.rating).toBe(4);
  });

  it.each(['passenger', 'driver'] as const)('can be cancelled by its %s until it starts', async (side) => {
    const people = { passenger: await platform.person('passenger'), driver: await platform.person('driver') };
    for (const steps of [['accepted'], ['accepted', 'arrive']]) {
      const trip = await platform.requestTrip(people.passenger);
      await platform.accept(people.driver, trip.id);
      await platform.untilStatus(people.driver, trip.id, 'accepted');
      if (steps.includes('arrive')) await platform.call('POST', `/v1/trips/${trip.id}/arrive`, { as: people.driver });
      const { status, body } = await platform.call<TripView>('POST', `/v1/trips/${trip.id}/cancel`, {
        as: people[side],
        body: { reason: 'changed plans' },
      });
      expect(status).toBe(200);
      expect(body).toMatchObject({ status: 'cancelled', cancelledBy: side, cancelledAt: expect.any(String) });
    }
  });

  it('does not exist for anybody else', async () => {
    const [passenger, driver] = [await platform.person('passenger'), await platform.person('driver')];
    const trip = await platform.requestTrip(passenger);
    await platform.accept(driver, trip.id);
    await platform.untilStatus(driver, trip.id, 'accepted');
    const strangers = [await platform.person('passenger'), await platform.person('driver')] as const;
    for (const stranger of strangers) {
      for (const [method, path, body] of [
        ['GET', ''],
        ['GET', '/events'],
        ['POST', '/cancel'],
        ['POST', '/rating', { stars: 1 }],
      ] as const) {
        const answer = await problem(method, `/v1/trips/${trip.id}${path}`, stranger, body);
        expect(answer).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
      }
      const { body } = await platform.call<{ items: TripView[] }>('GET', '/v1/trips', { as: stranger });
      expect(body.items).toEqual([]);
    }
    // The same id from another issuer is another person.
    const impostor = { id: passenger.id, token: await platform.issuer.token('driver', passenger.id) };
    expect(await problem('GET', `/v1/trips/${trip.id}`, impostor)).toMatchObject({ status: 404 });
  });

  it('is driven by drivers and watched by operators', async () => {
    const passenger = await platform.person('passenger');
    const operator = await platform.person('operator');
    const trip = await platform.requestTrip(passenger);
    expect((await platform.get(operator, trip.id)).id).toBe(trip.id);
    for (const action of ['arrive', 'start', 'complete']) {
      for (const as of [passenger, operator]) {
        const answer = await problem('POST', `/v1/trips/${trip.id}/${action}`, as);
        expect(answer).toMatchObject({ status: 403, body: { code: 'ROLE_FORBIDDEN' } });
      }
    }
    expect(await problem('POST', `/v1/trips/${trip.id}/cancel`, operator)).toMatchObject({ status: 403 });
  });

  it.each([
    ['no stars', {}],
    ['six stars', { stars: 6 }],
    ['half a star', { stars: 4.5 }],
    ['text that no database stores', { stars: 5, comment: 'a\0b' }],
    ['half a character', { stars: 5, comment: '\ud800' }],
    ['a comment without end', { stars: 5, comment: 'x'.repeat(501) }],
  ])('refuses a rating with %s', async (_, body) => {
    const answer = await problem(
      'POST',
      `/v1/trips/${randomUUIDv7()}/rating`,
      await platform.person('passenger'),
      body,
    );
    expect(answer).toMatchObject({ status: 400, body: { code: 'REQUEST_INVALID' } });
  });

  it('has an id that is a UUID', async () => {
    const passenger = await platform.person('passenger');
    expect(await problem('GET', '/v1/trips/1', passenger)).toMatchObject({ status: 400 });
    expect(await problem('GET', `/v1/trips/${randomUUIDv7()}`, passenger)).toMatchObject({ status: 404 });
  });
});

describe('the list of trips', () => {
  it('pages through one’s own, newest first, unmoved by what is requested meanwhile', async () => {
    const passenger = await platform.person('passenger');
    const requested: string[] = [];
    const requestAndCancel = async () => {
      const { id } = await platform.requestTrip(passenger);
      await platform.call('POST', `/v1/trips/${id}/cancel`, { as: passenger });
      requested.unshift(id);
    };
    for (let i = 0; i < 5; i++) await requestAndCancel();
    const expected = [...requested];

    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const query: string = cursor ? `limit=2&cursor=${encodeURIComponent(cursor)}` : 'limit=2';
      const { body }: { body: { items: TripView[]; nextCursor: string | null } } = await platform.call(
        'GET',
        `/v1/trips?${query}`,
        { as: passenger },
      );
      seen.push(...body.items.map(({ id }) => id));
      cursor = body.nextCursor;
      await requestAndCancel();
    } while (cursor);
    expect(seen).toEqual(expected);
  });

  it.each(['limit=0', 'limit=101', 'limit=x', 'cursor=%00', 'cursor=bm8', 'sort=id'])('refuses %s', async (query) => {
    const answer = await problem('GET', `/v1/trips?${query}`, await platform.person('passenger'));
    expect(answer).toMatchObject({ status: 400, body: { code: 'REQUEST_INVALID' } });
  });
});

describe('the OpenAPI document', () => {
  it('describes every call with its refusals', async () => {
    const { body } = await platform.call<{ openapi: string; paths: Record<string, Record<string, object>> }>(
      'GET',
      '/openapi.json',
    );
    expect(body.openapi).toMatch(/^3\.1/);
    const own = Object.keys(body.paths).filter((path) => !path.startsWith('/v1/ops/'));
    expect(own.sort()).toEqual([
      '/v1/quotes',
      '/v1/trips',
      '/v1/trips/{id}',
      '/v1/trips/{id}/arrive',
      '/v1/trips/{id}/cancel',
      '/v1/trips/{id}/complete',
      '/v1/trips/{id}/events',
      '/v1/trips/{id}/rating',
      '/v1/trips/{id}/start',
    ]);
    const create = body.paths['/v1/trips']!.post as { responses: Record<string, { description: string }> };
    expect(Object.keys(create.responses)).toEqual(expect.arrayContaining(['201', '400', '401', '403', '404', '409']));
    expect(create.responses['409']!.description).toContain('QUOTE_EXPIRED');
    // One trip, described once, and a body that may be left out.
    expect(create).toMatchObject({
      requestBody: { required: true },
      responses: { 201: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Trip' } } } } },
    });
    expect(body).toMatchObject({ components: { schemas: { Trip: { type: 'object' } } } });
    expect(body.paths['/v1/trips/{id}/cancel']!.post).toMatchObject({ requestBody: { required: false } });
  });
});

describe('the figures of the city', () => {
  it('count recent trips and those under way, for operators', async () => {
    const operator = await platform.person('operator');
    const figures = async () =>
      (await platform.call<Record<string, number>>('GET', '/v1/ops/trip-figures', { as: operator })).body;
    const before = await figures();
    const passenger = await platform.person('passenger');
    const { body: quote } = await platform.quote(passenger);
    const { body: trip } = await platform.call<TripView>('POST', '/v1/trips', {
      as: passenger,
      body: { quoteId: quote.quoteId },
    });
    const underWay = before.underWay as unknown as Record<string, number>;
    expect(await figures()).toMatchObject({
      requested: before.requested! + 1,
      underWay: { ...underWay, requested: underWay.requested! + 1 },
    });
    await platform.call('POST', `/v1/trips/${trip.id}/cancel`, { as: passenger, body: {} });
    expect(await figures()).toMatchObject({ cancelled: before.cancelled! + 1, underWay });
    await platform.rows(`UPDATE trips SET accepted_at = requested_at + interval '90 seconds'`);
    expect(await figures()).toMatchObject({ medianAcceptS: 90 });
  });
});
