/** `npx nx run bench:messaging`: how fast events are, beside what else could bring them. See docs/performance.md. */
import { conclude, figure, printFigures, ratios, type Figure } from '../harness/figures.ts';
import { describeMachine, machine } from '../harness/machine.ts';
import { readOptions } from '../harness/options.ts';
import { compileWorkers } from '../harness/processes.ts';
import { inRounds } from '../harness/rounds.ts';
import { randomOf } from '../harness/stats.ts';
import { startCabstand, type Cabstand } from './cabstand.ts';
import { latencyOf, type Pipeline } from './pipeline.ts';
import { startRaw } from './references.ts';
import { startRuntime } from './runtime.ts';

const { output, values } = readOptions({
  rounds: { type: 'string', default: '5' },
  events: { type: 'string', default: '40000' },
  only: { type: 'string', default: 'drain,sustained,latency' },
});
const rounds = Number(values.rounds);
const events = Number(values.events);
const wanted = new Set(values.only.split(','));
const random = randomOf(output.seed);
const SUSTAINED_MS = 4_000;
const PACE = { ratePerS: 200, durationMs: 4_000 };

async function drain(cabstand: Cabstand, raw: Pipeline): Promise<Figure[]> {
  const rates = await inRounds('backlog, events/s', rounds, random, {
    cabstand: () => cabstand.reset().then(() => cabstand.drain(events)),
    raw: () => raw.drain(events),
  });
  return [
    figure('backlog: Cabstand', 'events/s', rates.cabstand),
    figure('backlog: raw amqplib', 'events/s', rates.raw),
    figure('backlog: Cabstand / raw amqplib', '×', ratios(rates.cabstand, rates.raw), {
      reference: 'raw amqplib',
      atLeast: 0.6,
      aim: 0.75,
    }),
  ];
}

async function sustained(cabstand: Cabstand): Promise<Figure[]> {
  const rates = await inRounds('16 writers, events/s', rounds, random, {
    alone: async () => {
      await cabstand.reset();
      const { startedAt, endedAt, count } = await cabstand.write(SUSTAINED_MS, false);
      return (count / (endedAt - startedAt)) * 1_000;
    },
    cabstand: async () => {
      await cabstand.reset();
      const { consumer } = cabstand.workers;
      await consumer.call('begin', { keepTimes: false });
      const { startedAt, count } = await cabstand.write(SUSTAINED_MS, true);
      const endedAt = await consumer.call<number>('reached', { count });
      return (count / (endedAt - startedAt)) * 1_000;
    },
  });
  return [
    figure('16 writers: Cabstand', 'events/s', rates.cabstand),
    figure('16 writers: no events', 'rows/s', rates.alone),
    figure('16 writers: Cabstand / no events', '×', ratios(rates.cabstand, rates.alone), {
      reference: 'the same writers, no events',
      atLeast: 0.3,
      aim: 0.55,
    }),
  ];
}

async function latency(cabstand: Cabstand, raw: Pipeline): Promise<Figure[]> {
  const p99: Record<'cabstand' | 'raw', number[]> = { cabstand: [], raw: [] };
  const measure = async (name: 'cabstand' | 'raw', pipeline: Pipeline) => {
    await pipeline.reset();
    const { p50Ms, p99Ms } = await latencyOf(pipeline, PACE);
    p99[name].push(p99Ms);
    return p50Ms;
  };
  const p50 = await inRounds('commit to handled at 200/s, p50 ms', rounds, random, {
    cabstand: () => measure('cabstand', cabstand),
    raw: () => measure('raw', raw),
  });
  const demand = { reference: 'raw amqplib', atMost: 4, aim: 2 };
  return [
    figure('latency p50: Cabstand', 'ms', p50.cabstand),
    figure('latency p50: raw amqplib', 'ms', p50.raw),
    figure('latency p50: Cabstand / raw amqplib', '×', ratios(p50.cabstand, p50.raw), demand),
    figure('latency p99: Cabstand', 'ms', p99.cabstand),
    figure('latency p99: raw amqplib', 'ms', p99.raw),
    figure('latency p99: Cabstand / raw amqplib', '×', ratios(p99.cabstand, p99.raw), demand),
  ];
}

const runtime = await startRuntime();
const here = machine(runtime.versions);
const pipelines: Pipeline[] = [];
let ended: Promise<void> | undefined;
const end = () =>
  (ended ??= Promise.all(pipelines.flatMap(({ workers }) => [workers.publisher.stop(), workers.consumer.stop()])).then(
    () => runtime.stop(),
  ));
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void end().then(() => process.exit(130)));

const figures: Figure[] = [];
try {
  const file = await compileWorkers('bench/messaging/workers', ['cabstand-publisher', 'cabstand-consumer', 'raw']);
  const cabstand = await startCabstand(runtime, file);
  pipelines.push(cabstand);
  const raw = await startRaw(runtime, file);
  pipelines.push(raw);
  // Unmeasured: compilers warm up, tables get their first pages.
  await cabstand.drain(2_000);
  await raw.drain(2_000);
  if (wanted.has('drain')) figures.push(...(await drain(cabstand, raw)));
  if (wanted.has('sustained')) figures.push(...(await sustained(cabstand)));
  if (wanted.has('latency')) figures.push(...(await latency(cabstand, raw)));
} finally {
  await end();
}
console.log(`${describeMachine(here)}, seed ${output.seed}\n`);
printFigures(figures);
conclude(figures, here, output);
