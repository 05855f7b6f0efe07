import { TripCancelled, TripCompleted } from '@cabstand/contracts';
import { eventually } from '@cabstand/testing';
import { randomUUIDv7 } from 'node:crypto';
import { north, PICKUP, startPlatform, untilWaiting, type Person, type Platform } from './harness.ts';

let platform: Platform;
const start = (settings: Record<string, string> = {}) =>
  startPlatform(settings, 2).then((started) => (platform = started));
afterEach(async () => {
  try {
    await platform.expectNobodyStuck();
    // The lock order holds: nobody had to be sacrificed.
    const database = 'SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()';
    expect(await platform.rows(database)).toEqual([{ deadlocks: 0 }]);
  } finally {
    await platform.stop();
  }
});

const times = <T>(count: number, make: (index: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, i) => make(i)));
const cancel = (tripId: string) =>
  platform.messages.publish(
    TripCancelled,
    { tripId, passengerId: randomUUIDv7(), driverId: null, cancelledBy: 'passenger' },
    { sequence: 9 },
  );

it('50 trips want one driver: one reservation comes of it', async () => {
  await start();
  const driver = await platform.hire();
  const trips = await times(50, () => platform.request());
  await eventually(async () => {
    const [found] = await platform.rows<{ count: number }>('SELECT count(*)::int FROM inbox');
    expect(found!.count).toBe(50);
  });
  const offers = await platform.rows<{ id: string; tripId: string }>('SELECT id, trip_id AS "tripId" FROM offers');
  expect(offers).toHaveLength(1);
  expect(await platform.reserved()).toEqual([{ driverId: driver.id, tripId: offers[0]!.tripId }]);
  expect(await platform.answer(driver, offers[0]!.id, 'accept')).toMatchObject({ status: 200 });

  await Promise.all(trips.map(cancel));
  await eventually(async () => {
    expect(await platform.rows(`SELECT 1 FROM dispatches WHERE status = 'closed'`)).toHaveLength(50);
  });
  expect(await platform.reserved()).toEqual([]);
});

it('the same driver accepts one offer 100 times at once: 100 equal answers, one event', async () => {
  await start();
  const driver = await platform.hire();
  const tripId = await platform.request();
  const { offerId } = await platform.untilOffered(driver);
  const answers = await times(100, (i) => platform.answer(driver, offerId, 'accept', i % 2));
  const expected = { status: 200, body: { offerId, tripId, status: 'accepted' } };
  expect(answers.map(({ status, body }) => ({ status, body }))).toEqual(answers.map(() => expected));
  const events = () => platform.messages.of(tripId).map(({ type }) => type);
  await eventually(() => expect(events()).toContain('dispatch.accepted'));
  expect(events()).toEqual(['dispatch.offered', 'dispatch.accepted']);
  expect(await platform.rows(`SELECT 1 FROM outbox`)).toEqual([]);
});

it('two replicas sweep, expire and offer again while the old drivers accept: nobody is on two trips, no trip has two drivers', async () => {
  await start({ DISPATCH_OFFER_TTL: '250ms', DISPATCH_MAX_REFUSALS: '100', DISPATCH_SWEEP_EVERY: '20ms' });
  const drivers = await times(8, (i) => platform.hire(north(i)));
  const trips = await times(4, () => platform.request());
  let taken = 0;
  // Each driver answers late: about when the offer expires, and is offered to the next by one of the replicas.
  const work = async (driver: Person, index: number): Promise<void> => {
    for (let round = 0; round < 12 && taken < trips.length; round++) {
      const offered = await platform.offer(driver, index % 2);
      if (offered.status !== 200) {
        await Promise.race([nextOfferOf(driver), allTaken]);
        continue;
      }
      const { offerId, expiresAt } = offered.body;
      const untilExpiryMs = Date.parse(expiresAt) - Date.now() + (index % 3) * 5 - 4;
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, untilExpiryMs)));
      const { status, body } = await platform.answer(driver, offerId, 'accept', (index + 1) % 2);
      if (status === 200) taken++;
      else expect(body.code).toBe('OFFER_EXPIRED');
      if (taken >= trips.length) stopWaiting();
    }
  };
  const { promise: allTaken, resolve: stopWaiting } = Promise.withResolvers<void>();
  const nextOfferOf = (driver: Person) =>
    eventually(async () => expect((await platform.offer(driver)).status).toBe(200), { timeoutMs: 400 }).catch(
      () => undefined,
    );
  await Promise.all(drivers.map(work));

  const accepted = await platform.rows<{ tripId: string; driverId: string }>(
    `SELECT trip_id AS "tripId", driver_id AS "driverId" FROM offers WHERE status = 'accepted' ORDER BY trip_id`,
  );
  expect(accepted).toHaveLength(taken);
  expect(new Set(accepted.map(({ driverId }) => driverId)).size).toBe(accepted.length);
  await eventually(() => {
    const events = platform.messages.published.filter(({ type }) => type === 'dispatch.accepted');
    const told = events.map(({ payload: { tripId, driverId } }) => ({ tripId, driverId }));
    expect(told.toSorted((a, b) => (String(a.tripId) < String(b.tripId) ? -1 : 1))).toEqual(accepted);
  });
  for (const tripId of trips) {
    const sequences = platform.messages.of(tripId).map(({ sequence }) => sequence);
    expect(sequences).toEqual(sequences.map((_, index) => index + 1));
  }
  await Promise.all(trips.map(cancel));
  await eventually(async () => expect(await platform.reserved()).toEqual([]));
});

