import { topologyOf, workQueue } from '@cabstand/contracts';
import { startWorker } from '../harness/processes.ts';
import { BODY_BYTES, EVENTS } from './event.ts';
import type { Pipeline } from './pipeline.ts';
import type { BenchRuntime } from './runtime.ts';
import type { ReferenceSettings } from './workers/raw.ts';

/** Those of the library's own work queue: the same kind of queue for everybody. */
const queueArguments = topologyOf(EVENTS).queues.find(({ name }) => name === workQueue('passenger', 'trip'))!.arguments;

async function startPair(runtime: BenchRuntime, file: string) {
  const settings = { amqpUrl: runtime.amqpUrl, queueArguments };
  const of = (role: 'publisher' | 'consumer', service: 'trip' | 'passenger'): ReferenceSettings => ({
    ...{ ...settings, role, databaseUrl: runtime.databases[service] },
  });
  const consumer = await startWorker(file, of('consumer', 'passenger'));
  const publisher = await startWorker(file, of('publisher', 'trip'));
  return { publisher, consumer };
}

/** amqplib alone: nothing that keeps the events is faster. */
export async function startRaw(runtime: BenchRuntime, file: (name: string) => string): Promise<Pipeline> {
  const { publisher, consumer } = await startPair(runtime, file('raw'));
  return {
    workers: { publisher, consumer },
    reset: () => Promise.resolve(),
    drain: async (count, bodyBytes = BODY_BYTES) => {
      await consumer.call('begin', { keepTimes: false });
      const startedAt = await publisher.call<number>('publish', { count, bodyBytes });
      const endedAt = await consumer.call<number>('reached', { count });
      return count / ((endedAt - startedAt) / 1_000);
    },
  };
}
