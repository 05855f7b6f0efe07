import { eventually } from '@cabstand/testing';
import { call } from '../../../tools/client/http.ts';
import { query } from '../src/agreement.ts';
import {
  acceptedTrip,
  drive,
  goOnlineAt,
  newDriver,
  newPassenger,
  refusal,
  requestTrip,
  untilOffered,
  untilTrip,
} from '../src/people.ts';
import { freshPlace, northOf } from '../src/places.ts';
import { Platform } from '../src/platform.ts';

let platform: Platform;
beforeAll(async () => {
  platform = await Platform.start({
    env: { DISPATCH_OFFER_TTL: '3s', DISPATCH_MAX_REFUSALS: '2', DISPATCH_SWEEP_EVERY: '200ms' },
  });
});
afterAll(() => platform?.stop());

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe('one trip, from registration to rating', () => {
  it('happens, and both sides see it', async () => {
    const place = freshPlace();
    const passenger = await newPassenger(platform.urls);
    const driver = await newDriver(platform.urls, northOf(place.pickup, 300));

    const quote = await passenger.api.quote(place.pickup, place.dropoff);
    expect(quote).toMatchObject({
      currency: 'EUR',
      distanceSource: 'estimate',
      quoteId: expect.stringMatching(UUID_V7),
    });
    // Two kilometres as the crow flies, times the detour factor of 1.3.
    expect(quote.distanceM).toBeGreaterThan(2_500);
    expect(quote.distanceM).toBeLessThan(2_700);

    const requested = await passenger.api.requestTrip(quote.quoteId, crypto.randomUUID());
    expect(requested).toMatchObject({
      id: expect.stringMatching(UUID_V7),
      status: 'requested',
      passengerId: passenger.id,
      driverId: null,
      fareMinor: quote.fareMinor,
      currency: 'EUR',
      ...place,
    });

    const offer = await untilOffered(driver.api, requested.id);
    expect(offer).toMatchObject({ tripId: requested.id, fareMinor: quote.fareMinor, ...place });
    expect(offer.pickupDistanceM).toBeGreaterThan(290);
    expect(offer.pickupDistanceM).toBeLessThan(310);

    const accepted = await driver.api.accept(offer.offerId);
    expect(accepted).toEqual({ offerId: offer.offerId, tripId: requested.id, status: 'accepted' });
    await untilTrip(driver.api, requested.id, 'accepted');
    expect(await drive(driver.api, requested.id)).toMatchObject({ status: 'completed', driverId: driver.id });

    const seen = await passenger.api.trip(requested.id);
    // Afterwards the driver keeps roughly where it went, and no name.
    const { lat, lng } = place.dropoff;
    const roughly = { ...place, dropoff: { lat: Math.round(lat * 100) / 100, lng } };
    const { passenger: _passenger, ...rest } = seen;
    expect(await driver.api.trip(requested.id)).toEqual({ ...rest, ...roughly });
    expect(seen).toMatchObject({
      status: 'completed',
      fareMinor: quote.fareMinor,
      passenger: { firstName: 'Ada' },
      driver: { firstName: 'Bruno', vehicle: driver.profile.vehicle, rating: null },
      cancelledAt: null,
      cancelledBy: null,
    });
    const times = [seen.requestedAt, seen.acceptedAt, seen.arrivedAt, seen.startedAt, seen.completedAt];
    expect(times).toEqual(times.toSorted());

    await passenger.api.rate(requested.id, 4);
    await driver.api.rate(requested.id, 5);
    expect(await refusal(passenger.api.rate(requested.id, 4))).toEqual({ status: 409, code: 'TRIP_ALREADY_RATED' });

    const second = await acceptedTrip(passenger.api, driver.api, place);
    expect(second.driver?.rating).toBe(4);
    await drive(driver.api, second.id);
  });

  it('can be found again, newest first and page by page', async () => {
    const place = freshPlace();
    const { api } = await newPassenger(platform.urls);
    const ids: string[] = [];
    for (let i = 0; i < 3; i += 1) {
      const { id } = await requestTrip(api, place);
      await api.cancel(id);
      ids.unshift(id);
    }
    const first = await api.trips('?limit=2');
    const second = await api.trips(`?limit=2&cursor=${first.nextCursor}`);
    expect([...first.items, ...second.items].map(({ id }) => id)).toEqual(ids);
    expect(second.nextCursor).toBeNull();
  });
});

