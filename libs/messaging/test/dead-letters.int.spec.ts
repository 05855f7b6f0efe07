import { randomUUID } from 'node:crypto';
import { TripRequested } from '@cabstand/contracts';
import { eventually } from '@cabstand/testing';
import { connect, type ChannelModel, type ConfirmChannel, type Options } from 'amqplib';
import {
  createPair,
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
let passenger: Service;
let admin: ChannelModel;
let channel: ConfirmChannel;
const QUEUE = 'passenger.trip-events';
const failing = new Set<string>();

beforeAll(async () => {
  pair = await createPair();
  trip = await pair.startTrip();
  passenger = await pair.startPassenger(({ envelope }) =>
    failing.has(envelope.subject) ? Promise.reject(new Error('no such passenger')) : Promise.resolve(),
  );
  admin = await connect(pair.broker.adminUrl);
  channel = await admin.createConfirmChannel();
});
afterAll(async () => {
  await admin.close();
  await pair.drop();
});

interface Poison {
  body: Buffer;
  routingKey: string;
  options: Options.Publish & { headers: Record<string, unknown> };
}

function goodMessage(): Poison {
  const payload = tripRequested();
  const id = randomUUID();
  return {
    body: Buffer.from(JSON.stringify(payload)),
    routingKey: TripRequested.type,
    options: {
      messageId: id,
      type: TripRequested.type,
      contentType: 'application/json',
      persistent: true,
      headers: {
        'cloudEvents:specversion': '1.0',
        'cloudEvents:id': id,
        'cloudEvents:source': '/cabstand/trip',
        'cloudEvents:type': TripRequested.type,
        'cloudEvents:time': new Date().toISOString(),
        'cloudEvents:subject': payload.tripId,
        'cloudEvents:sequence': 1,
      },
    },
  };
}

async function send({ body, routingKey, options }: Poison): Promise<void> {
  channel.publish('trip.events', routingKey, body, options);
  await channel.waitForConfirms();
}

/** Nothing is left on the way: neither waiting nor being handled. */
async function expectQueuesEmpty(): Promise<void> {
  for (const name of ['', '.retry.1s', '.retry.5s', '.retry.30s', '.retry.2min', '.dead']) {
    await eventually(async () => expect([name, await queueDepth(pair.broker, QUEUE + name)]).toEqual([name, 0]));
  }
}

it('retries after each delay, then sets the message aside with its bytes and its history', async () => {
  const payload = tripRequested();
  failing.add(payload.tripId);
  const id = await publish(trip, payload);
  const letter = await eventually(async () => {
    const found = (await deadLettersOf(passenger)).find(({ message_id }) => message_id === id);
    if (!found) throw new Error('not there yet');
    return found;
  });
  expect(letter).toMatchObject({ queue: QUEUE, type: TripRequested.type, reason: 'handler-failed', attempts: 3 });
  expect(letter.history.map(({ error }) => error)).toEqual(Array(3).fill('Error: no such passenger'));
  expect(JSON.parse(letter.body.toString())).toEqual(payload);
  expect(letter.properties.headers['cloudEvents:subject']).toBe(payload.tripId);
  expect(await effectsOf(passenger)).not.toContain(id);
  await expectQueuesEmpty();
});

const header = (name: string, value: unknown) => (message: Poison) => {
  if (value === undefined) delete message.options.headers[name];
  else message.options.headers[name] = value;
};

const POISON: [string, string, (message: Poison) => void][] = [
  ['not JSON', 'malformed', (m) => (m.body = Buffer.from('{"tripId":'))],
  ['not UTF-8', 'malformed', (m) => (m.body = Buffer.from([0x22, 0xff, 0xfe, 0x22]))],
  ['an empty body', 'malformed', (m) => (m.body = Buffer.alloc(0))],
  ['wrong schema', 'malformed', (m) => (m.body = Buffer.from('{"tripId":"1"}'))],
  ['null', 'malformed', (m) => (m.body = Buffer.from('null'))],
  ['deep', 'malformed', (m) => (m.body = Buffer.from('['.repeat(100_000) + ']'.repeat(100_000)))],
  ['huge', 'too-big', (m) => (m.body = Buffer.alloc(1024 * 1024, ' '))],
  ['wrong content type', 'malformed', (m) => (m.options.contentType = 'text/plain')],
  ['a type without handler', 'unknown-type', header('cloudEvents:type', 'trip.teleported')],
  ['a future version', 'unknown-type', header('cloudEvents:type', 'trip.requested.v2')],
  ['another type than its routing key', 'malformed', header('cloudEvents:type', 'trip.completed')],
  ['no envelope', 'malformed', (m) => (m.options.headers = {})],
  ['another specversion', 'malformed', header('cloudEvents:specversion', '0.3')],
  ['no subject', 'malformed', header('cloudEvents:subject', undefined)],
  ['another subject than the payload', 'malformed', header('cloudEvents:subject', randomUUID())],
  ['a sequence below 1', 'malformed', header('cloudEvents:sequence', 0)],
  ['a forged source', 'malformed', header('cloudEvents:source', '/cabstand/driver')],
  ['a forged message id', 'malformed', (m) => (m.options.messageId = 'x')],
  ['no message id', 'malformed', (m) => delete m.options.messageId],
  ['NUL and half a surrogate pair in its headers', 'malformed', header('cloudEvents:id', 'a\0b\ud800')],
  [
    'a copy instruction',
    'malformed',
    (m) => {
      m.options.CC = 'passenger.trip-events.retry.30s';
      m.body = Buffer.from('x');
    },
  ],
  [
    'a forged count of attempts',
    'malformed',
    (m) => {
      m.options.headers['x-messaging-attempt'] = 'many';
      m.options.headers['x-messaging-history'] = '{';
      m.body = Buffer.from('x');
    },
  ],
];

it.each(POISON)('sets aside %s at once (%s), and handles the next message', async (_, reason, spoil) => {
  const before = (await deadLettersOf(passenger)).length;
  const poison = goodMessage();
  spoil(poison);
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
  const letter = await eventually(async () => {
    const found = (await deadLettersOf(next)).find(({ message_id }) => message_id === id);
    if (!found) throw new Error('not there yet');
    return found;
  });
  expect(letter).toMatchObject({ queue: QUEUE, type: TripRequested.type, reason: 'delivery-limit' });
  // What was not acknowledged would go back into the queue.
  await next.stop();
  await expectQueuesEmpty();
});
