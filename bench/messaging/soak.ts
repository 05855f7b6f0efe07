/** `npx nx run bench:soak`: however long events go by, what they leave in tables and memory stays the size it is. */
import { conclude, figure, printFigures, printTable, type Figure } from '../harness/figures.ts';
import { describeMachine, machine, rssMbOf } from '../harness/machine.ts';
import { readOptions } from '../harness/options.ts';
import { compileWorkers, onceEnded, type Worker } from '../harness/processes.ts';
import { formatted } from '../harness/rounds.ts';
import { percentile } from '../harness/stats.ts';
import { startReplica } from './cabstand.ts';
import { latenciesOf } from './pipeline.ts';
import { startRuntime, type BenchRuntime } from './runtime.ts';

const { output, values } = readOptions({
  minutes: { type: 'string', default: '10' },
  rate: { type: 'string', default: '300' },
});
const SLICE_MS = 5_000;
/** In production 14 days and ten minutes: what is kept so long shows nothing within minutes. */
const PRUNING = { inboxKeepMs: 30_000, pruneEveryMs: 5_000 };
/** How much larger the last third of the run may be than the second; the first fills what is kept. */
const GROWTH = { atMost: 1.2 };

interface Sample {
  outboxMb: number;
  inboxMb: number;
  publisherMb: number;
  consumerMb: number;
  p99Ms: number;
}

const here = machine({});
const runtime = await startRuntime();
const workers: Worker[] = [];
const end = onceEnded(async () => {
  await Promise.all(workers.map((worker) => worker.stop()));
  await runtime.stop();
});

const samples: Sample[] = [];
try {
  const file = await compileWorkers('bench/messaging/workers', ['cabstand-publisher', 'cabstand-consumer']);
  const consumer = await startReplica(runtime, file, 'consumer', PRUNING);
  workers.push(consumer);
  const publisher = await startReplica(runtime, file, 'publisher', PRUNING);
  workers.push(publisher);
  const slices = Math.max(3, Math.round((Number(values.minutes) * 60_000) / SLICE_MS));
  for (let slice = 0; slice < slices; slice++) {
    const pace = { ratePerS: Number(values.rate), durationMs: SLICE_MS };
    const latencies = await latenciesOf({ publisher, consumer }, pace);
    samples.push({
      outboxMb: await tableMb(runtime, 'publisherDb', 'outbox'),
      inboxMb: await tableMb(runtime, 'consumerDb', 'inbox'),
      publisherMb: rssMbOf(publisher.pid),
      consumerMb: rssMbOf(consumer.pid),
      p99Ms: percentile(latencies, 99),
    });
    if (slice % 12 === 11) process.stderr.write(`${(slice + 1) / 12} min: ${JSON.stringify(samples.at(-1))}\n`);
  }
} finally {
  await end();
}
Object.assign(here.versions, runtime.versions);

const third = Math.floor(samples.length / 3);
const parts = [samples.slice(0, third), samples.slice(third, 2 * third), samples.slice(2 * third)] as const;
const largest = (of: readonly Sample[], name: keyof Sample) => Math.max(...of.map((sample) => sample[name]));
const ROWS: Record<keyof Sample, string> = {
  outboxMb: 'outbox with its indexes, MB',
  inboxMb: 'inbox with its indexes, MB',
  publisherMb: 'publisher’s memory, MB',
  consumerMb: 'consumer’s memory, MB',
  p99Ms: 'commit to handled, p99 of 5 s, ms',
};
const names = Object.keys(ROWS) as (keyof Sample)[];
const growth = (name: keyof Sample): Figure =>
  figure(`growth of ${ROWS[name].split(',')[0]!}`, '×', [largest(parts[2], name) / largest(parts[1], name)], {
    reference: 'the second third of the run',
    ...GROWTH,
  });
const figures = names.filter((name) => name !== 'p99Ms').map(growth);

console.log(`${describeMachine(here)}; ${values.minutes} min at ${values.rate} events/s\n`);
printTable(
  ['largest in each third of the run', 'first', 'second', 'third'],
  names.map((name) => [ROWS[name], ...parts.map((part) => formatted(largest(part, name)))]),
);
console.log();
printFigures(figures);
conclude(figures, here, output);

async function tableMb(of: BenchRuntime, db: 'publisherDb' | 'consumerDb', table: string): Promise<number> {
  const { rows } = await of[db].query<{ bytes: number }>('SELECT pg_total_relation_size($1)::float AS bytes', [table]);
  return rows[0]!.bytes / 2 ** 20;
}
