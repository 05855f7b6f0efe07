import { Live, Transactions } from '@cabstand/messaging';
import { Inject, Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { DataSource, LessThan, MoreThan, type EntityManager } from 'typeorm';
import { RevokedSession } from './auth.entities.ts';
import { AUTH_OPTIONS, type AuthOptions } from './issuer-keys.ts';
import type { Principal } from './principal.ts';

/** A wake-up may be lost; no replica honours a revoked token for longer than this on account of it. */
const POLL_EVERY_MS = 15_000;
const WAKE_UP = 'wake.revocations';

const keyOf = (issuer: string, sessionId: string) => `${issuer} ${sessionId}`;

/**
 * The deny list: sessions that ended before their access tokens did. The table is the truth, and each
 * replica holds what of it still matters in memory, so that asking costs nothing.
 */
@Injectable()
export class RevokedSessions implements OnModuleInit, OnModuleDestroy {
  private readonly expiries = new Map<string, number>();
  private readonly log = new Logger(RevokedSessions.name);
  private loaded?: Promise<void>;
  private poll?: NodeJS.Timeout;
  private unsubscribe?: () => void;

  constructor(
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly live: Live,
    @Inject(AUTH_OPTIONS) private readonly options: AuthOptions,
  ) {}

  onModuleInit(): void {
    this.unsubscribe = this.live.subscribe(this.options.audience, WAKE_UP, () => void this.reload());
    this.poll = setInterval(() => void this.prune().then(() => this.reload()), POLL_EVERY_MS).unref();
  }

  onModuleDestroy(): void {
    clearInterval(this.poll);
    this.unsubscribe?.();
  }

  /** Ends the session's access tokens, here at once when the transaction commits and on every replica moments later. */
  async add(tx: EntityManager, entry: { issuer: string; sessionId: string; expiresAt: Date }): Promise<void> {
    await tx.getRepository(RevokedSession).upsert({ ...entry }, ['issuer', 'sessionId']);
    this.transactions.afterCommit(() => {
      this.expiries.set(keyOf(entry.issuer, entry.sessionId), entry.expiresAt.getTime());
      this.live.publish(WAKE_UP, {});
    });
  }

  /** Resolves once the list has been read for the first time. */
  async ready(): Promise<void> {
    this.loaded ??= this.load();
    try {
      await this.loaded;
    } catch (error) {
      this.loaded = undefined;
      throw error;
    }
  }

  /** Whether the principal's session has ended. Cheap: streams ask before each event. */
  isRevoked({ issuer, sessionId }: Principal): boolean {
    return sessionId !== null && this.expiries.has(keyOf(issuer, sessionId));
  }

  private reload(): Promise<void> {
    // A database that is away is met again at the next poll; until then the list is the one that is known.
    return this.load().catch((error: unknown) => this.log.warn({ event: 'revoked-sessions.read-failed', err: error }));
  }

  /** Adds rather than replaces: a revocation of this very moment may not be in what the query saw. */
  private async load(): Promise<void> {
    const now = new Date();
    const rows = await this.dataSource.getRepository(RevokedSession).findBy({ expiresAt: MoreThan(now) });
    for (const [key, expiresAtMs] of this.expiries) if (expiresAtMs <= now.getTime()) this.expiries.delete(key);
    for (const row of rows) this.expiries.set(keyOf(row.issuer, row.sessionId), row.expiresAt.getTime());
  }

  private async prune(): Promise<void> {
    await this.dataSource
      .getRepository(RevokedSession)
      .delete({ expiresAt: LessThan(new Date()) })
      .catch(() => undefined);
  }
}
