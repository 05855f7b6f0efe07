import { randomUUID } from 'node:crypto';
import { TripRequested } from '@cabstand/contracts';
import { eventually } from '@cabstand/testing';
import { connect, type ConsumeMessage } from 'amqplib';
import type { DataSource } from 'typeorm';
import { MessagingSettings } from '../src/options.ts';
import { OutboxReader, PARTITIONS, partitionOf } from '../src/outbox-reader.ts';
import { createPair, dataSourceOf, publish, tripRequested, type Pair } from './service.ts';

let pair: Pair;
let database: DataSource;

beforeEach(async () => {
  pair = await createPair();
  database = await dataSourceOf(pair.tripDatabase).initialize();
});
afterEach(async () => {
  await database.destroy();
  await pair.drop();
});

const EVENTS_OF_EACH = 4;

/** As if an outage had let them pile up: every aggregate has its first event, then every one its second, … */
async function pileUp(aggregates: string[], partitions: readonly number[] = PARTITIONS): Promise<void> {
  const chosen = aggregates.filter((id) => partitions.includes(partitionOf(id)));
  await database.query(
    `INSERT INTO outbox (id, partition, exchange, type, subject, sequence, payload, occurred_at, mandatory)
     SELECT gen_random_uuid(), partition, 'trip.events', $4, subject, sequence, replace($3, $5, subject::text), now(), true
     FROM generate_series(1, ${EVENTS_OF_EACH}) AS sequence, unnest($1::uuid[], $2::int[]) AS a(subject, partition)
     ORDER BY sequence`,
    [chosen, chosen.map(partitionOf), JSON.stringify(tripRequested(EXAMPLE)), TripRequested.type, EXAMPLE],
  );
}
const EXAMPLE = randomUUID();
const manyIds = (count: number): string[] => Array.from({ length: count }, () => randomUUID());

async function waiting(): Promise<number> {
  const [row] = await database.query<{ count: number }[]>('SELECT count(*)::int FROM outbox');
  return row!.count;
}

/** What the server has read of the outbox so far; a session's part counts once it has ended. */
async function rowsRead(): Promise<number> {
  const [row] = await database.query<{ rows: number }[]>(
    `SELECT (idx_tup_fetch + seq_tup_read)::int AS rows FROM pg_stat_user_tables WHERE relname = 'outbox'`,
  );
  return row!.rows;
}

describe('with 100,000 rows waiting', () => {
  const [BATCH, NEWEST, BATCHES] = [500, 100, 20];
  const settings = new MessagingSettings({ service: 'trip', amqpUrl: '' });

  const untilOver = (application: string) =>
    eventually(async () => {
      const sessions = await database.query<unknown[]>(
        'SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1',
        [application],
      );
      expect(sessions).toEqual([]);
    });

  it.each<[string, () => Promise<void>]>([
    ['nobody ever counted', () => pileUp(manyIds(25_000))],
    [
      'were none when they were counted',
      async () => {
        await database.query('ANALYZE outbox');
        await pileUp(manyIds(25_000));
      },
    ],
    [
      'are counted, and of which one partition has few, and late',
      async () => {
        const ids = manyIds(25_000);
        await pileUp(ids, [0, 1, 2]);
        await pileUp(ids, [3]);
        await database.query('ANALYZE outbox');
      },
    ],
    [
      'follow as many that are deleted and still take their space',
      async () => {
        await pileUp(manyIds(25_000));
        await database.query('DELETE FROM outbox');
        await pileUp(manyIds(25_000));
      },
    ],
  ])(
    'reads for each batch a few times its rows, when they %s',
    async (_, fill) => {
      await fill();
      for (const anyRefused of [true, false]) {
        const before = await rowsRead();
        const reader = await OutboxReader.open(database, settings);
        await reader.takePartitions();
        let { rows } = await reader.fresh(BATCH);
        for (let i = 0; i < BATCHES; i++) {
          expect(rows.length).toBeGreaterThanOrEqual(BATCH);
          reader.anyRefused = anyRefused;
          const next = await reader.fresh(BATCH, rows);
          next.rows.push(...(await reader.newest(NEWEST, [...rows, ...next.rows])));
          await reader.remove(rows);
          rows = next.rows;
        }
        await reader.refused(20);
        await reader.close();
        await untilOver('trip relay');
        // Each row is read when it is asked for, passed over while it is under way, and found when it is deleted; and
        // with it the other rows of its aggregate, when the question is whether one of them is in its way.
        const perBatch = ((await rowsRead()) - before) / BATCHES;
        expect(perBatch).toBeGreaterThan(BATCH);
        expect(perBatch).toBeLessThan(BATCH * (4 + EVENTS_OF_EACH));
      }
    },
    60_000,
  );
});

/** Everything that comes to the exchange, in that order. */
async function tap() {
  const admin = await connect(pair.broker.adminUrl);
  const channel = await admin.createChannel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await channel.bindQueue(queue, 'trip.events', '#');
  const heard: { id: string; subject: string; sequence: number }[] = [];
  const onMessage = (message: ConsumeMessage | null) => {
    const headers = message?.properties.headers ?? {};
    const [subject, sequence] = [String(headers['cloudEvents:subject']), Number(headers['cloudEvents:sequence'])];
    heard.push({ id: String(message?.properties.messageId), subject, sequence });
  };
  await channel.consume(queue, onMessage, { noAck: true });
  return { heard, close: () => admin.close() };
}

it('lets pass a backlog what is committed while it drains, and keeps the order of each aggregate', async () => {
  const BACKLOG = 20_000;
  const ids = manyIds(BACKLOG / EVENTS_OF_EACH);
  await pileUp(ids);
  const { heard, close } = await tap();
  const trip = await pair.startTrip();
  await eventually(() => expect(heard.length).toBeGreaterThan(500));
  // New aggregates, and such that have a part of the backlog before them.
  const young = manyIds(20);
  const old = ids.slice(-20);
  let waitingThen = 0;
  for (let sequence = 1; sequence <= 10; sequence++) {
    const written = [
      ...young.map((id) => publish(trip, tripRequested(id), sequence)),
      ...old.map((id) => publish(trip, tripRequested(id), EVENTS_OF_EACH + sequence)),
    ];
    await Promise.all(written);
    if (sequence > 1) continue;
    const isHeard = () => young.every((id) => heard.some(({ subject }) => subject === id));
    await eventually(() => expect(isHeard()).toBe(true));
    waitingThen = await waiting();
  }
  expect(waitingThen).toBeGreaterThan(BACKLOG / 2);
  await eventually(async () => expect(await waiting()).toBe(0), { timeoutMs: 90_000 });
  await eventually(() => expect(heard).toHaveLength(BACKLOG + 10 * (young.length + old.length)));
  const sequences = Map.groupBy(heard, ({ subject }) => subject);
  for (const [subject, events] of sequences) {
    const last = (old.includes(subject) ? 10 : 0) + (young.includes(subject) ? 10 : EVENTS_OF_EACH);
    expect(events.map(({ sequence }) => sequence)).toEqual(Array.from({ length: last }, (_, i) => i + 1));
  }
  await close();
}, 120_000);
