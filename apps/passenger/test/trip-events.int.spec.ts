import { randomUUIDv7 } from 'node:crypto';
import { TripCancelled, TripCompleted, TripRated, TripRequested, TripUnfulfilled } from '@cabstand/contracts';
import { eventually } from '@cabstand/testing';
import { startPlatform, type Person, type Platform } from './harness.ts';

let platform: Platform;
beforeAll(async () => {
  platform = await startPlatform();
});
afterAll(() => platform.stop());

const place = { lat: 52.52, lng: 13.405 };

/** What the trip service would say of one trip. */
function tripOf(passenger: { id: string }) {
  const ids = { tripId: randomUUIDv7(), passengerId: passenger.id };
  const { publish } = platform.messages;
  return {
    ...ids,
    requested: (options = {}) =>
      publish(
        TripRequested,
        { ...ids, pickup: place, dropoff: place, fareMinor: 900, currency: 'EUR' },
        { sequence: 1, ...options },
      ),
    completed: (options = {}) =>
      publish(
        TripCompleted,
        { ...ids, driverId: randomUUIDv7(), fareMinor: 900, currency: 'EUR' },
        { sequence: 5, ...options },
      ),
    cancelled: (options = {}) =>
      publish(TripCancelled, { ...ids, driverId: null, cancelledBy: 'passenger' }, { sequence: 2, ...options }),
    unfulfilled: (options = {}) => publish(TripUnfulfilled, { ...ids, driverId: null }, { sequence: 2, ...options }),
    rated: (stars: number, options = {}) =>
      publish(
        TripRated,
        { tripId: ids.tripId, rateeRole: 'passenger', rateeId: passenger.id, stars },
        { sequence: 6, ...options },
      ),
  };
}

const erase = ({ accessToken: token }: Person) =>
  platform.call<{ code: string }>('DELETE', '/v1/passengers/me', { token });
const rating = async ({ accessToken: token }: Person) =>
  (await platform.call<{ rating: number | null }>('GET', '/v1/passengers/me', { token })).body.rating;
const known = async (tripId: string) =>
  (
    await platform.rows<{ underWay: boolean; sequence: number }>(
      'SELECT under_way AS "underWay", sequence FROM passenger_trips WHERE trip_id = $1',
      [tripId],
    )
  )[0];
const untilKnown = (tripId: string, underWay: boolean) =>
  eventually(async () => expect(await known(tripId)).toMatchObject({ underWay }));

/** Every message so far has been handled, and none of them failed. */
const untilQuiet = () =>
  eventually(async () => {
    const ids = platform.messages.sent;
    expect(await platform.rows('SELECT FROM inbox WHERE message_id = ANY($1)', [[...ids]])).toHaveLength(ids.size);
    expect(await platform.rows('SELECT FROM dead_letters')).toEqual([]);
  });

describe('erasing', () => {
  it.each(['completed', 'cancelled', 'unfulfilled'] as const)('waits until the trip is %s', async (end) => {
    const passenger = await platform.register();
    const trip = tripOf(passenger);
    await trip.requested();
    await untilKnown(trip.tripId, true);
    expect(await erase(passenger)).toMatchObject({ status: 409, body: { code: 'TRIP_UNDER_WAY' } });
    await trip[end]();
    await untilKnown(trip.tripId, false);
    expect((await erase(passenger)).status).toBe(204);
  });

  it('is not held up by trips that ended before they were heard of', async () => {
    const passenger = await platform.register();
    const trip = tripOf(passenger);
    await trip.cancelled();
    await untilKnown(trip.tripId, false);
    await trip.requested();
    await untilQuiet();
    expect(await known(trip.tripId)).toEqual({ underWay: false, sequence: 2 });
    expect((await erase(passenger)).status).toBe(204);
  });

  it('leaves nothing that later events could trip over', async () => {
    const passenger = await platform.register();
    expect((await erase(passenger)).status).toBe(204);
    const trip = tripOf(passenger);
    await trip.requested();
    await trip.completed();
    await trip.rated(5);
    await untilKnown(trip.tripId, false);
    await untilQuiet();
  });
});

describe('a suspension', () => {
  it('takes effect when the trip under way is over', async () => {
    const passenger = await platform.register();
    const trip = tripOf(passenger);
    await trip.requested();
    await untilKnown(trip.tripId, true);
    const suspend = `/v1/passengers/${passenger.id}/suspend`;
    expect((await platform.call('POST', suspend, { token: platform.operator })).status).toBe(200);

    // Whoever sits in a car can still see where it goes, for longer than one access token lasts.
    const refreshed = await platform.call<Person>('POST', '/v1/sessions/refresh', {
      body: { refreshToken: passenger.refreshToken },
    });
    expect(refreshed.status).toBe(200);
    const token = refreshed.body.accessToken;
    expect((await platform.call('GET', '/v1/passengers/me', { token })).status).toBe(200);

    await trip.completed();
    await eventually(async () => expect((await platform.call('GET', '/v1/passengers/me', { token })).status).toBe(401));
    expect(await platform.signIn(passenger.email)).toMatchObject({ status: 403, body: { code: 'ACCOUNT_SUSPENDED' } });
    const revoked = await platform.rows<{ sequence: number }>(
      'SELECT sequence FROM sessions WHERE account_id = $1 AND revoked_at IS NOT NULL',
      [passenger.id],
    );
    expect(revoked).toEqual([{ sequence: 1 }]);
  });
});

describe('ratings', () => {
  it('make an average, each counted once', async () => {
    const passenger = await platform.register();
    const id = randomUUIDv7();
    await tripOf(passenger).rated(5, { id });
    await tripOf(passenger).rated(5, { id });
    await tripOf(passenger).rated(4);
    await tripOf(passenger).rated(4);
    await eventually(async () => expect(await rating(passenger)).toBe(4.3));
    await untilQuiet();
    expect(await rating(passenger)).toBe(4.3);
  });

  it('of drivers are none of ours', async () => {
    const passenger = await platform.register();
    const payload = { tripId: randomUUIDv7(), rateeRole: 'driver', rateeId: passenger.id, stars: 1 } as const;
    await platform.messages.publish(TripRated, payload);
    await tripOf(passenger).rated(5);
    await eventually(async () => expect(await rating(passenger)).toBe(5));
  });
});

it('every order of one trip ends the same way', async () => {
  const orders = permutations(['requested', 'completed', 'rated', 'completed-again'] as const);
  const trips = await Promise.all(
    orders.map(async (order) => {
      const trip = tripOf({ id: randomUUIDv7() });
      for (const event of order) {
        if (event === 'rated') await trip.rated(3);
        else if (event === 'completed-again') await trip.completed({ sequence: 7 });
        else await trip[event]();
      }
      return trip;
    }),
  );
  await untilQuiet();
  for (const { tripId } of trips) expect(await known(tripId)).toEqual({ underWay: false, sequence: 7 });
});

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length <= 1) return [[...items]];
  return items.flatMap((item, index) =>
    permutations([...items.slice(0, index), ...items.slice(index + 1)]).map((rest) => [item, ...rest]),
  );
}
