import pg from 'pg';
import type { DataSource } from 'typeorm';
import type { PostgresDataSourceOptions } from 'typeorm/driver/postgres/PostgresDataSourceOptions.js';
import type { OutboxMessage } from './messaging.entities.ts';
import type { MessagingSettings } from './options.ts';

/** First key of the advisory locks; the second is the partition. */
const LOCK_CLASS = 0x0ca85;
/**
 * Relays work on partitions, one relay on each at a time. Written into the rows: another number takes an empty
 * outbox and no old replica left.
 */
export const PARTITIONS = [0, 1, 2, 3] as const;
/** The end of a UUID is random in every version that a service would make. */
export const partitionOf = (subject: string) => parseInt(subject.slice(-4), 16) % PARTITIONS.length;

const COLUMNS = `position, id, partition, exchange, type, subject, sequence, payload, traceparent,
  occurred_at AS "occurredAt", mandatory, refused_at AS "refusedAt"`;

/**
 * - A crash after a commit that isn't on disk yet publishes again, which the inbox drops.
 * - A session that has fallen silent (a frozen process, a dead host) loses its locks.
 * - An outbox is empty one moment and has a million rows the next, and statistics say neither: left to itself the
 *   planner fetches and sorts all of them for each batch. There is an index for whatever is asked here.
 */
const SESSION = [
  'synchronous_commit=off',
  'idle_session_timeout=30s',
  'tcp_keepalives_idle=10',
  'tcp_keepalives_interval=5',
  'tcp_keepalives_count=3',
  ...['seqscan', 'bitmapscan', 'sort', 'hashjoin', 'mergejoin'].map((way) => `enable_${way}=off`),
];

/**
 * The first rows of each partition. As a range instead of an equation, a partition doesn't let the planner take
 * the primary key for as good an order and pass all rows of the others.
 */
const ofEach = (order: string, where: string) => `
  SELECT o.* FROM unnest($1::smallint[]) AS p(partition) CROSS JOIN LATERAL (
    SELECT ${COLUMNS} FROM outbox WHERE outbox.partition BETWEEN p.partition AND p.partition AND ${where}
    ORDER BY ${order} LIMIT $2) AS o`;
/** By their names, because a lower position may become visible later. */
const NOT_UNDER_WAY = 'refused_at IS NULL AND position <> ALL($3::bigint[])';
const OLDEST = ofEach('outbox.partition, position', NOT_UNDER_WAY);
/** A row is marked as waiting once, so that a long queue behind refused ones isn't read over and over. */
const OLDEST_MARKED = `
  WITH fresh AS MATERIALIZED (${OLDEST}), waiting AS (
    UPDATE outbox SET refused_at = 'infinity' WHERE position IN (SELECT position FROM fresh WHERE EXISTS (
      SELECT FROM outbox AS earlier WHERE earlier.subject = fresh.subject AND earlier.refused_at IS NOT NULL))
    RETURNING position)
  SELECT *, position IN (SELECT position FROM waiting) AS waits FROM fresh ORDER BY position`;
/** Who sees an event sees those before it of its aggregate, which were committed under the same row's lock. */
const NEWEST = `${ofEach('outbox.partition DESC, position DESC', NOT_UNDER_WAY)} WHERE NOT EXISTS (
  SELECT FROM outbox AS earlier WHERE earlier.subject = o.subject AND earlier.position < o.position) ORDER BY o.position`;
const REFUSED = `
  ${ofEach('outbox.partition, refused_at', "refused_at < 'infinity'")} ORDER BY o."refusedAt" LIMIT $2`;

export interface Batch {
  rows: OutboxMessage[];
  more: boolean;
}

/**
 * The relay's own database session, and the partitions that it holds through it. Rows are fresh, refused (the
 * broker wouldn't take them: at most one of each aggregate) or waiting behind a refused one of their aggregate.
 */
export class OutboxReader {
  /** False once the session, and with it the locks, is gone. */
  alive = true;
  /** Saves looking for refused rows as long as there are none. */
  anyRefused = true;
  private readonly held = new Set<number>();
  private takeAt = 0;
  private leaveUntil = 0;

  private constructor(
    private readonly client: pg.Client,
    private readonly pollEveryMs: number,
  ) {
    client.on('end', () => (this.alive = false));
    // Without a listener a lost connection would end the process; the next query reports it.
    client.on('error', () => (this.alive = false));
  }

  static async open(dataSource: DataSource, settings: MessagingSettings): Promise<OutboxReader> {
    const { url, host, port, username, password, database, ssl } = dataSource.options as PostgresDataSourceOptions;
    const client = new pg.Client({
      ...(url ? { connectionString: url } : { host, port, user: username, database }),
      ...(typeof password === 'string' && !url ? { password } : {}),
      ssl: ssl as pg.ClientConfig['ssl'],
      application_name: `${settings.service} relay`,
      options: SESSION.map((setting) => `-c ${setting}`).join(' '),
      connectionTimeoutMillis: 5_000,
      query_timeout: 30_000,
    });
    const reader = new OutboxReader(client, settings.pollEveryMs);
    await client.connect();
    return reader;
  }