describe('finding a driver', () => {
  it('goes to the nearest, and on a refusal to the next', async () => {
    const place = freshPlace();
    const passenger = await newPassenger(platform.urls);
    const far = await newDriver(platform.urls, northOf(place.pickup, 900));
    const near = await newDriver(platform.urls, northOf(place.pickup, 100));
    const { id } = await requestTrip(passenger.api, place);

    const offer = await untilOffered(near.api, id);
    expect(await far.api.offer()).toBeUndefined();
    expect(await refusal(far.api.accept(offer.offerId))).toEqual({ status: 404, code: 'NOT_FOUND' });
    expect(await near.api.decline(offer.offerId)).toEqual({ offerId: offer.offerId, tripId: id, status: 'declined' });
    expect(await near.api.decline(offer.offerId)).toMatchObject({ status: 'declined' });
    expect(await refusal(near.api.accept(offer.offerId))).toMatchObject({ status: 409 });

    await far.api.accept((await untilOffered(far.api, id)).offerId);
    await untilTrip(passenger.api, id, 'accepted');
    expect(await refusal(near.api.trip(id))).toEqual({ status: 404, code: 'NOT_FOUND' });
  });

  it('waits for somebody to come online', async () => {
    const place = freshPlace();
    const passenger = await newPassenger(platform.urls);
    const driver = await newDriver(platform.urls);
    const { id } = await requestTrip(passenger.api, place);
    await goOnlineAt(driver.api, place.pickup);
    await untilOffered(driver.api, id);
  });

  it('takes an unanswered offer on to the next, and gives up after enough refusals', async () => {
    const place = freshPlace();
    const passenger = await newPassenger(platform.urls);
    const asleep = await newDriver(platform.urls, northOf(place.pickup, 100));
    const unwilling = await newDriver(platform.urls, northOf(place.pickup, 200));
    const never = await newDriver(platform.urls, northOf(place.pickup, 300));
    const { id } = await requestTrip(passenger.api, place);

    const missed = await untilOffered(asleep.api, id);
    const { offerId } = await untilOffered(unwilling.api, id);
    expect(await refusal(asleep.api.accept(missed.offerId))).toEqual({ status: 409, code: 'OFFER_EXPIRED' });
    await unwilling.api.decline(offerId);

    await untilTrip(passenger.api, id, 'unfulfilled');
    expect(await never.api.offer()).toBeUndefined();
  });

  it('ends when the passenger cancels, and the driver is free for the next', async () => {
    const place = freshPlace();
    const [first, second] = await Promise.all([newPassenger(platform.urls), newPassenger(platform.urls)]);
    const driver = await newDriver(platform.urls, place.pickup);
    const { id } = await requestTrip(first.api, place);
    const { offerId } = await untilOffered(driver.api, id);
    expect(await first.api.cancel(id)).toMatchObject({ status: 'cancelled', cancelledBy: 'passenger' });
    await eventually(async () => expect((await driver.api.offer())?.offerId).not.toBe(offerId));
    expect(await refusal(driver.api.accept(offerId))).toEqual({ status: 409, code: 'OFFER_WITHDRAWN' });
    await acceptedTrip(second.api, driver.api, place);
  });

  it.each(['accepted', 'arrived'] as const)(
    'lets the driver cancel a trip that is %s, and is free again',
    async (when) => {
      const place = freshPlace();
      const [first, second] = await Promise.all([newPassenger(platform.urls), newPassenger(platform.urls)]);
      const driver = await newDriver(platform.urls, place.pickup);
      const { id } = await acceptedTrip(first.api, driver.api, place);
      if (when === 'arrived') await driver.api.arrive(id);
      expect(await driver.api.cancel(id, 'flat tyre')).toMatchObject({ status: 'cancelled', cancelledBy: 'driver' });
      await acceptedTrip(second.api, driver.api, place);
    },
  );
});

