import { randomUUIDv7 } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { nowMs } from '../harness/machine.ts';
import { startWorker, type Worker } from '../harness/processes.ts';
import { BODY_BYTES } from './event.ts';
import type { DrainOptions, Pipeline } from './pipeline.ts';
import type { BenchRuntime } from './runtime.ts';
import type { Backlog, ServiceSettings } from './workers/cabstand-publisher.ts';
import type { Written } from './workers/measuring.ts';

/** Aggregates have a few events each, as trips do, and never two in a row. */
const EVENTS_PER_AGGREGATE = 4;
/** Longer than a relay under load takes for a batch. */
const STUCK_MS = 30_000;
/** Enough that each partition gets its share. */
const TEMPLATES = 64;

/** The library: business row and outbox row in one transaction, relay, inbox and business row in one transaction. */
export interface Cabstand extends Pipeline {
  /** Writes a backlog straight into the outbox. Answers when it was committed. */
  fill(count: number, options?: Pick<DrainOptions, 'bodyBytes' | 'ordinary'>): Promise<number>;
  /** Publishes one event more: the relay is told of what commits in its own process, and a backlog isn't. */
  wake(): Promise<void>;
  /** Commits business rows with their events for so long, and answers how many a second were brought and handled. */
  sustain(writers: number, durationMs: number): Promise<number>;
  /** The same writers and business rows, and no events. */
  writeAlone(writers: number, durationMs: number): Promise<number>;
}

/** One process of either service. The first of each applies the migrations. */
export function startReplica(
  runtime: BenchRuntime,
  file: (name: string) => string,
  role: 'publisher' | 'consumer',
  options?: ServiceSettings['options'],
) {
  const service = role === 'publisher' ? 'trip' : 'passenger';
  const settings: ServiceSettings = { databaseUrl: runtime.databases[service], ...runtime.brokers[service], options };
  return startWorker(file(`cabstand-${role}`), settings);
}

export async function startCabstand(runtime: BenchRuntime, file: (name: string) => string): Promise<Cabstand> {
  const consumer = await startReplica(runtime, file, 'consumer');
  const publisher = await startReplica(runtime, file, 'publisher');
  const fill: Cabstand['fill'] = (count, { bodyBytes = BODY_BYTES, ordinary = false } = {}) =>
    fillOutbox(runtime, publisher, count, { bodyBytes, ordinary });
  const wake = () => publisher.call('publishOne', { rideId: randomUUIDv7(), bodyBytes: BODY_BYTES });
  const write = (writers: number, durationMs: number, withEvents: boolean) =>
    publisher.call<Written>('write', { writers, durationMs, withEvents, bodyBytes: BODY_BYTES });
  return {
    workers: { publisher, consumer },
    fill,
    wake,
    prepare: async () => {
      await untilEmpty(runtime);
      await runtime.emptyTables();
    },
    drain: async (count, { started, ...options } = {}) => {
      await consumer.call('begin', { keepTimes: false });
      const startedAt = await fill(count, options);
      started?.();
      await wake();
      const endedAt = await consumer.call<number>('reached', { count: count + 1 });
      await assertExactlyOnce(runtime, count + 1);
      return count / ((endedAt - startedAt) / 1_000);
    },
    sustain: async (writers, durationMs) => {
      await consumer.call('begin', { keepTimes: false });
      const { startedAt, count } = await write(writers, durationMs, true);
      const endedAt = await consumer.call<number>('reached', { count });
      await assertExactlyOnce(runtime, count);
      return count / ((endedAt - startedAt) / 1_000);
    },
    writeAlone: async (writers, durationMs) => {
      const { startedAt, endedAt, count } = await write(writers, durationMs, false);
      return count / ((endedAt - startedAt) / 1_000);
    },
  };
}

async function fillOutbox(
  { publisherDb }: BenchRuntime,
  publisher: Worker,
  count: number,
  options: Omit<Backlog, 'rideIds'>,
) {
  const rideIds = Array.from({ length: TEMPLATES }, () => randomUUIDv7());
  const backlog: Backlog = { rideIds, ...options };
  const templates = await publisher.call<Record<string, unknown>[]>('templates', backlog);
  const own: Record<string, string> = {
    id: 'uuidv7()',
    subject: 'aggregate.subject',
    sequence: `i / ${Math.ceil(count / EVENTS_PER_AGGREGATE)} + 1`,
    payload: 'replace(template.payload, template.subject::text, aggregate.subject::text)',
  };
  const columns = Object.keys(templates[0]!).filter((column) => column !== 'position');
  const values = columns.map((column) => own[column] ?? `template.${column}`);
  await publisherDb.query(
    // The last digits of the subject stay the template's, because they say which partition it is in.
    `WITH template AS MATERIALIZED (
       SELECT row_number() OVER () - 1 AS n, t.* FROM jsonb_populate_recordset(NULL::outbox, $1) AS t),
     aggregate AS MATERIALIZED (
       SELECT a, t.n, (left(uuidv7()::text, 32) || right(t.subject::text, 4))::uuid AS subject
       FROM generate_series(0, $2::int - 1) AS a JOIN template AS t ON t.n = a % ${TEMPLATES})
     INSERT INTO outbox (${columns.join(', ')})
     SELECT ${values.join(', ')} FROM generate_series(0, $3::int - 1) AS i
     JOIN aggregate ON aggregate.a = i % $2::int JOIN template USING (n) ORDER BY i`,
    [JSON.stringify(templates), Math.ceil(count / EVENTS_PER_AGGREGATE), count],
  );
  return nowMs();
}

/** What is fast and wrong is no figure. */
async function assertExactlyOnce(runtime: BenchRuntime, count: number): Promise<void> {
  const { rows } = await runtime.consumerDb.query<{ events: number; effects: number }>(
    'SELECT count(DISTINCT event_id)::int AS events, count(*)::int AS effects FROM seen_rides',
  );
  const { events, effects } = rows[0]!;
  if (events !== count || effects !== count) {
    throw new Error(`${count} events were committed, ${events} handled, with ${effects} effects`);
  }
  await untilEmpty(runtime);
}

/** Fails when nothing is taken away any more. */
async function untilEmpty({ publisherDb }: BenchRuntime): Promise<void> {
  let first = '';
  let deadline = 0;
  for (;;) {
    const { rows } = await publisherDb.query<{ position: string }>(
      'SELECT position FROM outbox ORDER BY position LIMIT 1',
    );
    const row = rows[0];
    if (!row) return;
    if (row.position !== first) [first, deadline] = [row.position, nowMs() + STUCK_MS];
    if (nowMs() > deadline) throw new Error('what was published stays in the outbox');
    await wait(5);
  }
}
