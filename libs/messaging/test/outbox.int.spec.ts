import { TripRequested } from '@cabstand/contracts';
import { eventually } from '@cabstand/testing';
import {
  createPair,
  effectsOf,
  outboxOf,
  publish,
  queueDepth,
  tripRequested,
  type Pair,
  type Service,
} from './service.ts';

let pair: Pair;
let trip: Service;
let passenger: Service;

beforeAll(async () => {
  pair = await createPair();
  trip = await pair.startTrip();
  passenger = await pair.startPassenger();
});
afterAll(() => pair.drop());

it('publishes what was committed, and keeps nothing behind', async () => {
  const id = await publish(trip);
  await eventually(async () => expect(await effectsOf(passenger)).toContain(id));
  await eventually(async () => expect(await outboxOf(trip)).toEqual([]));
  await eventually(async () => expect(await queueDepth(pair.broker, 'passenger.trip-events')).toBe(0));
});

it('publishes nothing of what was rolled back', async () => {
  const before = (await effectsOf(passenger)).length;
  const failing = trip.transactions.run(async (tx) => {
    await trip.outbox.add(tx, TripRequested, tripRequested(), 1);
    throw new Error('no');
  });
  await expect(failing).rejects.toThrow('no');
  // Whatever the first had published would arrive before this one.
  const id = await publish(trip);
  await eventually(async () => expect(await effectsOf(passenger)).toContain(id));
  expect(await effectsOf(passenger)).toHaveLength(before + 1);
});
