import { randomUUID } from 'node:crypto';
import { eventually } from '@cabstand/testing';
import { connect } from 'amqplib';
import { DeadLetterOffice, type Recording } from '../src/index.ts';
import {
  createPair,
  deadLettersOf,
  deliveries,
  effectsOf,
  publish,
  queueDepth,
  tripRequested,
  type Pair,
  type Service,
} from './service.ts';

const QUEUE = 'passenger.trip-events';
let pair: Pair;
let trip: Service;
let passenger: Service;
let office: DeadLetterOffice;
/** Trips whose events the handler fails for, with the code of the error to fail with. */
const failing = new Map<string, string>();

beforeAll(async () => {
  pair = await createPair();
  trip = await pair.startTrip();
  passenger = await pair.startPassenger(({ envelope }) => {
    const error = failing.get(envelope.subject);
    return error ? Promise.reject(Object.assign(new Error(), { code: error })) : Promise.resolve();
  });
  office = passenger.app.get(DeadLetterOffice);
});
afterAll(() => pair.drop());

/** Publishes an event that the handler fails for, and waits until it is dead. */
async function deadLetter() {
  const payload = tripRequested();
  failing.set(payload.tripId, 'FIRST');
  const messageId = await publish(trip, payload);
  return { tripId: payload.tripId, payload, messageId, letter: await untilDead(messageId) };
}

const NO_RECORD: Recording = () => Promise.resolve();

const letterOf = async (messageId: string) =>
  (await office.list(1_000)).find((letter) => letter.messageId === messageId);

const untilDead = (messageId: string) =>
  eventually(async () => {
    const letter = await letterOf(messageId);
    if (!letter) throw new Error('not there yet');
    return letter;
  });