  holds(partition: number): boolean {
    return this.alive && this.held.has(partition);
  }

  get holdsSome(): boolean {
    return this.held.size > 0 && this.held.size < PARTITIONS.length;
  }

  /** Takes what nobody holds. Answers what would be this relay's share if it has less than that. */
  async takePartitions(): Promise<number | undefined> {
    if (this.held.size === PARTITIONS.length || Date.now() < Math.max(this.takeAt, this.leaveUntil)) return undefined;
    this.takeAt = Date.now() + this.pollEveryMs * 0.9;
    const missing = PARTITIONS.filter((partition) => !this.held.has(partition));
    const { rows } = await this.client.query<{ partition: number; taken: boolean; relays: number }>(
      `SELECT partition, pg_try_advisory_lock($1, partition) AS taken, relays FROM unnest($2::int[]) AS p(partition), (
         SELECT count(*)::int AS relays FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = current_setting('application_name')) AS sessions`,
      [LOCK_CLASS, missing],
    );
    for (const { partition, taken } of rows) {
      if (!taken) continue;
      this.held.add(partition);
      this.anyRefused = true;
    }
    const share = Math.floor(PARTITIONS.length / Math.max(1, ...rows.map(({ relays }) => relays)));
    return this.held.size < share ? share : undefined;
  }

  /** Some relay has left one or more. */
  takeSoon(): void {
    this.takeAt = 0;
  }

  /** Leaves one of more than `share` partitions to the relay that asked. Nothing of it may be under way. */
  async givePartition(share: number): Promise<boolean> {
    const [partition] = this.held;
    if (partition === undefined || this.held.size <= share) return false;
    this.held.delete(partition);
    this.leaveUntil = Date.now() + 2 * this.pollEveryMs;
    await this.client.query('SELECT pg_advisory_unlock($1, $2)', [LOCK_CLASS, partition]);
    return true;
  }

  /** The next rows of each partition after those `underWay`, and whether there may be more. */
  async fresh(limit: number, underWay: OutboxMessage[] = []): Promise<Batch> {
    if (this.held.size === 0) return { rows: [], more: false };
    const each = Math.ceil(limit / this.held.size);
    const query = this.anyRefused ? OLDEST_MARKED : `${OLDEST} ORDER BY o.position`;
    const rows = await this.read<OutboxMessage & { waits?: boolean }>(query, each, underWay);
    return { rows: rows.filter(({ waits }) => !waits), more: rows.length >= each };
  }

  /** The last rows of each partition, of aggregates that have no earlier one: nothing of a backlog is before them. */
  newest(limit: number, underWay: OutboxMessage[]): Promise<OutboxMessage[]> {
    return this.read(NEWEST, Math.ceil(limit / this.held.size), underWay);
  }

  /** Refused rows, those that were tried the longest ago first. */
  async refused(limit: number): Promise<OutboxMessage[]> {
    const rows = await this.read(REFUSED, limit);
    this.anyRefused = rows.length > 0;
    return rows;
  }

  /** Forgets what is published, and in the same statement lets go of what waited behind it. */
  async remove(rows: OutboxMessage[]): Promise<void> {
    const remove = 'DELETE FROM outbox WHERE position = ANY($1::bigint[])';
    const release = `WITH removed AS (${remove} RETURNING subject)
      UPDATE outbox SET refused_at = NULL WHERE subject IN (SELECT subject FROM removed) AND refused_at = 'infinity'`;
    const anyBehind = rows.some(({ refusedAt }) => refusedAt !== null);
    await this.client.query(anyBehind ? release : remove, [rows.map(({ position }) => position)]);
  }

  async refuse(rows: OutboxMessage[]): Promise<void> {
    this.anyRefused = true;
    await this.client.query('UPDATE outbox SET refused_at = now() WHERE position = ANY($1::bigint[])', [
      rows.map((row) => row.position),
    ]);
  }

  private async read<T extends OutboxMessage>(query: string, limit: number, underWay?: OutboxMessage[]): Promise<T[]> {
    const positions = underWay?.map(({ position }) => position);
    const { rows } = await this.client.query<T>(query, [[...this.held], limit, ...(positions ? [positions] : [])]);
    return rows;
  }

  /** Closes, and leaves the partitions at once: that a session has ended shows a moment later. */
  async leave(): Promise<void> {
    this.held.clear();
    await this.client.query('SELECT pg_advisory_unlock_all()').catch(() => undefined);
    await this.close();
  }

  async close(): Promise<void> {
    this.alive = false;
    await this.client.end().catch(() => undefined);
  }
}
