import { setTimeout as wait } from 'node:timers/promises';
import { printTable } from '../harness/figures.ts';
import { nowMs, rssMbOf } from '../harness/machine.ts';
import type { Worker } from '../harness/processes.ts';
import { formatted } from '../harness/rounds.ts';
import { percentile } from '../harness/stats.ts';
import { startReplica } from './cabstand.ts';
import type { Fleet } from './fleet.ts';
import { cpuMeter } from './cpu.ts';
import type { BenchRuntime } from './runtime.ts';

interface Report {
  fleet: Fleet;
  /** Events of one measurement. */
  events: number;
  /** Messages that pile up while the consumer is down. */
  memoryEvents: number;
  wanted(section: string): boolean;
}
type Row = string[];
const FRESH = { ratePerS: 50, durationMs: 2_000 };
const FRESH_WAIT_MS = 20_000;

/** `--report`: how the figures grow, and what bounds them. One measurement each: to see how, not how much. */
export async function report(of: Report): Promise<void> {
  const section = async (name: string, title: string, header: Row, measure: (of: Report) => Promise<Row[]>) => {
    if (!of.wanted(name)) return;
    process.stderr.write(`${title}…\n`);
    const rows = await measure(of);
    console.log(`\n${title}\n`);
    printTable(header, rows);
  };
  await section('cpu', 'CPU for each event of a backlog', ['part', 'Cabstand, µs', 'raw amqplib, µs'], parts);
  await section('backlog', 'Backlog', ['rows in the outbox', 'events/s', 'new event, p50'], backlogs);
  await section('payload', 'Payload', ['bytes', 'Cabstand events/s', 'MB/s', 'raw events/s', 'MB/s'], payloads);
  await section('replicas', 'Replicas', ['relays', 'consumers', 'events/s'], replicas);
  await section('failover', 'Failover', ['one of two relays', 'longest from commit to handled'], failover);
  // Last, because it stops the consumer.
  await section('memory', 'Memory', ['process', 'before', 'highest', 'after'], memory);
}

async function parts({ fleet, events }: Report): Promise<Row[]> {
  const columns: Record<string, number>[] = [];
  for (const pipeline of [fleet.cabstand, fleet.raw]) {
    await pipeline.prepare();
    const cpu = cpuMeter(pipeline, fleet.runtime);
    await pipeline.drain(events, { started: cpu.start });
    columns.push(cpu.perEventUs(events));
  }
  return Object.keys(columns[0]!).map((name) => [name, ...columns.map((cpuUs) => formatted(cpuUs[name]!))]);
}

/** How fast it drains, and what becomes meanwhile of events that are committed now. */
async function backlogs({ fleet: { cabstand, runtime }, events }: Report): Promise<Row[]> {
  const { publisher, consumer } = cabstand.workers;
  const rows: Row[] = [];
  for (const backlog of [0, 10_000, 1_000_000]) {
    await cabstand.prepare();
    await consumer.call('begin', { keepTimes: true });
    const startedAt = backlog > 0 ? await cabstand.fill(backlog) : NaN;
    const fresh = publisher.call<[string, number][]>('paced', FRESH);
    const drained = Math.min(backlog, events);
    const endedAt = await consumer.call<number>('reached', { count: drained });
    const rate = drained / ((endedAt - startedAt) / 1_000);
    rows.push([backlog.toLocaleString('en'), formatted(rate), await p50Of(await fresh, consumer)]);
    await runtime.publisherDb.query('TRUNCATE outbox');
    await untilStill(consumer);
  }
  return rows;
}

async function p50Of(published: [string, number][], consumer: Worker): Promise<string> {
  const deadline = nowMs() + FRESH_WAIT_MS;
  for (;;) {
    const handledAt = new Map(await consumer.call<[string, number][]>('times'));
    const elapsedMs = published.flatMap(([id, at]) => (handledAt.has(id) ? [handledAt.get(id)! - at] : []));
    if (elapsedMs.length === published.length) return `${formatted(percentile(elapsedMs, 50))} ms`;
    if (nowMs() > deadline) return `${elapsedMs.length} of ${published.length} within ${FRESH_WAIT_MS / 1_000} s`;
    await wait(250);
  }
}

async function untilStill(consumer: Worker): Promise<void> {
  for (let before = -1, now = 0; now !== before;) {
    before = now;
    await wait(1_000);
    now = await consumer.call<number>('count');
  }
}

async function payloads({ fleet: { cabstand, raw }, events }: Report): Promise<Row[]> {
  const rows: Row[] = [];
  for (const bytes of [300, 3_000, 30_000]) {
    const count = Math.ceil(events / Math.sqrt(bytes / 300));
    await cabstand.prepare();
    const rates = [await cabstand.drain(count, { bodyBytes: bytes }), await raw.drain(count, { bodyBytes: bytes })];
    rows.push([String(bytes), ...rates.flatMap((rate) => [formatted(rate), formatted((rate * bytes) / 1e6)])]);
  }
  return rows;
}

