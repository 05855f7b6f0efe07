import { hash } from 'node:crypto';
import { metrics } from '@opentelemetry/api';
import { Injectable, Logger, Optional, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { LimitSettings, type Limit, type LimitName } from './limit-rules.ts';

/** How far the counts of replicas may be apart. */
const SHARE_EVERY_MS = 1_000;
/** A database that takes longer, however busy somebody has made it, is not waited for: what this replica has counted decides. */
const STORE_WAIT_MS = 2_000;
const PRUNE_EVERY_MS = 60_000;
const MAX_COUNTERS = 50_000;
const LARGEST_BATCH = 1_000;

export interface Verdict {
  limit: Limit;
  allowed: boolean;
  remaining: number;
  /** Until the count begins anew; at least 1. */
  resetS: number;
}

/** One caller's calls in one window of time. Windows are the same for all replicas. */
interface Counter {
  key: string;
  endsAtMs: number;
  /** Counted by all replicas, as of the last exchange. */
  shared: number;
  /** On the way to the database, and not yet. */
  sending: number;
  unsent: number;
  /** Resolves to what was counted before the calls that are unsent now. */
  exchanged?: PromiseWithResolvers<number>;
}

/**
 * Counts calls in memory and exchanges the counts with the other replicas through the service's database: all
 * counters that have moved in one statement, at most one at a time, once a second, and at once for limits that are
 * exact. So a call costs no statement of its own, and a flood no more than one. Whoever is over the limit isn't counted on.
 * Without the database each replica counts alone.
 */
@Injectable()
export class Limits implements OnModuleInit, OnModuleDestroy {
  private readonly log = new Logger(Limits.name);
  private readonly counters = new Map<string, Counter>();
  private readonly moved = new Set<Counter>();
  private readonly failures = metrics.getMeter('@cabstand/auth').createCounter('rate_limit.store_failures', {
    description: 'Exchanges of counts that failed: meanwhile each replica limits alone',
  });
  private timer?: NodeJS.Timeout;
  private prunedAtMs = Date.now();
  private exchanging?: Promise<void>;
  private isStoreDown = false;

  constructor(
    private readonly dataSource: DataSource,
    @Optional() private readonly settings: LimitSettings = new LimitSettings(),
  ) {}

  onModuleInit(): void {
    this.timer = setInterval(() => void this.tidy(), SHARE_EVERY_MS).unref();
  }

  async onModuleDestroy(): Promise<void> {
    clearInterval(this.timer);
    await this.exchange();
  }

  /** Counts one call of somebody: a network, a principal, an account. A promise where the limit is exact. */
  take(name: LimitName, who: string): Verdict | Promise<Verdict> {
    const limit = this.settings.limits[name];
    const counter = this.counterOf(limit, who);
    const verdict = (counted: number): Verdict => ({
      limit,
      allowed: counted <= limit.calls,
      remaining: Math.max(limit.calls - counted, 0),
      resetS: Math.max(Math.ceil((counter.endsAtMs - Date.now()) / 1_000), 1),
    });
    const before = counter.shared + counter.sending;
    if (before + counter.unsent >= limit.calls) return verdict(Infinity);
    const nth = ++counter.unsent;
    this.moved.add(counter);
    if (!limit.exact) return verdict(nth + before);
    return this.countedBefore(counter, before).then((counted) => verdict(nth + counted));
  }

  /** `local` is believed when the database doesn't say in time. */
  private async countedBefore(counter: Counter, local: number): Promise<number> {
    if (this.isStoreDown) return local;
    counter.exchanged ??= Promise.withResolvers<number>();
    const { promise } = counter.exchanged;
    void this.exchange();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<number>((resolve) => (timer = setTimeout(() => resolve(local), STORE_WAIT_MS)));
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
  }

  private counterOf({ name, windowMs }: Limit, who: string): Counter {
    const window = Math.floor(Date.now() / windowMs);
    const key = `${name} ${window} ${who}`;
    let counter = this.counters.get(key);
    if (!counter) {
      counter = { key, endsAtMs: (window + 1) * windowMs, shared: 0, sending: 0, unsent: 0 };
      this.counters.set(key, counter);
      if (this.counters.size > MAX_COUNTERS) this.forgetOldest();
    }
    return counter;
  }

  /** What the database has of its count comes back with the next exchange. */
  private forgetOldest(): void {
    const oldest = this.counters.values().next().value!;
    this.counters.delete(oldest.key);
    // Another counter of this key may have to be exchanged in the same statement, which takes each row once.
    this.moved.delete(oldest);
  }

  /** Resolves when everything counted until now has been exchanged, or could not be. */
  private exchange(): Promise<void> {
    // Whoever comes while a batch is under way is in the next, which carries all of them.
    this.exchanging ??= (async () => {
      while (this.moved.size > 0 && (await this.exchangeBatch()));
    })().finally(() => (this.exchanging = undefined));
    return this.exchanging;
  }

  private async exchangeBatch(): Promise<boolean> {
    // In the order of their keys: replicas that update the same rows wait for each other instead of dead-locking.
    const batch = [...this.moved]
      .slice(0, LARGEST_BATCH)
      .map((counter) => ({ counter, id: hash('sha256', counter.key, 'base64url'), settled: counter.exchanged }))
      .sort((a, b) => (a.id < b.id ? -1 : 1));
    for (const { counter } of batch) {
      this.moved.delete(counter);
      counter.exchanged = undefined;
      counter.sending = counter.unsent;
      counter.unsent = 0;
    }
    const totals = await this.add(batch);
    for (const { counter, id, settled } of batch) {
      const total = totals?.get(id);
      settled?.resolve(total === undefined ? counter.shared : total - counter.sending);
      if (total === undefined) {
        counter.unsent += counter.sending;
        this.moved.add(counter);
      } else counter.shared = total;
      counter.sending = 0;
    }
    return totals !== undefined;
  }

  private async add(batch: { counter: Counter; id: string }[]): Promise<Map<string, number> | undefined> {
    try {
      const rows = await this.dataSource.query<{ id: string; calls: number }[]>(
        `INSERT INTO rate_limits (id, calls, ends_at)
         SELECT * FROM unnest($1::text[], $2::int[], $3::timestamptz[])
         ON CONFLICT (id) DO UPDATE SET calls = rate_limits.calls + excluded.calls
         RETURNING id, calls`,
        [
          batch.map(({ id }) => id),
          batch.map(({ counter }) => counter.sending),
          batch.map(({ counter }) => new Date(counter.endsAtMs)),
        ],
      );
      this.isStoreDown = false;
      return new Map(rows.map(({ id, calls }) => [id, calls]));
    } catch (error) {
      this.failures.add(1);
      if (!this.isStoreDown) this.log.warn({ event: 'limits.store-failed', err: error });
      this.isStoreDown = true;
      return undefined;
    }
  }

  private async tidy(): Promise<void> {
    const nowMs = Date.now();
    for (const [key, { endsAtMs }] of this.counters) if (endsAtMs <= nowMs) this.counters.delete(key);
    for (const counter of this.moved) if (counter.endsAtMs <= nowMs) this.moved.delete(counter);
    await this.exchange();
    if (nowMs - this.prunedAtMs < PRUNE_EVERY_MS) return;
    this.prunedAtMs = nowMs;
    await this.dataSource.query('DELETE FROM rate_limits WHERE ends_at < now()').catch(() => undefined);
  }
}
