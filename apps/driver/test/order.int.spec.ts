import { randomUUIDv7 } from 'node:crypto';
import { Delivery } from '@cabstand/messaging';
import { TripEventsController } from '../src/driver/trip-events.controller.ts';
import { startPlatform, tripRequest, type Person, type Platform } from './harness.ts';

// The handlers are called directly, because the broker promises no order and here every order is wanted.
let platform: Platform;
let driver: Person;
let handlers: TripEventsController;
beforeAll(async () => {
  platform = await startPlatform();
  driver = await platform.hire();
  handlers = platform.services[0]!.app.get(TripEventsController);
});
afterAll(() => platform.stop());

type Fact = 'requested' | 'accepted' | 'arrived' | 'started' | 'completed' | 'cancelled' | 'unfulfilled';
const NUMBERED: Record<Fact, number> = {
  requested: 1,
  accepted: 2,
  arrived: 3,
  started: 4,
  completed: 5,
  cancelled: 5,
  unfulfilled: 5,
};

async function deliver(tripId: string, fact: Fact, id: string): Promise<void> {
  const envelope = {
    ...{ specversion: '1.0' as const, id, source: '/cabstand/trip', type: `trip.${fact}`, subject: tripId },
    ...{ time: new Date().toISOString(), sequence: NUMBERED[fact] },
  };
  const delivery = new Delivery(envelope, undefined, 'driver.trip-events', 1, false);
  const underWay = { tripId, passengerId: randomUUIDv7(), driverId: driver.id };
  const money = { fareMinor: 1_052, currency: 'EUR' };
  if (fact === 'requested') await handlers.onTripRequested(tripRequest(tripId), delivery);
  else if (fact === 'completed') await handlers.onTripFact({ ...underWay, ...money }, delivery);
  else if (fact === 'unfulfilled') await handlers.onTripFact({ ...underWay, driverId: null }, delivery);
  else await handlers.onTripFact(underWay, delivery);
}

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((first, i) => permutations(items.toSpliced(i, 1)).map((rest) => [first, ...rest]));
}

/** The facts in this order, each delivered twice: by turns as the same message and, stated again, as another. */
async function tell(tripId: string, facts: readonly Fact[]): Promise<void> {
  for (const [index, fact] of facts.entries()) {
    const id = randomUUIDv7();
    for (const message of [id, index % 2 === 0 ? id : randomUUIDv7()]) await deliver(tripId, fact, message);
  }
}

async function endOf(tripId: string) {
  const [dispatch] = await platform.rows(
    `SELECT status, trip_status, trip_sequence, fare_minor, currency, pickup_lat, dropoff_lng FROM dispatches WHERE trip_id = $1`,
    [tripId],
  );
  const open = await platform.rows(`SELECT 1 FROM offers WHERE trip_id = $1 AND status = 'open'`, [tripId]);
  return { dispatch, open, reserved: await platform.reserved() };
}

const over = (status: string) => ({
  dispatch: expect.objectContaining({
    status: 'closed',
    trip_status: status,
    trip_sequence: 5,
    fare_minor: '1052',
    currency: 'EUR',
  }),
  open: [],
  reserved: [],
});

it.each<[Fact, Fact[]]>([
  ['completed', ['requested', 'accepted', 'arrived', 'started', 'completed']],
  ['cancelled', ['requested', 'accepted', 'arrived', 'cancelled']],
  ['unfulfilled', ['requested', 'unfulfilled']],
])('a trip that ends %s does so in every order of its facts', async (end, facts) => {
  for (const order of permutations(facts)) {
    const tripId = randomUUIDv7();
    // Of the longest there are 120 orders: repeats are left to the others.
    if (facts.length < 5) await tell(tripId, order);
    else for (const fact of order) await deliver(tripId, fact, randomUUIDv7());
    expect({ order, ...(await endOf(tripId)) }).toEqual({ order, ...over(end) });
  }
});

it('the same with a driver who has accepted', async () => {
  for (const order of permutations<Fact>(['accepted', 'arrived', 'started', 'completed'])) {
    const tripId = randomUUIDv7();
    await deliver(tripId, 'requested', randomUUIDv7());
    const { offerId } = (await platform.offer(driver)).body;
    expect(await platform.answer(driver, offerId, 'accept')).toMatchObject({ status: 200 });
    expect(await platform.reserved()).toEqual([{ driverId: driver.id, tripId }]);
    await tell(tripId, order);
    expect({ order, ...(await endOf(tripId)) }).toEqual({ order, ...over('completed') });
  }
});

it('while a trip is under way its driver stays reserved, in every order', async () => {
  for (const order of permutations<Fact>(['accepted', 'arrived', 'started'])) {
    const tripId = randomUUIDv7();
    await deliver(tripId, 'requested', randomUUIDv7());
    const { offerId } = (await platform.offer(driver)).body;
    await platform.answer(driver, offerId, 'accept');
    await tell(tripId, order);
    expect(await platform.reserved()).toEqual([{ driverId: driver.id, tripId }]);
    const { dispatch } = await endOf(tripId);
    expect(dispatch).toMatchObject({ status: 'accepted', trip_status: 'in_progress', trip_sequence: 4 });
    await tell(tripId, ['completed']);
  }
  await platform.expectNobodyStuck();
});