it('cancelled against accepted: whichever comes first, the driver ends free', async () => {
  await start();
  const drivers = await times(10, (i) => platform.hire(north(i)));
  const trips = await times(10, () => platform.request());
  // All of them first: a driver who is freed early could be offered a trip meant for another.
  await eventually(async () => {
    expect(await platform.rows(`SELECT 1 FROM offers WHERE status = 'open'`)).toHaveLength(trips.length);
  });
  const answers = await Promise.all(
    drivers.map(async (driver) => {
      const { offerId, tripId } = await platform.untilOffered(driver);
      const [answer] = await Promise.all([platform.answer(driver, offerId, 'accept'), cancel(tripId)]);
      return { tripId, ...answer };
    }),
  );
  await eventually(async () => {
    expect(await platform.rows(`SELECT 1 FROM dispatches WHERE status = 'closed'`)).toHaveLength(trips.length);
  });
  expect(await platform.reserved()).toEqual([]);
  for (const { tripId, status, body } of answers) {
    const last = status === 200 ? 'dispatch.accepted' : 'dispatch.withdrawn';
    await eventually(() =>
      expect(platform.messages.of(tripId).map(({ type }) => type)).toEqual(['dispatch.offered', last]),
    );
    if (status !== 200) expect(body.code).toBe('OFFER_WITHDRAWN');
  }
});

it('offline against offered: nobody who is offline keeps an offer', async () => {
  await start({ DISPATCH_MAX_REFUSALS: '100' });
  const drivers = await times(6, (i) => platform.hire(north(i)));
  const trips: string[] = [];
  for (let round = 0; round < 4; round++) {
    const requested = times(6, () => platform.request());
    const toggled = Promise.all(
      drivers.map((driver, i) => platform.go(driver, (round + i) % 2 === 0 ? 'offline' : 'online', (round + i) % 2)),
    );
    trips.push(...(await requested));
    for (const { status } of await toggled) expect(status).toBe(200);
  }
  await Promise.all(drivers.map((driver, i) => platform.go(driver, 'offline', i % 2)));
  expect(await platform.reserved()).toEqual([]);
  await Promise.all(trips.map(cancel));
  await eventually(async () => {
    expect(await platform.rows(`SELECT 1 FROM dispatches WHERE status = 'closed'`)).toHaveLength(trips.length);
  });
  expect(await platform.rows(`SELECT 1 FROM offers WHERE status = 'open'`)).toEqual([]);
});

it('the deadline ends the search, also of an open offer, and only once', async () => {
  await start({ DISPATCH_DEADLINE: '600ms', DISPATCH_SWEEP_EVERY: '20ms' });
  const driver = await platform.hire();
  const offeredTrip = await platform.request();
  const waitingTrip = await platform.request(north(40_000));
  const { expiresAt, offerId } = await platform.untilOffered(driver);
  const [dispatch] = await platform.rows<{ deadlineAt: Date }>(
    'SELECT deadline_at AS "deadlineAt" FROM dispatches WHERE trip_id = $1',
    [offeredTrip],
  );
  expect(Date.parse(expiresAt)).toBeLessThanOrEqual(dispatch!.deadlineAt.getTime());
  for (const tripId of [offeredTrip, waitingTrip]) {
    await platform.untilDispatch(tripId, 'exhausted');
    await eventually(() => {
      const events = platform.messages.of(tripId, 'dispatch.exhausted').map(({ payload }) => payload);
      expect(events).toEqual([{ tripId, reason: 'deadline' }]);
    });
  }
  await platform.untilOffers(offeredTrip, ['expired']);
  expect(await platform.answer(driver, offerId, 'accept')).toMatchObject({
    status: 409,
    body: { code: 'OFFER_EXPIRED' },
  });
  expect(await platform.reserved()).toEqual([]);
});

