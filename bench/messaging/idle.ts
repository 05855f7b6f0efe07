import { setTimeout as wait } from 'node:timers/promises';
import { figure, type Figure } from '../harness/figures.ts';
import { cpuMsOf } from '../harness/machine.ts';
import type { Fleet } from './fleet.ts';
import type { BenchRuntime } from './runtime.ts';

const IDLE_MS = 10_000;
/** A session of PostgreSQL's that comes to rest tells the last of its counts ten seconds later. */
const SETTLE_MS = 12_000;

/** What a service costs that has nothing to do: its transactions (one for each query) and its share of a core. */
export async function idle({ cabstand, runtime }: Fleet): Promise<Figure[]> {
  const { publisher, consumer } = cabstand.workers;
  // Its transactions would count as the service's.
  await configure(runtime, 'ALTER SYSTEM SET autovacuum = off');
  await wait(SETTLE_MS);
  const [tripBefore, passengerBefore] = [
    await transactionsOf(runtime, 'trip'),
    await transactionsOf(runtime, 'passenger'),
  ];
  const cpuBefore = [publisher, consumer].map(({ pid }) => cpuMsOf(pid));
  await wait(IDLE_MS);
  const cpuMs = [publisher, consumer].map(({ pid }, i) => cpuMsOf(pid) - cpuBefore[i]!);
  const [trip, passenger] = [await transactionsOf(runtime, 'trip'), await transactionsOf(runtime, 'passenger')];
  await configure(runtime, 'ALTER SYSTEM RESET autovacuum');
  const perS = (count: number) => [(count / IDLE_MS) * 1_000];
  const atMost = { atMost: 1 };
  return [
    figure('idle publisher, queries', '/s', perS(trip - tripBefore), atMost),
    figure('idle consumer, queries', '/s', perS(passenger - passengerBefore), atMost),
    ...['publisher', 'consumer'].map((name, i) =>
      figure(`idle ${name}, CPU`, '%', [(cpuMs[i]! / IDLE_MS) * 100], atMost),
    ),
  ];
}

async function configure({ adminDb }: BenchRuntime, statement: string): Promise<void> {
  await adminDb.query(statement);
  await adminDb.query('SELECT pg_reload_conf()');
}

async function transactionsOf({ adminDb }: BenchRuntime, database: string): Promise<number> {
  const { rows } = await adminDb.query<{ count: number }>(
    'SELECT (xact_commit + xact_rollback)::float8 AS count FROM pg_stat_database WHERE datname = $1',
    [database],
  );
  return rows[0]!.count;
}
