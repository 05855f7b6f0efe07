import { eventually } from '@cabstand/testing';
import { FaultSwitches } from '../src/index.ts';
import { createPair, effectsOf, publish, queueDepth, type Pair, type Service } from './service.ts';

const QUEUE = 'passenger.trip-events';
let pair: Pair;
let trip: Service;
let passenger: Service;

beforeAll(async () => {
  pair = await createPair();
  trip = await pair.startTrip();
  passenger = await pair.startPassenger();
});
afterAll(() => pair.drop());

const figuresOf = async (service: Service) => (await service.status.queues()).find(({ queue }) => queue === QUEUE)!;

it('lets messages wait while a consumer is stopped, and handles each once afterwards', async () => {
  const switches = passenger.app.get(FaultSwitches);
  await switches.switchConsumer(QUEUE, false);
  const ids = await Promise.all([1, 2, 3].map(() => publish(trip)));
  await eventually(async () => expect(await queueDepth(pair.broker, QUEUE)).toBe(3));
  expect(await figuresOf(passenger)).toEqual({
    ...{ queue: QUEUE, waiting: 3, inHand: 0, retrying: 0, consuming: false, lastHandled: null },
  });

  await switches.switchConsumer(QUEUE, true);
  // A second press changes nothing.
  await switches.switchConsumer(QUEUE, true);
  await eventually(async () => expect((await effectsOf(passenger)).toSorted()).toEqual(ids.toSorted()));
  await eventually(async () =>
    expect(await figuresOf(passenger)).toMatchObject({
      ...{ waiting: 0, inHand: 0, consuming: true, lastHandled: { lagS: expect.any(Number) as number } },
    }),
  );
  expect(passenger.status.totals.handled).toBe(3);
});

it('keeps events in the outbox while the relay is paused, and publishes them afterwards', async () => {
  const switches = trip.app.get(FaultSwitches);
  const before = trip.status.totals.published;
  switches.switchRelay(false);
  const id = await publish(trip);
  await eventually(async () => expect(await trip.status.outbox()).toMatchObject([{ depth: 1, refused: 0 }]));
  expect(trip.status.relayPaused).toBe(true);
  expect(trip.status.totals.published).toBe(before);

  switches.switchRelay(true);
  await eventually(async () => expect(await effectsOf(passenger)).toContain(id));
  await eventually(async () => expect(await trip.status.outbox()).toEqual([]));
  expect(trip.status.totals.published).toBe(before + 1);
});

it('publishes what is in the outbox before it stops, paused or not', async () => {
  const replica = await pair.startTrip();
  await trip.stop();
  // The partitions are its own now.
  const before = await publish(replica);
  await eventually(async () => expect(await effectsOf(passenger)).toContain(before));
  replica.app.get(FaultSwitches).switchRelay(false);
  const id = await publish(replica);
  await replica.stop();
  await eventually(async () => expect(await effectsOf(passenger)).toContain(id));
});

it('knows no queue of another service', async () => {
  const switching = passenger.app.get(FaultSwitches).switchConsumer('driver.trip-events', false);
  await expect(switching).rejects.toMatchObject({ code: 'NOT_FOUND' });
});
