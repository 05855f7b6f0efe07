import { eventually } from '@cabstand/testing';
import { connect } from 'amqplib';
import {
  createPair,
  deadLettersOf,
  deliveries,
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
const QUEUE = 'passenger.trip-events';

beforeAll(async () => {
  pair = await createPair();
  trip = await pair.startTrip();
});
afterAll(() => pair.drop());

/** So many events wait in the queue before anybody consumes them, a special one in their middle. Its id comes first. */
async function backlog(size: number, ...special: ReturnType<typeof tripRequested>[]): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < size; i++) {
    const [payload] = i === Math.floor(size / 2) ? special : [];
    const id = await publish(trip, payload ?? tripRequested());
    if (payload) ids.unshift(id);
    else ids.push(id);
  }
  await eventually(async () => expect(await queueDepth(pair.broker, QUEUE)).toBe(size));
  return ids;
}

const countOf = (id: string) => deliveries.filter((delivered) => delivered === id).length;

async function expectEffectsOnce(passenger: Service, ids: string[]): Promise<void> {
  await eventually(async () => {
    const effects = (await effectsOf(passenger)).filter((id) => ids.includes(id));
    expect(effects.toSorted()).toEqual(ids.toSorted());
  });
}

async function transactionsOf(passenger: Service, ids: string[]): Promise<number> {
  const [row]: { count: number }[] = await passenger.dataSource.query(
    'SELECT count(DISTINCT xmin::text)::int AS count FROM effects WHERE message_id = ANY($1::uuid[])',
    [ids],
  );
  return row!.count;
}

/** Stops the consumer: what it had not acknowledged would be back in the queue. */
async function expectAllSettled(passenger: Service): Promise<void> {
  await passenger.stop();
  expect(await queueDepth(pair.broker, QUEUE)).toBe(0);
}

it('handles a backlog in few transactions, and wakes others once for each, after it has committed', async () => {
  const ids = await backlog(120);
  const seen: number[] = [];
  const passenger = await pair.startPassenger((delivery) => {
    passengerTransactions.afterCommit(() => {
      void effectsOf(passenger).then((effects) => seen.push(effects.indexOf(delivery.envelope.id)));
    });
    return Promise.resolve();
  });
  const passengerTransactions = passenger.transactions;
  await expectEffectsOnce(passenger, ids);
  expect(ids.map(countOf)).toEqual(ids.map(() => 1));
  expect(await transactionsOf(passenger, ids)).toBeLessThan(30);
  await eventually(() => expect(seen).toHaveLength(120));
  expect(seen).not.toContain(-1);
  await expectAllSettled(passenger);
});

it('does not let a poison event fail its neighbours, nor retries them with it', async () => {
  const poison = tripRequested();
  const [poisonId, ...ids] = await backlog(40, poison);
  const attempts = new Map<string, number[]>();
  const committed: string[] = [];
  const passenger = await pair.startPassenger(({ envelope, attempt }) => {
    attempts.set(envelope.id, [...(attempts.get(envelope.id) ?? []), attempt]);
    passenger.transactions.afterCommit(() => committed.push(envelope.id));
    return envelope.id === poisonId ? Promise.reject(new Error('always')) : Promise.resolve();
  });
  await expectEffectsOnce(passenger, ids);
  await eventually(async () => expect(await deadLettersOf(passenger)).toMatchObject([{ message_id: poisonId }]));
  expect([...new Set(attempts.get(poisonId!))]).toEqual([1, 2, 3]);
  // Once with the batch that failed, at most, and once alone; never a second attempt.
  for (const id of ids) expect([[1], [1, 1]]).toContainEqual(attempts.get(id));
  // What was undone with the batch told nobody that it had been done.
  expect(committed.toSorted()).toEqual(ids.toSorted());
  await passenger.dataSource.query('DELETE FROM dead_letters');
  await expectAllSettled(passenger);
});

it('does not let a handler that hangs hold up its neighbours', async () => {
  const stuck = tripRequested();
  const [stuckId, ...ids] = await backlog(40, stuck);
  const hang: Handle = ({ envelope, attempt }) =>
    envelope.id === stuckId && attempt === 1 ? new Promise(() => undefined) : Promise.resolve();
  const passenger = await pair.startPassenger(hang, { handlerTimeoutMs: 4_000 });
  const startedAt = Date.now();
  await expectEffectsOnce(passenger, ids);
  expect(Date.now() - startedAt).toBeLessThan(2_500);
  await expectEffectsOnce(passenger, [stuckId!]);
  await expectAllSettled(passenger);
});

it('does not wait for somebody else’s lock with a whole batch in its hands', async () => {
  const locked = tripRequested();
  const [lockedId, ...ids] = await backlog(40, locked);
  const passenger = await pair.startPassenger(async ({ envelope }, tx) => {
    if (envelope.id === lockedId) await tx.query('SELECT pg_advisory_xact_lock(42)');
  });
  const runner = passenger.dataSource.createQueryRunner();
  await runner.query('SELECT pg_advisory_lock(42)');
  await expectEffectsOnce(passenger, ids);
  expect(await effectsOf(passenger)).not.toContain(lockedId);
  await runner.query('SELECT pg_advisory_unlock(42)');
  await runner.release();
  await expectEffectsOnce(passenger, [lockedId!]);
  await expectAllSettled(passenger);
});

it('has one effect of copies in the same batch', async () => {
  const admin = await connect(pair.broker.adminUrl);
  const channel = await admin.createConfirmChannel();
  const [id] = await backlog(1);
  const message = await channel.get(QUEUE);
  if (!message) throw new Error('no message');
  const { messageId, type, contentType, headers } = message.properties;
  const options = { messageId: String(messageId), type: String(type), contentType: String(contentType), headers };
  for (let i = 0; i < 30; i++) channel.publish('trip.events', message.fields.routingKey, message.content, options);
  await channel.waitForConfirms();
  await admin.close();
  const passenger = await pair.startPassenger();
  await eventually(() => expect(countOf(id!)).toBe(31));
  await expectEffectsOnce(passenger, [id!]);
  await expectAllSettled(passenger);
});

it('does not take a transaction for committed that a failed statement has undone', async () => {
  let swallow = true;
  const passenger = await pair.startPassenger((_delivery, tx) => {
    // Not waited for: its error comes after the handler has returned.
    if (swallow) void tx.query('SELECT 1 / 0').catch(() => undefined);
    swallow = false;
    return Promise.resolve();
  });
  await expectEffectsOnce(passenger, [await publish(trip)]);
  await expectAllSettled(passenger);
});
