import { eventually } from '@cabstand/testing';
import { OVER, type Offer, type PassengerApi, type Trip } from '../../../tools/client/api.ts';
import { ApiError, call } from '../../../tools/client/http.ts';
import { tapEvents } from '../../../tools/client/event-tap.ts';
import { expectAgreement, knowledgeOf, query } from '../src/agreement.ts';
import {
  acceptedTrip,
  drive,
  newDriver,
  newPassenger,
  requestTrip,
  untilOffered,
  untilTrip,
  type NewDriver,
  type NewPassenger,
} from '../src/people.ts';
import { freshPlace, northOf, type Place } from '../src/places.ts';
import { Platform } from '../src/platform.ts';
import { permutations, publishAs, type Fact } from '../src/publish.ts';

/** P6: a driver is on at most one trip and holds at most one open offer; a trip has at most one driver. */
let platform: Platform;
beforeAll(async () => {
  platform = await Platform.start({
    replicas: { driver: 2 },
    env: {
      DISPATCH_OFFER_TTL: '1500ms',
      DISPATCH_SWEEP_EVERY: '100ms',
      DISPATCH_MAX_REFUSALS: '4',
      DISPATCH_POSITION_MAX_AGE: '10m',
    },
  });
});
afterAll(() => platform?.stop());
afterEach(() => expectAgreement(platform));

const replica = (index: number) => platform.urlsOfReplica('driver', index % 2);
const people = <T>(count: number, make: (index: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, index) => make(index)));

/** Refusals are part of a race; anything else is a fault. */
async function orRefused<T>(attempt: Promise<T>): Promise<T | ApiError> {
  try {
    return await attempt;
  } catch (error) {
    if (!(error instanceof ApiError && error.status < 500)) throw error;
    return error;
  }
}

/** A service that is asked for more than it can do at the moment says so, and is asked again. */
async function insistently<T>(attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 503)) throw error;
      expect(error.retryAfterS).toBeGreaterThan(0);
    }
  }
}

async function requestInsistently(passenger: PassengerApi, { pickup, dropoff }: Place): Promise<Trip> {
  const { quoteId } = await insistently(() => passenger.quote(pickup, dropoff));
  const key = crypto.randomUUID();
  return insistently(() => passenger.requestTrip(quoteId, key));
}

it('lets 50 trips want one driver, and one reservation come of it', async () => {
  const place = freshPlace();
  const passengers = await people(50, () => newPassenger(platform.urls));
  const driver = await newDriver(platform.urls, place.pickup);
  const trips = await Promise.all(passengers.map(({ api }) => requestInsistently(api, place)));
  const standing = async () => {
    const { offers } = await knowledgeOf(platform);
    return offers.filter(
      ({ driver_id, status }) => driver_id === driver.id && (status === 'open' || status === 'accepted'),
    );
  };
  /** On a busy machine an offer may be over before it is accepted; then another of the trips is offered. */
  const take = async (): Promise<string> => {
    const { offerId, tripId } = await untilOffered(driver.api);
    const before = await standing();
    const answer = await orRefused(driver.api.accept(offerId));
    if (answer instanceof ApiError) {
      expect({ code: answer.code, isOne: before.length < 2 }).toEqual({ code: 'OFFER_EXPIRED', isOne: true });
      return take();
    }
    // What could be accepted was open when it was looked for.
    expect(before).toHaveLength(1);
    return tripId;
  };
  const tripId = await take();
  await untilTrip(driver.api, tripId, 'accepted');
  expect(await standing()).toHaveLength(1);
  expect((await driver.api.trips()).items.map(({ id }) => id)).toEqual([tripId]);
  await drive(driver.api, tripId);
  await driver.api.goOffline();
  const cancel = ({ api }: NewPassenger, index: number) => api.cancel(trips[index]!.id);
  await Promise.all(passengers.map((passenger, index) => orRefused(insistently(() => cancel(passenger, index)))));
});