describe('the order of things', () => {
  it('is kept: each step only after the one before, and only by whom it belongs to', async () => {
    const place = freshPlace();
    const [passenger, stranger] = await Promise.all([newPassenger(platform.urls), newPassenger(platform.urls)]);
    const [driver, other] = await Promise.all([newDriver(platform.urls, place.pickup), newDriver(platform.urls)]);
    const { id } = await requestTrip(passenger.api, place);
    const invalid = { status: 409, code: 'TRIP_TRANSITION_INVALID' };
    const notFound = { status: 404, code: 'NOT_FOUND' };
    const forbidden = { status: 403, code: 'ROLE_FORBIDDEN' };
    const at = (step: string) => `${platform.urls.trip}/v1/trips/${id}/${step}`;
    const passengerToken = await passenger.api.session.token();

    expect(await refusal(driver.api.arrive(id))).toEqual(notFound);
    expect(await refusal(passenger.api.rate(id, 5))).toEqual({ status: 409, code: 'TRIP_NOT_RATEABLE' });
    await driver.api.accept((await untilOffered(driver.api, id)).offerId);
    await untilTrip(driver.api, id, 'accepted');
    for (const step of ['arrive', 'start', 'complete'] as const) {
      expect(await refusal(other.api[step](id))).toEqual(notFound);
      expect(await refusal(call('POST', at(step), { token: passengerToken }))).toEqual(forbidden);
    }
    expect(await refusal(stranger.api.trip(id))).toEqual(notFound);
    expect(await refusal(stranger.api.cancel(id))).toEqual(notFound);
    expect(await refusal(other.api.cancel(id))).toEqual(notFound);
    expect(await refusal(stranger.api.rate(id, 1))).toEqual(notFound);

    expect(await refusal(driver.api.start(id))).toEqual(invalid);
    expect(await refusal(driver.api.complete(id))).toEqual(invalid);
    await driver.api.arrive(id);
    expect(await refusal(driver.api.arrive(id))).toEqual(invalid);
    await driver.api.start(id);
    expect(await refusal(passenger.api.cancel(id))).toEqual(invalid);
    expect(await refusal(driver.api.cancel(id))).toEqual(invalid);
    await driver.api.complete(id);
    expect(await refusal(driver.api.complete(id))).toEqual(invalid);
    expect(await refusal(passenger.api.cancel(id))).toEqual(invalid);
  });

  it('gives a passenger one trip at a time, and a quote one trip at all', async () => {
    const place = freshPlace();
    const [passenger, stranger] = await Promise.all([newPassenger(platform.urls), newPassenger(platform.urls)]);
    const [first, second] = await Promise.all([
      passenger.api.quote(place.pickup, place.dropoff),
      passenger.api.quote(place.pickup, place.dropoff),
    ]);
    const request = (quoteId: string) => passenger.api.requestTrip(quoteId, crypto.randomUUID());
    expect(await refusal(stranger.api.requestTrip(first.quoteId, 'mine'))).toEqual({ status: 404, code: 'NOT_FOUND' });
    expect(await refusal(request(crypto.randomUUID()))).toEqual({ status: 404, code: 'NOT_FOUND' });
    const trip = await request(first.quoteId);
    expect(await refusal(request(second.quoteId))).toEqual({ status: 409, code: 'TRIP_ALREADY_ACTIVE' });
    await passenger.api.cancel(trip.id);
    expect(await refusal(request(first.quoteId))).toEqual({ status: 409, code: 'QUOTE_USED' });
    await passenger.api.cancel((await request(second.quoteId)).id);
  });

  it('holds a quote for a while, and no longer', async () => {
    const place = freshPlace();
    const { api } = await newPassenger(platform.urls);
    const { quoteId, expiresAt } = await api.quote(place.pickup, place.dropoff);
    expect(Date.parse(expiresAt)).toBeGreaterThan(Date.now());
    // Nobody waits for five minutes.
    const past = `UPDATE quotes SET expires_at = now() - interval '1 ms' WHERE id = $1`;
    await query(platform.databases.trip.url, past, [quoteId]);
    const key = crypto.randomUUID();
    expect(await refusal(api.requestTrip(quoteId, key))).toEqual({ status: 409, code: 'QUOTE_EXPIRED' });
    expect((await api.trips()).items).toEqual([]);
  });

  it('repeats the first answer for the same idempotency key, and refuses the key for anything else', async () => {
    const place = freshPlace();
    const { api } = await newPassenger(platform.urls);
    const [one, other] = await Promise.all([
      api.quote(place.pickup, place.dropoff),
      api.quote(place.pickup, place.dropoff),
    ]);
    const key = crypto.randomUUID();
    const attempts = Array.from({ length: 5 }, () =>
      api.requestTrip(one.quoteId, key).catch((error: unknown) => {
        expect(error).toMatchObject({ status: 409, code: 'IDEMPOTENCY_IN_FLIGHT' });
      }),
    );
    const trips = (await Promise.all(attempts)).filter((trip) => trip !== undefined);
    const again = await api.requestTrip(one.quoteId, key);
    expect(trips).toEqual(trips.map(() => again));
    expect(await refusal(api.requestTrip(other.quoteId, key))).toEqual({ status: 422, code: 'IDEMPOTENCY_KEY_REUSED' });
    expect((await api.trips()).items).toHaveLength(1);
  });
});
