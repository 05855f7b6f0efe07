import { createHmac, randomUUIDv7 } from 'node:crypto';
import { DomainError, SecurityAccountLocked } from '@cabstand/contracts';
import { Transactions } from '@cabstand/messaging';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { Gate } from './passwords.ts';
import { SecurityLog } from './security-log.ts';
import { SESSION_OPTIONS, type SessionOptions } from './session-options.ts';

/** How wrong guesses of one kind are answered. */
export interface GuessLimit {
  /** Failures that cost nothing: people mistype. From then on the wait doubles, beginning with a second. */
  free: number;
  /** The failure that locks, as does each one after it. */
  lockAfter: number;
  lockMs: number;
}

/** For an account from one network (brute force), an account from everywhere, and a network whatever the account (spraying). */
export type GuessLimits = Record<'pair' | 'account' | 'network', GuessLimit>;

export const GUESS_LIMITS = {
  /** One person is everybody who signs in, and a test may fail on purpose. */
  local: {
    pair: { free: 10, lockAfter: 20, lockMs: 60_000 },
    account: { free: 200, lockAfter: 200, lockMs: 60_000 },
    network: { free: 100_000, lockAfter: 100_000, lockMs: 60_000 },
  },
  production: {
    pair: { free: 5, lockAfter: 10, lockMs: 15 * 60_000 },
    account: { free: 50, lockAfter: 50, lockMs: 60_000 },
    network: { free: 100, lockAfter: 100, lockMs: 15 * 60_000 },
  },
} as const satisfies Record<string, GuessLimits>;

/** Failures are counted together while they are less than this apart. */
const WINDOW_S = 15 * 60;
/** For how long a network that an account was signed in to from counts as its own. */
const FAMILIAR_S = 30 * 24 * 3600;

export function waitMs(failures: number, { free, lockAfter, lockMs }: GuessLimit): number {
  if (failures >= lockAfter) return lockMs;
  return failures > free ? Math.min(1_000 * 2 ** (failures - free - 1), lockMs) : 0;
}

/** A guess at the password of `account`; the id is null when there is no such account. */
export interface Guess {
  account: string;
  accountId: string | null;
  network: string;
}

/**
 * Slows down whoever guesses passwords. Failures count for the account from that network (brute force), for the
 * network whatever the account (spraying, stuffing), and for the account from everywhere (many networks; short, and
 * not where its owner has signed in before, so that strangers can't lock anybody out). Accounts that don't exist
 * are treated alike. The counts are in the database, which replicas share, under keyed hashes.
 */
@Injectable()
export class SignInLimits {
  private readonly limits: GuessLimits;

  constructor(
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly securityLog: SecurityLog,
    @Inject(SESSION_OPTIONS) private readonly options: SessionOptions,
  ) {
    this.limits = options.guessLimits ?? GUESS_LIMITS.local;
  }

  gate(guess: Guess): Gate {
    return { admit: () => this.admit(guess), failed: () => this.failed(guess) };
  }

  /** @throws DomainError RATE_LIMITED */
  async admit(guess: Guess): Promise<void> {
    const keys = this.keysOf(guess);
    const rows = await this.dataSource.query<{ key: Buffer; failures: number; waitS: number | null }[]>(
      `SELECT key, failures, ceil(extract(epoch FROM blocked_until - now()))::int AS "waitS"
         FROM sign_in_failures WHERE key = ANY($1) AND expires_at > now()`,
      [Object.values(keys)],
    );
    const row = (kind: keyof typeof keys) => rows.find(({ key }) => key.equals(keys[kind]));
    const waitS = (kind: keyof GuessLimits) => Math.max(row(kind)?.waitS ?? 0, 0);
    const retryAfterS = Math.max(waitS('pair'), waitS('network'), row('familiar') ? 0 : waitS('account'));
    if (retryAfterS === 0) return;
    // Not to wait is to fail, up to the lock; after that each refusal would cost a write.
    const isWaiting = waitS('pair') > 0 && row('pair')!.failures < this.limits.pair.lockAfter;
    if (isWaiting) await this.transactions.run((tx) => this.count(tx, 'pair', guess));
    throw new DomainError('RATE_LIMITED', undefined, { retryAfterS });
  }

  async failed(guess: Guess): Promise<void> {
    await this.transactions.run(async (tx) => {
      // Always in this order: whoever fails at the same time takes the locks in the same one.
      for (const kind of ['pair', 'account', 'network'] as const) await this.count(tx, kind, guess);
    });
  }

  /** Forgets the failures of the account from this network, which becomes one of the account's own. */
  async succeeded(tx: EntityManager, guess: Guess): Promise<void> {
    const { pair, familiar } = this.keysOf(guess);
    await tx.query('DELETE FROM sign_in_failures WHERE key = $1', [pair]);
    await tx.query(
      `INSERT INTO sign_in_failures (key, failures, expires_at) VALUES ($1, 0, now() + make_interval(secs => $2))
       ON CONFLICT (key) DO UPDATE SET expires_at = excluded.expires_at`,
      [familiar, FAMILIAR_S],
    );
  }

  private async count(tx: EntityManager, kind: keyof GuessLimits, guess: Guess): Promise<void> {
    const limit = this.limits[kind];
    const key = this.keysOf(guess)[kind];
    const [row] = await tx.query<[{ failures: number; isBlocked: boolean | null }]>(
      `INSERT INTO sign_in_failures AS f (key, failures, expires_at) VALUES ($1, 1, now() + make_interval(secs => $2))
       ON CONFLICT (key) DO UPDATE
         SET failures = CASE WHEN f.expires_at > now() THEN f.failures ELSE 0 END + 1,
             expires_at = greatest(f.expires_at, excluded.expires_at)
       RETURNING failures, blocked_until > now() AS "isBlocked"`,
      [key, WINDOW_S],
    );
    const blockedMs = waitMs(row.failures, limit);
    // Those that were under way when the lock fell neither prolong it nor are news.
    const isLocked = row.isBlocked && row.failures > limit.lockAfter;
    if (blockedMs === 0 || isLocked) return;
    await tx.query(
      `UPDATE sign_in_failures SET blocked_until = now() + make_interval(secs => $2),
              expires_at = now() + make_interval(secs => $2 + $3::float8), failures = CASE WHEN $4 THEN 0 ELSE failures END
        WHERE key = $1`,
      // The account as a whole is not locked again by the next failure: that would let strangers renew it at will.
      [key, blockedMs / 1000, WINDOW_S, kind === 'account'],
    );
    const { accountId, network } = guess;
    if (row.failures < limit.lockAfter || kind === 'network' || !accountId) return;
    const where = kind === 'pair' ? { network } : {};
    const lockedUntil = new Date(Date.now() + blockedMs).toISOString();
    const lock = { lockId: randomUUIDv7(), issuer: this.options.issuer, accountId, ...where, lockedUntil };
    await this.securityLog.add(tx, SecurityAccountLocked, lock, 1);
  }

  /** Nobody can tell from a row whom or where it is about. */
  private keysOf({ account, network }: Guess) {
    const key = (...parts: string[]) =>
      createHmac('sha256', this.options.refreshTokenKey)
        .update(`sign-in ${JSON.stringify(parts)}`)
        .digest();
    return {
      pair: key('pair', account, network),
      account: key('account', account),
      network: key('network', network),
      familiar: key('familiar', account, network),
    };
  }
}