it('answers 100 acceptances of one offer alike, and makes one event of them', async () => {
  const place = freshPlace();
  const tap = await tapEvents(platform.broker.adminUrl);
  const passenger = await newPassenger(platform.urls);
  const driver = await newDriver(platform.urls, place.pickup);
  const { id } = await requestTrip(passenger.api, place);
  const { offerId } = await untilOffered(driver.api, id);
  const token = await driver.api.session.token();
  const answers = await people(100, async (index) => {
    const { status, body } = await call('POST', `${replica(index).driver}/v1/offers/${offerId}/accept`, { token });
    return JSON.stringify([status, body]);
  });
  expect([...new Set(answers)]).toEqual([JSON.stringify([200, { offerId, tripId: id, status: 'accepted' }])]);
  await untilTrip(passenger.api, id, 'accepted');
  await drive(driver.api, id);
  await eventually(() =>
    expect(tap.events.filter(({ subject }) => subject === id).map((e) => e.routingKey)).toContain('trip.completed'),
  );
  expect(tap.events.filter((event) => event.routingKey === 'dispatch.accepted' && event.subject === id)).toHaveLength(
    1,
  );
  await tap.close();
});

it('gives a trip one driver, while two replicas expire its offers and the old driver accepts after all', async () => {
  const place = freshPlace();
  const drivers = await people(4, (index) => newDriver(replica(index), northOf(place.pickup, 50 * index)));
  const passengers = await people(8, () => newPassenger(platform.urls));
  const trips = await Promise.all(passengers.map(({ api }) => requestTrip(api, place)));
  const accepted = new Map<string, string[]>();
  const over = new AbortController();

  /** None once it is over. */
  const nextOffer = ({ api }: NewDriver): Promise<Offer | undefined> =>
    eventually(
      async () => {
        const offer = await api.offer();
        expect(offer !== undefined || over.signal.aborted).toBe(true);
        return offer;
      },
      { timeoutMs: 60_000 },
    );

  const hesitate = async (driver: NewDriver) => {
    const { id, api } = driver;
    for (let offer = await nextOffer(driver); offer; offer = await nextOffer(driver)) {
      const { offerId, tripId, expiresAt } = offer;
      // At the very moment at which the offer expires, on both replicas at once.
      await new Promise((resolve) => setTimeout(resolve, Date.parse(expiresAt) - Date.now() - 15));
      const token = await api.session.token();
      const answers = await Promise.all(
        [0, 1].map((index) =>
          orRefused(call('POST', `${replica(index).driver}/v1/offers/${offerId}/accept`, { token })),
        ),
      );
      if (answers.every((answer) => answer instanceof ApiError)) continue;
      accepted.set(tripId, [...(accepted.get(tripId) ?? []), id]);
      await untilTrip(api, tripId, 'accepted');
      await drive(api, tripId);
    }
  };
  const racing = Promise.all(drivers.map(hesitate));
  const everyTripIsOver = async () => {
    const statuses = await Promise.all(passengers.map(({ api }, index) => api.trip(trips[index]?.id ?? '')));
    expect(statuses.filter(({ status }) => !OVER.includes(status)).map(({ id, status }) => `${id} ${status}`)).toEqual(
      [],
    );
  };
  try {
    await eventually(everyTripIsOver, { timeoutMs: 50_000, everyMs: 200 });
  } finally {
    over.abort();
    await racing;
  }
  for (const [tripId, takers] of accepted) expect({ tripId, takers }).toEqual({ tripId, takers: [expect.any(String)] });
});

it('frees the driver whenever a cancellation races the acceptance, across the services', async () => {
  const rounds = await people(10, async (index) => {
    const place = freshPlace();
    const [passenger, driver] = await Promise.all([
      newPassenger(platform.urls),
      newDriver(replica(index), place.pickup),
    ]);
    return { place, passenger, driver };
  });
  await Promise.all(
    rounds.map(async ({ place, passenger, driver }, index) => {
      for (let round = 0; round < 3; round += 1) {
        const { id } = await requestTrip(passenger.api, place);
        const { offerId } = await untilOffered(driver.api, id);
        // Now together, now one a little after the other.
        const late = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
        await Promise.all([
          late((index % 5) * 4).then(() => orRefused(driver.api.accept(offerId))),
          late((index % 3) * 6).then(() => passenger.api.cancel(id)),
        ]);
        expect((await passenger.api.trip(id)).status).toBe('cancelled');
      }
    }),
  );
  await expectAgreement(platform);
  const { reservations } = await knowledgeOf(platform);
  expect(reservations.filter(({ driver_id }) => rounds.some(({ driver }) => driver.id === driver_id))).toEqual([]);
  // Free not only on paper.
  for (const { place, passenger, driver } of rounds.slice(0, 2)) {
    const { id } = await acceptedTrip(passenger.api, driver.api, place);
    await drive(driver.api, id);
  }
});

