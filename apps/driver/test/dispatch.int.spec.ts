import { TripAccepted, TripCancelled, TripCompleted, TripRated, TripRequested } from '@cabstand/contracts';
import { eventually } from '@cabstand/testing';
import { randomUUIDv7 } from 'node:crypto';
import type { DriverView } from '../src/driver/driver.dto.ts';
import { DROPOFF, north, PICKUP, startPlatform, tripRequest, type Person, type Platform } from './harness.ts';

let platform: Platform;
let operator: Person;
beforeAll(async () => {
  platform = await startPlatform({ DISPATCH_MAX_REFUSALS: '3' });
  operator = { id: 'ops', token: await platform.issuer.token('operator', 'ops') };
});
afterEach(async () => {
  try {
    await platform.expectNobodyStuck();
  } finally {
    await platform.clear();
  }
});
afterAll(() => platform.stop());

const underWay = (tripId: string, driver: Person) => ({ tripId, passengerId: randomUUIDv7(), driverId: driver.id });
const cancelled = (tripId: string, driverId: string | null = null) => ({
  ...{ tripId, passengerId: randomUUIDv7(), driverId },
  cancelledBy: 'passenger' as const,
});
const types = (tripId: string) => platform.messages.of(tripId).map(({ type }) => type);

it('offers a trip to the nearest, declined to the next, and reserves who accepts until the trip is over', async () => {
  const [far, near, outOfReach] = [
    await platform.hire(north(900)),
    await platform.hire(north(300)),
    await platform.hire(north(8_100)),
  ];
  const tripId = await platform.request();
  const offer = await platform.untilOffered(near);
  expect(offer).toEqual({
    ...{ offerId: expect.any(String), tripId, pickup: PICKUP, dropoff: DROPOFF, fareMinor: 1_052, currency: 'EUR' },
    pickupDistanceM: 300,
    expiresAt: expect.stringMatching(/Z$/),
  });
  const secondsLeft = (Date.parse(offer.expiresAt) - Date.now()) / 1_000;
  expect(secondsLeft).toBeGreaterThan(10);
  expect(secondsLeft).toBeLessThanOrEqual(15);
  const declined = { status: 200, body: { offerId: offer.offerId, tripId, status: 'declined' } };
  expect(await platform.answer(near, offer.offerId, 'decline')).toMatchObject(declined);
  expect(await platform.answer(near, offer.offerId, 'decline')).toMatchObject(declined);

  const { offerId } = await platform.untilOffered(far);
  const accepted = { status: 200, body: { offerId, tripId, status: 'accepted' } };
  expect(await platform.answer(far, offerId, 'accept')).toMatchObject(accepted);
  expect(await platform.offer(far)).toMatchObject({ status: 204 });
  expect(await platform.reserved()).toEqual([{ driverId: far.id, tripId }]);
  expect(await platform.call('DELETE', '/v1/drivers/me', { as: far })).toMatchObject({
    status: 409,
    body: { code: 'TRIP_UNDER_WAY' },
  });

  await eventually(() =>
    expect(platform.messages.of(tripId).map(({ type, sequence }) => [sequence, type])).toEqual([
      [1, 'dispatch.offered'],
      [2, 'dispatch.declined'],
      [3, 'dispatch.offered'],
      [4, 'dispatch.accepted'],
    ]),
  );
  const [taken] = platform.messages.of(tripId, 'dispatch.accepted');
  expect(taken!.payload).toEqual({ tripId, offerId, driverId: far.id, driverIssuer: 'https://driver.test' });

  await platform.messages.publish(TripAccepted, underWay(tripId, far), { sequence: 2 });
  await platform.messages.publish(
    TripCompleted,
    { ...underWay(tripId, far), fareMinor: 1_052, currency: 'EUR' },
    { sequence: 5 },
  );
  await platform.untilDispatch(tripId, 'closed');
  expect(await platform.reserved()).toEqual([]);
  expect(await platform.answer(far, offerId, 'accept')).toMatchObject(accepted);
  expect(await platform.offer(outOfReach)).toMatchObject({ status: 204 });
});

