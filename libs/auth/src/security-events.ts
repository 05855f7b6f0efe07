import { randomUUIDv7 } from 'node:crypto';
import {
  SecurityAccessDenied,
  SecurityLoginFailed,
  SecurityRateLimited,
  SecurityTokenRejected,
  type SecurityFlood,
} from '@cabstand/contracts';
import { Transactions } from '@cabstand/messaging';
import { metrics } from '@opentelemetry/api';
import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import type { Principal } from './principal.ts';
import { SecurityLog } from './security-log.ts';

const FLOODS = {
  'login-failed': SecurityLoginFailed,
  'token-rejected': SecurityTokenRejected,
  'access-denied': SecurityAccessDenied,
  'rate-limited': SecurityRateLimited,
} as const;
export type FloodKind = keyof typeof FLOODS;

const REPORT_EVERY_MS = 10_000;
/** Sides told apart in one report of one kind; the rest are counted as one. */
const MAX_SIDES = 50;

type Side = Pick<SecurityFlood, 'issuer' | 'subject' | 'network'>;

/**
 * Counts what attackers do, and publishes the counts: one event for each kind and side in 10 s, however often it
 * happened, so that nobody can buy database rows with bad requests.
 */
@Injectable()
export class SecurityEvents implements OnModuleInit, OnModuleDestroy {
  private readonly log = new Logger(SecurityEvents.name);
  private readonly counted = metrics.getMeter('@cabstand/auth').createCounter('security.events', {
    description: 'Failed sign-ins, rejected tokens, denials and refusals for too many calls, by kind',
  });
  private counts = noCounts();
  private since = new Date();
  private timer?: NodeJS.Timeout;

  constructor(
    private readonly transactions: Transactions,
    private readonly events: SecurityLog,
  ) {}

  onModuleInit(): void {
    this.timer = setInterval(() => void this.tell(), REPORT_EVERY_MS).unref();
  }

  async onModuleDestroy(): Promise<void> {
    clearInterval(this.timer);
    await this.report();
  }

  private async tell(): Promise<void> {
    await this.report();
    await this.events
      .prune()
      .catch((error: unknown) => this.log.warn({ event: 'security-events.prune-failed', err: error }));
  }

  /** `who` is the principal, or the network (`networkOf`) where nobody has signed in. */
  count(kind: FloodKind, who: Principal | string, times = 1): void {
    this.counted.add(times, { kind });
    const side = typeof who === 'string' ? { network: who } : { issuer: who.issuer, subject: who.subject };
    this.addTo(kind, side, times);
  }

  /** What could not be written is told in the next report. */
  async report(): Promise<void> {
    const [counts, since, until] = [this.counts, this.since, new Date()];
    this.counts = noCounts();
    this.since = until;
    const reports = Object.entries(counts).flatMap(([kind, sides]) =>
      [...sides.values()].map((counted) => ({ kind: kind as FloodKind, ...counted })),
    );
    if (reports.length === 0) return;
    const time = { since: since.toISOString(), until: until.toISOString() };
    try {
      await this.transactions.run(async (tx) => {
        for (const { kind, side, count } of reports)
          await this.events.add(tx, FLOODS[kind], { reportId: randomUUIDv7(), ...side, count, ...time }, 1);
      });
    } catch (error) {
      this.log.warn({ event: 'security-events.report-failed', err: error });
      for (const { kind, side, count } of reports) this.addTo(kind, side, count);
      this.since = since;
    }
  }

  private addTo(kind: FloodKind, side: Side, count: number): void {
    const sides = this.counts[kind];
    const key = `${side.issuer ?? ''} ${side.subject ?? side.network ?? ''}`;
    const told = sides.has(key) || sides.size < MAX_SIDES ? { key, side } : { key: 'others', side: {} };
    const entry = sides.get(told.key);
    if (entry) entry.count += count;
    else sides.set(told.key, { side: told.side, count });
  }
}

type Counts = Record<FloodKind, Map<string, { side: Side; count: number }>>;
const noCounts = (): Counts => ({
  'login-failed': new Map(),
  'token-rejected': new Map(),
  'access-denied': new Map(),
  'rate-limited': new Map(),
});