it('ends in the same state in whatever order the events of one trip arrive', async () => {
  const place = freshPlace();
  const watching = await newDriver(platform.urls, place.pickup);
  const [passengerId, driverId] = [crypto.randomUUID(), crypto.randomUUID()];
  const story = (rest: [string, Record<string, unknown>][]): Fact[] => {
    const tripId = crypto.randomUUID();
    const requested = { ...place, fareMinor: 500, currency: 'EUR' };
    return [['trip.requested', requested] as [string, Record<string, unknown>], ...rest].map(
      ([type, payload], index) => ({
        type,
        sequence: index + 1,
        payload: { tripId, passengerId, driverId, ...payload },
      }),
    );
  };
  const endings: [string, Record<string, unknown>][][] = [
    [
      ['trip.accepted', {}],
      ['trip.arrived', {}],
      ['trip.started', {}],
      ['trip.completed', { fareMinor: 500, currency: 'EUR' }],
    ],
    [
      ['trip.accepted', {}],
      ['trip.cancelled', { cancelledBy: 'passenger' }],
    ],
    [['trip.unfulfilled', { driverId: null }]],
  ];
  const orders = endings.flatMap((ending) =>
    permutations(story(ending).map((_, index) => index)).map((order) => {
      const facts = story(ending);
      return order.map((index) => facts[index] as Fact);
    }),
  );
  expect(orders).toHaveLength(120 + 6 + 2);
  await publishAs('trip', platform.broker.adminUrl, orders.flat());

  const { driver, passenger } = platform.databases;
  const tripIds = orders.map(([first]) => first?.payload['tripId']);
  await eventually(
    async () => {
      const read = await query<{ n: number }>(
        passenger.url,
        'SELECT count(*)::int AS n FROM passenger_trips WHERE trip_id = ANY($1) AND NOT under_way',
        [tripIds],
      );
      expect(read).toEqual([{ n: orders.length }]);
      const dispatches = await query(
        driver.url,
        'SELECT status, count(*)::int AS n FROM dispatches WHERE trip_id = ANY($1) GROUP BY status',
        [tripIds],
      );
      expect(dispatches).toEqual([{ status: 'closed', n: orders.length }]);
      const left = await query(driver.url, 'SELECT driver_id FROM availability WHERE reserved_trip_id = ANY($1)', [
        tripIds,
      ]);
      expect(left).toEqual([]);
    },
    { timeoutMs: 50_000, everyMs: 100 },
  );
  expect(await watching.api.offer()).toBeUndefined();
  await watching.api.goOffline();
});

it('keeps the newest of what it knows of a person, in whatever order the events arrive', async () => {
  const stories = permutations([0, 1, 2, 3]).map((order) => {
    const driverId = crypto.randomUUID();
    const vehicle = (colour: string) => ({ make: 'Cab', model: 'One', colour, plate: 'B-CS 1' });
    const facts: Fact[] = [
      { type: 'driver.registered', sequence: 1, payload: { driverId, firstName: 'Old', vehicle: vehicle('white') } },
      { type: 'driver.suspended', sequence: 2, payload: { driverId } },
      { type: 'driver.reinstated', sequence: 3, payload: { driverId } },
      {
        type: 'driver.updated',
        sequence: 4,
        payload: { driverId, firstName: 'New', vehicle: vehicle('black'), status: 'online' },
      },
    ];
    return order.map((index) => facts[index] as Fact);
  });
  await publishAs('driver', platform.broker.adminUrl, stories.flat());
  await eventually(async () => {
    const rows = await query(
      platform.databases.trip.url,
      `SELECT profile_sequence AS profile, standing_sequence AS standing, suspended, count(*)::int AS n FROM drivers
       WHERE id = ANY($1) GROUP BY 1, 2, 3`,
      [stories.map(([first]) => first?.payload['driverId'])],
    );
    // Names and vehicles are sealed there; which of them it keeps is told by the sequence beside them.
    expect(rows).toEqual([{ profile: 4, standing: 3, suspended: false, n: stories.length }]);
  });
});