it('waits for somebody to come online, to come near, or to be free', async () => {
  const tripId = await platform.request();
  await platform.untilDispatch(tripId, 'searching');
  const driver = await platform.hire();
  const { offerId } = await platform.untilOffered(driver);
  await platform.answer(driver, offerId, 'accept');

  const next = await platform.request();
  await platform.untilDispatch(next, 'searching');
  await platform.messages.publish(TripCancelled, cancelled(tripId, driver.id), { sequence: 3 });
  await eventually(async () => expect((await platform.offer(driver)).body).toMatchObject({ tripId: next }));

  const third = await platform.request();
  const passing = await platform.hire(north(9_000));
  await platform.untilDispatch(third, 'searching');
  await eventually(async () => {
    await platform.stand(passing, north(7_950));
    expect((await platform.offer(passing)).body).toMatchObject({ tripId: third, pickupDistanceM: 7_950 });
  });
});

it('gives up after too many refusals, once, and says so', async () => {
  const drivers = [
    await platform.hire(),
    await platform.hire(north(10)),
    await platform.hire(north(20)),
    await platform.hire(north(30)),
  ];
  const tripId = await platform.request();
  for (const driver of drivers.slice(0, 3)) {
    const { offerId } = await platform.untilOffered(driver);
    await platform.answer(driver, offerId, 'decline');
  }
  await platform.untilDispatch(tripId, 'exhausted');
  await eventually(() => expect(types(tripId).at(-1)).toBe('dispatch.exhausted'));
  expect(platform.messages.of(tripId, 'dispatch.exhausted').map(({ payload }) => payload)).toEqual([
    { tripId, reason: 'refusals' },
  ]);
  expect(await platform.offer(drivers[3]!)).toMatchObject({ status: 204 });
});

it('withdraws the offer when the trip is cancelled, and refuses a late answer', async () => {
  const driver = await platform.hire();
  const tripId = await platform.request();
  const { offerId } = await platform.untilOffered(driver);
  await platform.messages.publish(TripCancelled, cancelled(tripId), { sequence: 2 });
  await platform.untilOffers(tripId, ['withdrawn']);
  for (const action of ['accept', 'decline'] as const) {
    expect(await platform.answer(driver, offerId, action)).toMatchObject({
      status: 409,
      body: { code: 'OFFER_WITHDRAWN' },
    });
  }
  await eventually(() => expect(types(tripId)).toEqual(['dispatch.offered', 'dispatch.withdrawn']));
  expect(await platform.reserved()).toEqual([]);
});

it('going offline declines the open offer; the trip goes to the next', async () => {
  const [near, far] = [await platform.hire(), await platform.hire(north(500))];
  const tripId = await platform.request();
  await platform.untilOffered(near);
  expect(await platform.go(near, 'offline')).toMatchObject({ status: 200, body: { status: 'offline' } });
  await platform.untilOffered(far);
  await platform.untilOffers(tripId, ['declined', 'open']);
});

it('a suspension withdraws the open offer, and waits for a trip under way', async () => {
  const driver = await platform.hire();
  const suspend = (who: Person) => platform.call('POST', `/v1/drivers/${who.id}/suspend`, { as: operator });
  const tripId = await platform.request();
  const { offerId } = await platform.untilOffered(driver);
  await platform.answer(driver, offerId, 'accept');
  expect(await suspend(driver)).toMatchObject({ status: 200 });
  const me = () => platform.call<DriverView>('GET', '/v1/drivers/me', { as: driver });
  const refresh = (refreshToken: string) => platform.call('POST', '/v1/sessions/refresh', { body: { refreshToken } });
  expect(await me()).toMatchObject({ status: 200 });
  const refreshed = await platform.call<{ refreshToken: string }>('POST', '/v1/sessions/refresh', {
    body: { refreshToken: driver.refreshToken },
  });
  expect(refreshed).toMatchObject({ status: 200 });

  await platform.messages.publish(
    TripCompleted,
    { ...underWay(tripId, driver), fareMinor: 1, currency: 'EUR' },
    { sequence: 5 },
  );
  await eventually(async () => expect(await me()).toMatchObject({ status: 401 }));
  expect(await refresh(refreshed.body.refreshToken)).toMatchObject({
    status: 403,
    body: { code: 'ACCOUNT_SUSPENDED' },
  });
  expect(await platform.rows('SELECT status FROM availability')).toEqual([{ status: 'offline' }]);

  const other = await platform.hire();
  const next = await platform.request();
  await platform.untilOffered(other);
  expect(await suspend(other)).toMatchObject({ status: 200 });
  await platform.untilOffers(next, ['withdrawn']);
  await platform.untilDispatch(next, 'searching');
});