async function replicas({ fleet, events }: Report): Promise<Row[]> {
  const { cabstand, runtime, file } = fleet;
  const rows: Row[] = [];
  const more: Record<'publisher' | 'consumer', Worker[]> = { publisher: [], consumer: [] };
  const only = async (role: 'publisher' | 'consumer', count: number) => {
    while (more[role].length > count - 1) await more[role].pop()!.stop();
    while (more[role].length < count - 1) more[role].push(await startReplica(runtime, file, role));
  };
  for (const [relays, consumers] of [
    [1, 1],
    [2, 1],
    [4, 1],
    [1, 2],
    [1, 4],
    [4, 4],
  ] as const) {
    await only('publisher', relays);
    await only('consumer', consumers);
    await cabstand.prepare();
    const handling = [cabstand.workers.consumer, ...more.consumer];
    for (const consumer of handling) await consumer.call('begin', { keepTimes: false });
    const startedAt = await cabstand.fill(events);
    await cabstand.wake();
    const endedAt = await untilTogether(handling, events + 1);
    const working = await relaysWithPartitions(runtime);
    rows.push([
      `${relays} (${working} with partitions)`,
      String(consumers),
      formatted(events / ((endedAt - startedAt) / 1_000)),
    ]);
  }
  await only('publisher', 1);
  await only('consumer', 1);
  return rows;
}

async function untilTogether(consumers: Worker[], count: number): Promise<number> {
  for (;;) {
    const counts = await Promise.all(consumers.map((consumer) => consumer.call<number>('count')));
    if (counts.reduce((sum, one) => sum + one, 0) >= count) return nowMs();
    await wait(10);
  }
}

async function relaysWithPartitions({ adminDb }: BenchRuntime): Promise<number> {
  const { rows } = await adminDb.query<{ count: number }>(
    `SELECT count(DISTINCT pid)::int AS count FROM pg_locks
     WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = 'trip')`,
  );
  return rows[0]!.count;
}

/** The other one has half of the partitions, and takes the rest when the database has noticed. */
async function failover({ fleet: { cabstand, runtime, file } }: Report): Promise<Row[]> {
  const { publisher, consumer } = cabstand.workers;
  const ways: Record<string, (relay: Worker) => Promise<unknown> | boolean> = {
    stops: (relay) => relay.stop(),
    'is killed': ({ pid }) => process.kill(pid, 'SIGKILL'),
    freezes: ({ pid }) => process.kill(pid, 'SIGSTOP'),
  };
  const rows: Row[] = [];
  for (const [way, end] of Object.entries(ways)) {
    await cabstand.prepare();
    const relay = await startReplica(runtime, file, 'publisher');
    while ((await relaysWithPartitions(runtime)) < 2) await wait(100);
    await consumer.call('begin', { keepTimes: true });
    const publishing = publisher.call<[string, number][]>('paced', FRESH);
    const ending = end(relay);
    const published = await publishing;
    await consumer.call('reached', { count: published.length });
    const handledAt = new Map(await consumer.call<[string, number][]>('times'));
    rows.push([way, `${formatted(Math.max(...published.map(([id, at]) => handledAt.get(id)! - at)))} ms`]);
    await ending;
    if (way === 'freezes') process.kill(relay.pid, 'SIGKILL');
    await relay.stop();
  }
  return rows;
}

/** Everything piles up in the broker while the consumer is down, and then comes down on it at once. */
async function memory({ fleet: { cabstand, runtime, file }, memoryEvents }: Report): Promise<Row[]> {
  const { publisher, consumer } = cabstand.workers;
  await cabstand.prepare();
  await consumer.stop();
  const publishing = await rssWhile(publisher, async () => {
    await cabstand.fill(memoryEvents);
    await cabstand.wake();
    await cabstand.prepare();
  });
  const back = await startReplica(runtime, file, 'consumer');
  const consuming = await rssWhile(back, () => back.call('reached', { count: memoryEvents + 1 }));
  await back.stop();
  const row = (name: string, rss: Rss) => [
    name,
    ...[rss.beforeMb, rss.highestMb, rss.afterMb].map((mb) => `${formatted(mb)} MB`),
  ];
  const messages = memoryEvents.toLocaleString('en');
  return [
    row(`publisher, ${messages} messages, consumer down`, publishing),
    row('consumer, back and draining them', consuming),
  ];
}

interface Rss {
  beforeMb: number;
  highestMb: number;
  afterMb: number;
}

async function rssWhile({ pid }: Worker, work: () => Promise<unknown>): Promise<Rss> {
  const beforeMb = rssMbOf(pid);
  let highestMb = beforeMb;
  const sampling = setInterval(() => (highestMb = Math.max(highestMb, rssMbOf(pid))), 200);
  try {
    await work();
  } finally {
    clearInterval(sampling);
  }
  return { beforeMb, highestMb, afterMb: rssMbOf(pid) };
}
