import { TripRequested } from '@cabstand/contracts';
import { eventually } from '@cabstand/testing';
import { connect, type ChannelModel } from 'amqplib';
import { Inbox } from '../src/index.ts';
import {
  createPair,
  deliveries,
  deadLettersOf,
  effectsOf,
  publish,
  queueDepth,
  tripRequested,
  type Pair,
  type Service,
} from './service.ts';

let pair: Pair;
let trip: Service;
let admin: ChannelModel;
const QUEUE = 'passenger.trip-events';

beforeAll(async () => {
  pair = await createPair();
  trip = await pair.startTrip();
  admin = await connect(pair.broker.adminUrl);
});
afterAll(async () => {
  await admin.close();
  await pair.drop();
});

/** Puts a published event into the queue so many more times. */
async function repeat(id: string, times: number): Promise<void> {
  const channel = await admin.createConfirmChannel();
  const message = await eventually(async () => {
    const got = await channel.get(QUEUE);
    if (!got || got.properties.messageId !== id) throw new Error('not there yet');
    return got;
  });
  const { messageId, type, contentType, headers } = message.properties;
  for (let i = 0; i < times; i++) {
    channel.publish('trip.events', TripRequested.type, message.content, {
      messageId: String(messageId),
      type: String(type),
      contentType: String(contentType),
      headers,
      persistent: true,
    });
  }
  await channel.waitForConfirms();
  channel.nack(message);
  await channel.close();
}

it('has its effect once, however many copies two replicas handle at the same time', async () => {
  const id = await publish(trip);
  await repeat(id, 40);
  const [one, two] = await Promise.all([pair.startPassenger(), pair.startPassenger()]);
  await eventually(() => expect(deliveries.filter((delivered) => delivered === id)).toHaveLength(41));
  expect(await effectsOf(one)).toEqual([id]);
  expect(await deadLettersOf(one)).toEqual([]);
  // What was not acknowledged would go back into the queue.
  await Promise.all([one.stop(), two.stop()]);
  expect(await queueDepth(pair.broker, QUEUE)).toBe(0);
  expect(await trip.dataSource.query('SELECT 1 FROM outbox')).toEqual([]);
});

it('has no effect of an attempt that failed, and one of the attempt that succeeded', async () => {
  let attempts = 0;
  const passenger = await pair.startPassenger(() => {
    attempts++;
    return attempts < 3 ? Promise.reject(new Error('not yet')) : Promise.resolve();
  });
  const id = await publish(trip, tripRequested());
  await eventually(async () => expect((await effectsOf(passenger)).filter((effect) => effect === id)).toEqual([id]));
  expect(attempts).toBe(3);
  await passenger.stop();
});

it('cuts off the transaction of a handler that takes too long, so that it cannot commit beside its retry', async () => {
  const finished: number[] = [];
  const passenger = await pair.startPassenger(
    async ({ attempt }, tx) => {
      if (attempt === 1) await tx.query('SELECT pg_sleep(0.6)');
      finished.push(attempt);
    },
    { handlerTimeoutMs: 200 },
  );
  const id = await publish(trip, tripRequested());
  await eventually(async () => expect((await effectsOf(passenger)).filter((effect) => effect === id)).toEqual([id]));
  expect(finished).toEqual([2]);
});

it('forgets ids that are older than any outage, and no others', async () => {
  const passenger = await pair.startPassenger();
  await passenger.dataSource.query(`
    INSERT INTO inbox SELECT gen_random_uuid(), now() - interval '14 days 1 minute' FROM generate_series(1, 2500);
    INSERT INTO inbox SELECT gen_random_uuid(), now() - interval '13 days 23 hours' FROM generate_series(1, 10)`);
  const before = await effectsOf(passenger);
  await passenger.app.get(Inbox).prune();
  const left: unknown[] = await passenger.dataSource.query('SELECT 1 FROM inbox');
  expect(left).toHaveLength(before.length + 10);
});