it('erasing the account withdraws the open offer', async () => {
  const driver = await platform.hire();
  const tripId = await platform.request();
  await platform.untilOffered(driver);
  expect(await platform.call('DELETE', '/v1/drivers/me', { as: driver })).toMatchObject({ status: 204 });
  await platform.untilOffers(tripId, ['withdrawn']);
  await platform.untilDispatch(tripId, 'searching');
});

it('a driver who is silent for too long is not offered trips', async () => {
  const driver = await platform.signUp();
  const points = [{ ...PICKUP, at: new Date(Date.now() - 301_000).toISOString() }];
  const report = await platform.call('POST', '/v1/drivers/me/positions', { as: driver, body: { points } });
  expect(report).toMatchObject({ status: 202, body: { accepted: 1 } });
  expect(await platform.go(driver, 'online')).toMatchObject({ status: 200 });
  const tripId = await platform.request();
  await platform.untilDispatch(tripId, 'searching');
  expect(await platform.offer(driver)).toMatchObject({ status: 204 });
  await platform.stand(driver, PICKUP);
  await platform.untilOffered(driver);
});

it('finds the nearest across the antimeridian', async () => {
  const [west, east] = [await platform.hire({ lat: 0, lng: -179.99 }), await platform.hire({ lat: 0, lng: 179.98 })];
  const tripId = await platform.request({ lat: 0, lng: 179.999 });
  const offer = await platform.untilOffered(west);
  expect(offer).toMatchObject({ tripId, pickupDistanceM: 1_223 });
  await platform.answer(west, offer.offerId, 'decline');
  expect(await platform.untilOffered(east)).toMatchObject({ tripId, pickupDistanceM: 2_113 });
});

it('frees a driver whose trip turned out to be another’s', async () => {
  const driver = await platform.hire();
  const tripId = await platform.request();
  const { offerId } = await platform.untilOffered(driver);
  await platform.answer(driver, offerId, 'accept');
  await platform.messages.publish(
    TripAccepted,
    { tripId, passengerId: randomUUIDv7(), driverId: randomUUIDv7() },
    { sequence: 2 },
  );
  await eventually(async () => expect(await platform.reserved()).toEqual([]));
  await platform.messages.publish(TripCancelled, cancelled(tripId), { sequence: 3 });
  await platform.untilDispatch(tripId, 'closed');
});

it('keeps the driver’s rating, and tells where drivers on a trip are', async () => {
  const driver = await platform.hire();
  const tripId = await platform.request();
  const { offerId } = await platform.untilOffered(driver);
  await platform.answer(driver, offerId, 'accept');
  const moved = { driverId: driver.id, tripId, position: north(5), at: expect.any(String) as string };
  await eventually(async () => {
    await platform.stand(driver, north(5));
    const told = platform.messages.published.filter(({ type }) => type === 'driver.moved');
    expect(told.map(({ payload }) => payload)).toContainEqual(moved);
  });

  for (const stars of [5, 4, 4]) {
    await platform.messages.publish(TripRated, { tripId, rateeRole: 'driver', rateeId: driver.id, stars });
  }
  await eventually(async () => {
    const { body } = await platform.call<DriverView>('GET', '/v1/drivers/me', { as: driver });
    expect(body.rating).toBe(4.33);
  });
});

it('handles a message once, and a repeated fact as if it were once', async () => {
  const driver = await platform.hire();
  const tripId = randomUUIDv7();
  const { publish } = platform.messages;
  const id = randomUUIDv7();
  await Promise.all([1, 2, 3].map(() => publish(TripRequested, tripRequest(tripId), { id })));
  await publish(TripRequested, tripRequest(tripId));
  await platform.untilOffered(driver);
  await publish(TripCancelled, cancelled(tripId), { sequence: 2 });
  await publish(TripCancelled, cancelled(tripId, driver.id), { sequence: 3 });
  await publish(TripRequested, tripRequest(tripId));
  await eventually(async () => expect(await platform.rows('SELECT 1 FROM inbox')).toHaveLength(5));
  await platform.untilOffers(tripId, ['withdrawn']);
});
