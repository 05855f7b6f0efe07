import { EVENTS, topologyOf, TripCompleted, TripRequested } from '@cabstand/contracts';
import { eventually } from '@cabstand/testing';
import {
  createPair,
  deadLettersOf,
  deliveries,
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
const QUEUE = 'passenger.trip-events';

beforeAll(async () => {
  pair = await createPair();
});
afterAll(() => pair.drop());

it('starts without a broker, keeps events, and delivers them when it is there', async () => {
  await pair.broker.stop();
  trip = await pair.startTrip();
  passenger = await pair.startPassenger();
  const id = await publish(trip);
  expect(trip.status.connected).toBe(false);
  expect(await outboxOf(trip)).toHaveLength(1);
  await pair.broker.start();
  await eventually(async () => expect(await effectsOf(passenger)).toEqual([id]));
  await eventually(async () => expect(await outboxOf(trip)).toEqual([]));
  expect(trip.status.connected).toBe(true);
});

it('comes back after the broker closed every connection', async () => {
  const path = `/api/vhosts/${encodeURIComponent(pair.broker.vhost)}/connections`;
  await eventually(async () => {
    const connections = await pair.broker.management.get<{ name: string; user: string }[]>(path);
    expect(connections).toHaveLength(4);
    for (const { name } of connections) {
      await pair.broker.management.call('DELETE', `/api/connections/${encodeURIComponent(name)}`);
    }
  });
  const id = await publish(trip);
  await eventually(async () => expect(await effectsOf(passenger)).toContain(id));
});

/** Takes `trip.requested` away from its queues, or brings it back. */
async function bind(method: 'POST' | 'DELETE', ...queues: string[]): Promise<void> {
  const { vhost, management } = pair.broker;
  for (const queue of queues) {
    const path = `/api/bindings/${encodeURIComponent(vhost)}/e/trip.events/q/${queue}`;
    if (method === 'POST') await management.call(method, path, { routing_key: TripRequested.type });
    else await management.call(method, `${path}/${TripRequested.type}`);
  }
}

it('keeps an event that no queue is bound for, and comes back to a queue that was deleted and made again', async () => {
  const { vhost, management } = pair.broker;
  const path = `/api/queues/${encodeURIComponent(vhost)}/${QUEUE}`;
  const { arguments: args } = await management.get<{ arguments: object }>(path);
  await bind('DELETE', 'driver.trip-events');
  await management.call('DELETE', path);
  const id = await publish(trip);
  await eventually(async () => expect((await outboxOf(trip))[0]?.refused_at).toBeInstanceOf(Date));
  await management.call('PUT', path, { durable: true, arguments: args });
  await bind('POST', 'driver.trip-events');
  for (const { exchange, queue, routingKey } of topologyOf(EVENTS).bindings.filter((each) => each.queue === QUEUE)) {
    const binding = `/api/bindings/${encodeURIComponent(vhost)}/e/${exchange}/q/${queue}`;
    await management.call('POST', binding, { routing_key: routingKey });
  }
  await eventually(async () => expect(await effectsOf(passenger)).toContain(id));
  await eventually(async () => expect(await outboxOf(trip)).toEqual([]));
});

it('holds back the aggregate of a returned event only, and publishes it in order once it can', async () => {
  const stuck = tripRequested();
  const before = (await effectsOf(passenger)).length;
  await bind('DELETE', QUEUE, 'driver.trip-events');
  const { tripId, passengerId, fareMinor, currency } = stuck;
  const completed = { tripId, passengerId, driverId: passengerId, fareMinor, currency };
  await trip.transactions.run(async (tx) => {
    await trip.outbox.add(tx, TripRequested, stuck, 1);
    await trip.outbox.add(tx, TripCompleted, completed, 2);
  });
  await eventually(async () => expect((await outboxOf(trip))[0]?.refused_at).toBeInstanceOf(Date));
  await publish(trip, stuck, 3);
  const ids = (await outboxOf(trip)).map(({ id }) => id);
  // The others of the aggregate wait behind it, although the second has its queues.
  await eventually(async () => {
    const rows = await outboxOf(trip);
    expect(rows.map(({ refused_at }) => refused_at)).toEqual([expect.any(Date), Infinity, Infinity]);
  });
  await bind('POST', QUEUE, 'driver.trip-events');
  const other = await publish(trip);
  await eventually(async () => expect(await effectsOf(passenger)).toEqual(expect.arrayContaining([other, ...ids])), {
    timeoutMs: 20_000,
  });
  expect((await effectsOf(passenger)).slice(before, before + 1)).toEqual([other]);
  await eventually(async () => expect(await outboxOf(trip)).toEqual([]));
});

it('goes on after the database was away', async () => {
  await pair.tripDatabase.stop();
  await expect(publish(trip)).rejects.toThrow();
  await pair.tripDatabase.start();
  const id = await eventually(() => publish(trip));
  await eventually(async () => expect(await effectsOf(passenger)).toContain(id));
  expect(await queueDepth(pair.broker, QUEUE)).toBe(0);
});

it('counts nothing against a message while the consumer’s database is away', async () => {
  await pair.passengerDatabase.stop();
  const id = await publish(trip);
  // Longer than all its retries would take.
  await eventually(() => expect(deliveries.filter((delivered) => delivered === id).length).toBeGreaterThan(2));
  await pair.passengerDatabase.start();
  await eventually(async () => expect(await effectsOf(passenger)).toContain(id));
  expect(await deadLettersOf(passenger)).toEqual([]);
});