it('hands the message to its consumer again: same id, same bytes, once', async () => {
  const { tripId, payload, messageId, letter } = await deadLetter();
  failing.delete(tripId);
  const replayed = (await office.get(letter.id))!;
  expect(JSON.parse(replayed.body.toString())).toEqual(payload);
  await office.replay(letter.id, NO_RECORD);
  await eventually(async () => expect(await effectsOf(passenger)).toContain(messageId));
  await expect(office.replay(letter.id, NO_RECORD)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  expect(await letterOf(messageId)).toBeUndefined();
  // What was replayed while its answer got lost is replayed again: the copy has no effect.
  const before = deliveries.length;
  await passenger.dataSource.manager.save(replayed);
  await office.replay(letter.id, NO_RECORD);
  await eventually(() => expect(deliveries.slice(before)).toEqual([messageId]));
  await eventually(async () => expect(await queueDepth(pair.broker, QUEUE)).toBe(0));
  expect((await effectsOf(passenger)).filter((id) => id === messageId)).toEqual([messageId]);
});

it('gives it all its attempts again, and brings it back with its history', async () => {
  const { tripId, messageId, letter } = await deadLetter();
  failing.set(tripId, 'SECOND');
  await office.replay(letter.id, NO_RECORD);
  await eventually(async () => {
    const rows = (await deadLettersOf(passenger)).filter(({ message_id }) => message_id === messageId);
    expect(rows).toHaveLength(1);
    const [{ history, attempts, reason }] = rows as [(typeof rows)[number]];
    expect({ attempts, reason, errors: history.map(({ error }) => error.split('\n')[0]) }).toEqual({
      attempts: 3,
      reason: 'handler-failed',
      errors: [
        ...Array<string>(3).fill('Error (FIRST)'),
        'replayed after handler-failed',
        ...Array<string>(3).fill('Error (SECOND)'),
      ],
    });
  });
});

it('loses none that fail again faster than they are forgotten', async () => {
  // Malformed: dead again, with the id of the row that is just being deleted, slowly.
  const ids = Array.from({ length: 30 }, () => randomUUID());
  for (const id of ids) {
    const headers = { 'cloudEvents:id': id };
    await passenger.dataSource.query(
      `INSERT INTO dead_letters (id, queue, message_id, reason, attempts, history, properties, body)
       VALUES ($1, $2, $3, 'malformed', 1, '[]', $4, 'x')`,
      [id, QUEUE, id, JSON.stringify({ messageId: id, headers })],
    );
  }
  await passenger.dataSource.query(`
    CREATE FUNCTION dawdle() RETURNS trigger AS 'BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END' LANGUAGE plpgsql;
    CREATE TRIGGER slow_delete BEFORE DELETE ON dead_letters EXECUTE FUNCTION dawdle()`);
  for (let round = 1; round <= 3; round++) {
    const counted: string[] = [];
    const count = await office.replayAll({ queue: QUEUE }, (_, letters) => {
      counted.push(...letters.map(({ id }) => id));
      return Promise.resolve();
    });
    expect(count).toBe(new Set(counted).size);
    expect(count).toBeGreaterThanOrEqual(ids.length);
    await eventually(async () => {
      const back = (await deadLettersOf(passenger)).filter(({ message_id }) => ids.some((id) => id === message_id));
      expect(back).toHaveLength(ids.length);
      expect(new Set(back.map(({ history }) => history.length))).toEqual(new Set([round]));
    });
  }
  await passenger.dataSource.query('DROP TRIGGER slow_delete ON dead_letters');
});

it('tells apart what has no id and the same bytes, and knows it again', async () => {
  const admin = await connect(pair.broker.adminUrl);
  const channel = await admin.createConfirmChannel();
  for (let i = 0; i < 2; i++) channel.publish('trip.events', 'trip.requested', Buffer.from('nameless'));
  await channel.waitForConfirms();
  await admin.close();
  const nameless = async () =>
    (
      await passenger.dataSource.query<{ id: string; history: unknown[] }[]>(
        "SELECT id, history FROM dead_letters WHERE message_id IS NULL AND reason = 'malformed' ORDER BY id",
      )
    ).map(({ id, history }) => [id, history.length]);
  const [first, second] = await eventually(async () => {
    const rows = await nameless();
    expect(rows).toHaveLength(2);
    return rows.map(([id]) => id);
  });
  await office.replay(String(first), NO_RECORD);
  await eventually(async () =>
    expect(await nameless()).toEqual([
      [first, 1],
      [second, 0],
    ]),
  );
});

it('replays once what two operators replay at the same time', async () => {
  const { tripId, messageId, letter } = await deadLetter();
  failing.delete(tripId);
  const before = deliveries.length;
  const outcomes = await Promise.allSettled([office.replay(letter.id, NO_RECORD), office.replay(letter.id, NO_RECORD)]);
  expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
  await eventually(async () => expect(await effectsOf(passenger)).toContain(messageId));
  expect(deliveries.slice(before).filter((id) => id === messageId)).toHaveLength(1);
});

it('does nothing that can’t be recorded, and records nothing that isn’t done', async () => {
  const { messageId, letter } = await deadLetter();
  await passenger.dataSource.query('CREATE TABLE recorded (id uuid)');
  const record: Recording = async (tx, letters) => {
    for (const { id } of letters) await tx.query('INSERT INTO recorded VALUES ($1)', [id]);
  };
  const recorded = () => passenger.dataSource.query<{ id: string }[]>('SELECT id FROM recorded');
  const failing: Recording = async (...args) => {
    await record(...args);
    throw new Error('no room for the record');
  };
  await expect(office.discard(letter.id, failing)).rejects.toThrow('no room');
  expect(await letterOf(messageId)).toEqual(letter);
  expect(await recorded()).toEqual([]);
  await expect(office.discard(randomUUID(), record)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  expect(await recorded()).toEqual([]);
  await office.discard(letter.id, record);
  expect(await letterOf(messageId)).toBeUndefined();
  expect(await recorded()).toEqual([{ id: letter.id }]);
});

it('changes nothing while the broker is away', async () => {
  const { messageId, letter } = await deadLetter();
  const rows = await deadLettersOf(passenger);
  await pair.broker.stop();
  await eventually(() => expect(passenger.status.connected).toBe(false));
  const refusal = { code: 'BROKER_UNAVAILABLE', retryAfterS: expect.any(Number) };
  await expect(office.replay(letter.id, NO_RECORD)).rejects.toMatchObject(refusal);
  await expect(office.replayAll({ queue: QUEUE }, NO_RECORD)).rejects.toMatchObject(refusal);
  expect(await deadLettersOf(passenger)).toEqual(rows);
  expect(await effectsOf(passenger)).not.toContain(messageId);
  await pair.broker.start();
  await eventually(() => expect(passenger.status.connected).toBe(true));
  await eventually(() => office.replay(letter.id, NO_RECORD));
});
