import { TripCompleted, TripRequested } from '@cabstand/contracts';
import { eventually, messageOf, POISON, type TestMessage } from '@cabstand/testing';
import { connect, type ChannelModel, type ConfirmChannel } from 'amqplib';
import {
  createPair,
  deadLettersOf,
  effectsOf,
  publish,
  queueDepth,
  tripRequested,
  type Handle,
  type Pair,
  type Service,
} from './service.ts';

let pair: Pair;
let trip: Service;
let passenger: Service;
let admin: ChannelModel;
let channel: ConfirmChannel;
const QUEUE = 'passenger.trip-events';
const failing = new Set<string>();
const hanging = new Set<string>();

beforeAll(async () => {
  pair = await createPair();
  trip = await pair.startTrip();
  const handle: Handle = ({ envelope }) => {
    if (hanging.has(envelope.subject)) return new Promise(() => undefined);
    return failing.has(envelope.subject) ? Promise.reject(new Error('no such passenger')) : Promise.resolve();
  };
  passenger = await pair.startPassenger(handle, { handlerTimeoutMs: 1_000 });
  admin = await connect(pair.broker.adminUrl);
  channel = await admin.createConfirmChannel();
});
afterAll(async () => {
  await admin.close();
  await pair.drop();
});

const goodMessage = () => messageOf('trip', TripRequested.type, tripRequested());

async function send({ body, routingKey, options }: TestMessage): Promise<void> {
  channel.publish('trip.events', routingKey, body, options);
  await channel.waitForConfirms();
}

/** Nothing is left on the way: neither waiting nor being handled. */
async function expectQueuesEmpty(): Promise<void> {
  for (const name of ['', '.retry.1s', '.retry.5s', '.retry.30s', '.retry.2min', '.dead']) {
    await eventually(async () => expect([name, await queueDepth(pair.broker, QUEUE + name)]).toEqual([name, 0]));
  }
}

const untilDead = (service: Service, id: string) =>
  eventually(async () => {
    const found = (await deadLettersOf(service)).find(({ message_id }) => message_id === id);
    if (!found) throw new Error('not there yet');
    return found;
  });

it('retries after each delay, then sets the message aside with its bytes and its history', async () => {
  const payload = tripRequested();
  failing.add(payload.tripId);
  const id = await publish(trip, payload);
  const letter = await untilDead(passenger, id);
  expect(letter).toMatchObject({ queue: QUEUE, type: TripRequested.type, reason: 'handler-failed', attempts: 3 });
  expect(letter.history.map(({ error }) => error)).toEqual(Array(3).fill(expect.stringMatching(/^Error\n +at /)));
  // What a handler throws may name somebody. Where it was thrown says enough.
  expect(JSON.stringify([letter.history, letter.detail, letter.properties])).not.toContain('no such passenger');
  expect(JSON.parse(letter.body.toString())).toEqual(payload);
  expect(letter.properties.headers['cloudEvents:subject']).toBe(payload.tripId);
  expect(await effectsOf(passenger)).not.toContain(id);
  await expectQueuesEmpty();
});

it('sets aside what a handler hangs on, and handles others meanwhile', async () => {
  const payload = tripRequested();
  hanging.add(payload.tripId);
  const id = await publish(trip, payload);
  const good = await publish(trip);
  await eventually(async () => expect(await effectsOf(passenger)).toContain(good));
  const letter = await untilDead(passenger, id);
  expect(letter).toMatchObject({ queue: QUEUE, reason: 'handler-failed', attempts: 3 });
  expect(letter.history.map(({ error }) => error)).toEqual(Array(3).fill(expect.stringMatching(/^HandlerTimeout\n/)));
  expect(JSON.parse(letter.body.toString())).toEqual(payload);
  expect(await effectsOf(passenger)).not.toContain(id);
  await expectQueuesEmpty();
});

it.each(POISON)('sets aside $name at once ($reason), and handles the next message', async ({ reason, spoil }) => {
  const before = (await deadLettersOf(passenger)).length;
  const poison = goodMessage();
  spoil(poison, { queue: QUEUE, otherType: TripCompleted.type });
  await send(poison);
  const good = goodMessage();
  await send(good);
  await eventually(async () => expect(await effectsOf(passenger)).toContain(good.options.messageId));
  const letters = await eventually(async () => {
    const all = (await deadLettersOf(passenger)).slice(before);
    expect(all).toHaveLength(1);
    return all;
  });
  expect(letters[0]).toMatchObject({ queue: QUEUE, reason, attempts: 1 });
  expect(letters[0]!.body.equals(poison.body)).toBe(true);
  expect(await effectsOf(passenger)).not.toContain(poison.options.headers['cloudEvents:id']);
});

it('leaves nothing of any of them in the queues', expectQueuesEmpty);

it('keeps dead letters in their queue while the database is down', async () => {
  const before = (await deadLettersOf(passenger)).length;
  await pair.passengerDatabase.stop();
  const poison = goodMessage();
  poison.body = Buffer.from('not JSON either');
  await send(poison);
  await eventually(async () => expect(await queueDepth(pair.broker, QUEUE)).toBe(0));
  await passenger.stop();
  // Wherever it was in anybody's hands, it is back.
  const depths = () => Promise.all([QUEUE, `${QUEUE}.dead`].map((queue) => queueDepth(pair.broker, queue)));
  await eventually(async () => expect((await depths()).toSorted()).toEqual([0, 1]));
  await pair.passengerDatabase.start();
  passenger = await pair.startPassenger();
  await eventually(async () => expect(await deadLettersOf(passenger)).toHaveLength(before + 1));
  await expectQueuesEmpty();
});

it('takes over what the broker set aside, because it took the process down too often', async () => {
  // A consumer that dies with the message in its hands, each time.
  await passenger.stop();
  const id = await publish(trip);
  for (let i = 0; i < 21; i++) {
    const killer = await connect(pair.broker.adminUrl);
    const victim = await killer.createChannel();
    await eventually(async () => expect(await victim.get(QUEUE)).not.toBe(false));
    await killer.close();
  }
  const next = await pair.startPassenger();
  const letter = await untilDead(next, id);
  expect(letter).toMatchObject({ queue: QUEUE, type: TripRequested.type, reason: 'delivery-limit' });
  // What was not acknowledged would go back into the queue.
  await next.stop();
  await expectQueuesEmpty();
});
