import { topologyOf, EVENTS, TripCompleted } from '@cabstand/contracts';
import { eventually, startOwnBroker } from '@cabstand/testing';
import { PublishConnection } from '../src/broker-connection.ts';
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
const QUEUE = 'passenger.trip-events';
const OTHERS = 'driver.trip-events';

beforeEach(async () => {
  pair = await createPair();
});
afterEach(() => pair.drop());

/** Takes so much longer to be slow than to be quick that it can't be mistaken. */
async function expectQuick(work: () => Promise<unknown>): Promise<void> {
  const startedAt = Date.now();
  await work();
  expect(Date.now() - startedAt).toBeLessThan(2_000);
}

it('sends again what a broker that fell silent did not confirm, and accepts events meanwhile', async () => {
  trip = await pair.startTrip({ heartbeatS: 60, confirmTimeoutMs: 500 });
  const passenger = await pair.startPassenger();
  const first = await publish(trip);
  await eventually(async () => expect(await effectsOf(passenger)).toEqual([first]));
  pair.broker.link.weather = { blackhole: true };
  let id = '';
  await expectQuick(async () => (id = await publish(trip)));
  // Confirms that don't come are the only sign: with its heartbeats the connection would be good for minutes.
  await eventually(() => expect(trip.status.connected).toBe(false));
  expect(await outboxOf(trip)).toHaveLength(1);
  pair.broker.link.weather = {};
  await eventually(async () => expect(await effectsOf(passenger)).toEqual([first, id]));
  await eventually(async () => expect(await outboxOf(trip)).toEqual([]));
});

/** The same queue, as small as that. */
async function shrink(queue: string, bytes: number): Promise<void> {
  const { vhost, management } = pair.broker;
  const path = `/api/queues/${encodeURIComponent(vhost)}/${queue}`;
  const { arguments: args } = await management.get<{ arguments: object }>(path);
  await management.call('DELETE', path);
  await management.call('PUT', path, { durable: true, arguments: { ...args, 'x-max-length-bytes': bytes } });
  for (const { exchange, routingKey } of topologyOf(EVENTS).bindings.filter((each) => each.queue === queue)) {
    const binding = `/api/bindings/${encodeURIComponent(vhost)}/e/${exchange}/q/${queue}`;
    await management.call('POST', binding, { routing_key: routingKey });
  }
}

it('keeps in the outbox, in order, what a full queue doesn’t take, and never lets the writer feel it', async () => {
  await shrink(QUEUE, 2_000);
  trip = await pair.startTrip();
  const written: string[] = [];
  await eventually(async () => {
    // A quorum queue takes what is under way before it has said that it is full, however much that is.
    if ((await outboxOf(trip)).length <= 5) await expectQuick(async () => written.push(await publish(trip)));
    const rows = await outboxOf(trip);
    expect(rows.length).toBeGreaterThan(5);
    expect(rows.every(({ refused_at }) => refused_at instanceof Date)).toBe(true);
  });
  // Only what goes through the full queue is held up, and of that each aggregate by itself.
  const behind = tripRequested();
  await publish(trip, behind);
  await eventually(async () => expect((await outboxOf(trip)).at(-1)?.refused_at).toBeInstanceOf(Date));
  await trip.transactions.run((tx) => {
    const { tripId, passengerId, fareMinor, currency } = behind;
    return trip.outbox.add(tx, TripCompleted, { tripId, passengerId, driverId: passengerId, fareMinor, currency }, 2);
  });
  await eventually(async () => expect((await outboxOf(trip)).at(-1)?.refused_at).toBe(Infinity));
  const passenger = await pair.startPassenger();
  await eventually(async () => expect(await effectsOf(passenger)).toEqual(expect.arrayContaining(written)), {
    timeoutMs: 40_000,
  });
  await eventually(async () => expect(await outboxOf(trip)).toEqual([]), { timeoutMs: 40_000 });
  // A quorum queue tells its depth once a second.
  await eventually(async () => expect(await queueDepth(pair.broker, QUEUE)).toBe(0));
  await passenger.stop();
  // The other consumer has everything, some of it more than once: its inbox sees to that.
  await eventually(async () => expect(await queueDepth(pair.broker, OTHERS)).toBeGreaterThanOrEqual(written.length));
}, 90_000);

it('keeps events while the broker blocks publishing for lack of memory, and goes on handling', async () => {
  const broker = await startOwnBroker();
  try {
    trip = await pair.startTrip({ amqpUrl: broker.urlFor('trip'), managementUrl: undefined });
    const passenger = await pair.startPassenger(undefined, {
      amqpUrl: broker.urlFor('passenger'),
      managementUrl: undefined,
    });
    const first = await publish(trip);
    await eventually(async () => expect(await effectsOf(passenger)).toEqual([first]), { timeoutMs: 30_000 });
    await broker.control('set_vm_memory_high_watermark', 'absolute', '1MB');
    const ids: string[] = [];
    await eventually(async () => {
      // The broker only tells those that publish.
      ids.push(await publish(trip));
      expect(trip.app.get(PublishConnection).blocked).toBe(true);
    });
    await expectQuick(async () => ids.push(await publish(trip)));
    expect((await outboxOf(trip)).map(({ id }) => id)).toContain(ids.at(-1));
    // Blocked is not lost: dropping the connection would only bring the next one, blocked as well.
    expect(trip.status.connected).toBe(true);
    await broker.control('set_vm_memory_high_watermark', '0.6');
    await eventually(async () => expect(await effectsOf(passenger)).toEqual(expect.arrayContaining(ids)), {
      timeoutMs: 30_000,
    });
    await eventually(async () => expect(await outboxOf(trip)).toEqual([]));
    await Promise.all([trip.stop(), passenger.stop()]);
  } finally {
    await broker.stop();
  }
}, 120_000);
