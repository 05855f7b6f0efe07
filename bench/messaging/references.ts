import { topologyOf, workQueue } from '@cabstand/contracts';
import { nowMs } from '../harness/machine.ts';
import { startWorker } from '../harness/processes.ts';
import { BODY_BYTES, EVENTS, rideNoted } from './event.ts';
import type { Pipeline } from './pipeline.ts';
import type { BenchRuntime } from './runtime.ts';
import type { InboxKind } from './workers/handling.ts';
import type { Mode } from './workers/polling.ts';
import type { ReferenceSettings } from './workers/raw.ts';

/** Those of the library's own work queue: the same kind of queue for everybody. */
const queueArguments = topologyOf(EVENTS).queues.find(({ name }) => name === workQueue('passenger', 'trip'))!.arguments;

type Pair = Pipeline['workers'];

async function startPair(runtime: BenchRuntime, file: string): Promise<Pair> {
  const of = (role: 'publisher' | 'consumer', service: 'trip' | 'passenger'): ReferenceSettings => ({
    ...{ amqpUrl: runtime.amqpUrl, queueArguments, role, databaseUrl: runtime.databases[service] },
  });
  const consumer = await startWorker(file, of('consumer', 'passenger'));
  const publisher = await startWorker(file, of('publisher', 'trip'));
  return { publisher, consumer };
}

/** Publishes straight to the broker: what a publisher that dies between its commit and this forgets is lost. */
function withoutOutbox(workers: Pair, prepare: () => Promise<void>): Pipeline {
  const { publisher, consumer } = workers;
  return {
    workers,
    prepare,
    drain: async (count, { bodyBytes = BODY_BYTES, started } = {}) => {
      await consumer.call('begin', { keepTimes: false });
      started?.();
      const startedAt = await publisher.call<number>('publish', { count, bodyBytes });
      const endedAt = await consumer.call<number>('reached', { count });
      return count / ((endedAt - startedAt) / 1_000);
    },
  };
}

/** amqplib alone: nothing that keeps the events is faster. With the library's messages, and with their bodies only. */
export async function startRaw(runtime: BenchRuntime, file: (name: string) => string) {
  const workers = await startPair(runtime, file('raw'));
  const of = (bodyOnly: boolean) => withoutOutbox(workers, () => workers.publisher.call('send', { bodyOnly }));
  return { raw: of(false), bodyOnly: of(true) };
}

/** A framework's transport, with and without an inbox transaction for each message. */
export async function startFramework(runtime: BenchRuntime, file: string) {
  const workers = await startPair(runtime, file);
  const of = (inbox: InboxKind) =>
    withoutOutbox(workers, async () => {
      await runtime.emptyTables();
      await workers.consumer.call('useInbox', { inbox });
    });
  return { without: of('none'), withInbox: of('entities'), withSqlInbox: of('sql') };
}

export interface Polling extends Pipeline {
  /** Commits business rows with their events for so long, and answers how many a second were brought and handled. */
  sustain(writers: number, durationMs: number): Promise<number>;
  /** For measuring latency. */
  whilePolling<T>(measure: () => Promise<T>): Promise<T>;
}

export async function startPolling(runtime: BenchRuntime, file: (name: string) => string) {
  const workers = await startPair(runtime, file('polling'));
  const { publisher, consumer } = workers;
  const prepare = async () => {
    await runtime.emptyTables();
    await consumer.call('useInbox', { inbox: 'sql' });
  };
  const of = (mode: Mode): Polling => {
    const whilePolling = async <T>(measure: () => Promise<T>): Promise<T> => {
      await publisher.call('resume', { mode });
      try {
        return await measure();
      } finally {
        await publisher.call('pause');
      }
    };
    return {
      ...{ workers, prepare, whilePolling },
      drain: async (count, { bodyBytes = BODY_BYTES, started } = {}) => {
        await fill(runtime, count, bodyBytes);
        await consumer.call('begin', { keepTimes: false });
        started?.();
        return whilePolling(async () => {
          const startedAt = nowMs();
          const endedAt = await consumer.call<number>('reached', { count });
          return count / ((endedAt - startedAt) / 1_000);
        });
      },
      sustain: async (writers, durationMs) => {
        await consumer.call('begin', { keepTimes: false });
        return whilePolling(async () => {
          const written = await publisher.call<{ startedAt: number; count: number }>('write', { writers, durationMs });
          const endedAt = await consumer.call<number>('reached', { count: written.count });
          return written.count / ((endedAt - written.startedAt) / 1_000);
        });
      },
    };
  };
  return { typical: of('typical'), naive: of('naive') };
}

const ANY_ID = '00000000-0000-4000-8000-000000000000';

function fill({ publisherDb }: BenchRuntime, count: number, bodyBytes: number) {
  return publisherDb.query(
    `INSERT INTO polled_outbox (id, type, payload)
     SELECT id, 'ride.noted', replace($1, '${ANY_ID}', id::text)::jsonb
     FROM (SELECT uuidv7() AS id FROM generate_series(1, $2::int) OFFSET 0)`,
    [JSON.stringify(rideNoted(ANY_ID, bodyBytes)), count],
  );
}