it('an accept after the time, before any sweep, is refused and expires the offer', async () => {
  await start({ DISPATCH_OFFER_TTL: '100ms', DISPATCH_SWEEP_EVERY: '1h' });
  const [driver, next] = [await platform.hire(), await platform.hire(north(100))];
  const tripId = await platform.request();
  const [offer] = await platform.untilOffers(tripId, ['open']);
  await eventually(async () => expect(await platform.offer(driver)).toMatchObject({ status: 204 }));
  expect(await platform.rows('SELECT 1 FROM offers WHERE status = $1', ['open'])).toHaveLength(1);
  expect(await platform.answer(driver, offer!.id, 'accept')).toMatchObject({
    status: 409,
    body: { code: 'OFFER_EXPIRED' },
  });
  const [, second] = await platform.untilOffers(tripId, ['expired', 'open']);
  expect(second!.driverId).toBe(next.id);
});

describe('a driver whose row another transaction holds', () => {
  const holding = async (driver: Person, work: (release: () => Promise<void>) => Promise<void>) => {
    const client = await platform.pool.connect();
    try {
      await client.query('BEGIN');
      await client.query('SELECT 1 FROM availability WHERE driver_id = $1 FOR UPDATE', [driver.id]);
      await work(async () => void (await client.query('COMMIT')));
    } finally {
      await client.query('ROLLBACK');
      client.release();
    }
  };
  it('is waited for when it takes a moment: the nearest gets the offer', async () => {
    await start();
    let attempts = 0;
    // The moment is a tenth of a second, which a busy machine may miss: then once more, with others elsewhere.
    await eventually(
      async () => {
        const atM = 20_000 * attempts++;
        const [near, far] = [await platform.hire(north(atM)), await platform.hire(north(atM + 100))];
        await holding(near, async (release) => {
          const tripId = await platform.request(north(atM));
          await untilWaiting(platform, 1);
          await release();
          const [offer] = await platform.untilOffers(tripId, ['open']);
          expect(offer!.driverId).toBe(near.id);
        });
        expect(await platform.offer(far)).toMatchObject({ status: 204 });
      },
      { timeoutMs: 40_000 },
    );
  });

  it('is passed over when it takes longer: the trip does not wait', async () => {
    await start();
    const [near, far] = [await platform.hire(), await platform.hire(north(100))];
    await holding(near, async () => {
      const tripId = await platform.request();
      const [offer] = await platform.untilOffers(tripId, ['open']);
      expect(offer!.driverId).toBe(far.id);
    });
  });
});

it('a driver who says nothing for long goes offline, but not from under a trip', async () => {
  await start({ DISPATCH_SILENT_AFTER: '400ms' });
  const busy = await platform.hire();
  const tripId = await platform.request();
  const { offerId } = await platform.untilOffered(busy);
  await platform.answer(busy, offerId, 'accept');
  const [idle, neverHeard] = [await platform.hire(), await platform.signUp()];
  await platform.go(neverHeard, 'online');
  const statusOf = async ({ id }: Person) => {
    const told = platform.messages.of(id, 'driver.updated').map(({ payload }) => payload.status);
    const rows = await platform.rows<{ status: string }>('SELECT status FROM availability WHERE driver_id = $1', [id]);
    return [...told, rows[0]!.status];
  };
  const left = ['online', 'offline', 'offline'];
  for (const driver of [idle, neverHeard]) await eventually(async () => expect(await statusOf(driver)).toEqual(left));
  expect(await statusOf(busy)).toEqual(['online', 'online']);
  await cancel(tripId);
  await eventually(async () => expect(await statusOf(busy)).toEqual(left));
});

it('drives many trips with few drivers to their end, and everybody is free then', async () => {
  await start({ DISPATCH_MAX_REFUSALS: '100' });
  const drivers = await times(5, (i) => platform.hire(north(10 * i)));
  const trips = new Set<string>(await times(20, () => platform.request(PICKUP)));
  const work = async (driver: Person, index: number): Promise<void> => {
    while (trips.size > 0) {
      const { status, body } = await platform.offer(driver, index % 2);
      if (status !== 200) {
        await new Promise((resolve) => setImmediate(resolve));
        continue;
      }
      const { offerId, tripId } = body;
      if ((await platform.answer(driver, offerId, 'accept', index % 2)).status !== 200) continue;
      const over = { tripId, passengerId: randomUUIDv7(), driverId: driver.id, fareMinor: 1, currency: 'EUR' };
      await platform.messages.publish(TripCompleted, over, { sequence: 5 });
      trips.delete(tripId);
    }
  };
  await Promise.all(drivers.map(work));
  await eventually(async () => {
    expect(
      await platform.rows(`SELECT 1 FROM dispatches WHERE status = 'closed' AND trip_status = 'completed'`),
    ).toHaveLength(20);
  });
  expect(await platform.reserved()).toEqual([]);
});
