import pg from 'pg';
import { SERVICES, type ServiceName } from '@cabstand/contracts';
import type { PlatformState } from './platform.ts';

export interface Figures {
  driversOnline: number | null;
  requested: number | null;
  underWay: number | null;
  completed: number | null;
  eventsPerS: number | null;
  deadLetters: number | null;
}

/** Events per second are counted over this long. */
const WINDOW_MS = 10_000;

const TRIPS = `SELECT count(*)::int AS requested,
  (count(*) FILTER (WHERE status IN ('requested', 'accepted', 'arrived', 'in_progress')))::int AS "underWay",
  (count(*) FILTER (WHERE status = 'completed'))::int AS completed FROM trips`;
const DRIVERS = `SELECT count(*)::int AS "driversOnline" FROM availability WHERE status = 'online'`;
const DEAD = 'SELECT count(*)::int AS dead FROM dead_letters';

/** Looks at the running platform from outside: the databases, read-only, and the services' metrics. */
export class StatusReader {
  readonly #state: PlatformState;
  readonly #pools: Record<ServiceName, pg.Pool>;
  #published: { total: number; atMs: number }[] = [];

  constructor(state: PlatformState) {
    this.#state = state;
    this.#pools = Object.fromEntries(
      SERVICES.map((service) => {
        const connectionString = state.infrastructure.postgres.databases[service];
        const options = '-c default_transaction_read_only=on -c statement_timeout=2000';
        const pool = new pg.Pool({ connectionString, max: 1, options, connectionTimeoutMillis: 2_000 });
        // A database that goes away shows as missing figures.
        pool.on('error', () => undefined);
        return [service, pool];
      }),
    ) as Record<ServiceName, pg.Pool>;
  }

  async read(): Promise<Figures> {
    const [trips, drivers, dead, eventsPerS] = await Promise.all([
      this.#row<{ requested: number; underWay: number; completed: number }>('trip', TRIPS),
      this.#row<{ driversOnline: number }>('driver', DRIVERS),
      Promise.all(SERVICES.map((service) => this.#row<{ dead: number }>(service, DEAD))),
      this.#eventsPerS(),
    ]);
    const deadLetters = dead.every((row) => row !== null) ? dead.reduce((sum, row) => sum + row.dead, 0) : null;
    const noTrips = { requested: null, underWay: null, completed: null };
    return { ...(trips ?? noTrips), driversOnline: drivers?.driversOnline ?? null, eventsPerS, deadLetters };
  }

  async close(): Promise<void> {
    await Promise.all(Object.values(this.#pools).map((pool) => pool.end().catch(() => undefined)));
  }

  async #row<T extends pg.QueryResultRow>(service: ServiceName, query: string): Promise<T | null> {
    try {
      return (await this.#pools[service].query<T>(query)).rows[0] ?? null;
    } catch {
      return null;
    }
  }

  /** From the counters of events that the broker has confirmed; null at first, and after a service restarted. */
  async #eventsPerS(): Promise<number | null> {
    const totals = await Promise.all(
      SERVICES.map((service) => publishedBy(this.#state.services[service].managementUrl)),
    );
    if (totals.some((total) => total === null)) return null;
    const now = { total: totals.reduce<number>((sum, total) => sum + (total ?? 0), 0), atMs: performance.now() };
    if (now.total < (this.#published.at(-1)?.total ?? 0)) this.#published = [];
    const window = [...this.#published, now].filter(({ atMs }) => now.atMs - atMs <= WINDOW_MS);
    this.#published = window;
    const [first] = window;
    return first && first !== now ? (now.total - first.total) / ((now.atMs - first.atMs) / 1_000) : null;
  }
}

async function publishedBy(managementUrl: string): Promise<number | null> {
  try {
    const response = await fetch(`${managementUrl}/metrics`, { signal: AbortSignal.timeout(2_000) });
    const lines = (await response.text()).split('\n').filter((line) => line.startsWith('messaging_published_total'));
    return lines.reduce((sum, line) => sum + Number(line.match(/} ([\d.e+]+)/)?.[1] ?? 0), 0);
  } catch {
    return null;
  }
}

const shown = (figure: number | null, digits = 0) => (figure === null ? '–' : figure.toFixed(digits));

/** One line, in fewer words where the terminal is narrow. */
export function statusLine(f: Figures, columns = Infinity): string {
  const [requested, underWay, completed] = [shown(f.requested), shown(f.underWay), shown(f.completed)];
  const line = [
    `${shown(f.driversOnline)} drivers online`,
    `trips: ${requested} requested, ${underWay} under way, ${completed} completed`,
    `${shown(f.eventsPerS, 1)} events/s`,
    `${shown(f.deadLetters)} dead letters`,
  ];
  const full = line.join(' · ');
  if (full.length < columns) return full;
  line[1] = `trips ${requested}/${underWay}/${completed}`;
  return line.join(' · ');
}
