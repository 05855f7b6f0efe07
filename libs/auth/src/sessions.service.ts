import { randomUUIDv7 } from 'node:crypto';
import { DomainError, SecurityRefreshReused, SessionRevoked } from '@cabstand/contracts';
import { Outbox, Transactions } from '@cabstand/messaging';
import { Inject, Injectable } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { DataSource, type EntityManager } from 'typeorm';
import type { AccountDirectory } from './account-directory.ts';
import type { PasswordChange } from './account.dto.ts';
import { AccessTokens } from './access-tokens.ts';
import { Passwords } from './passwords.ts';
import type { Principal } from './principal.ts';
import { firstRefreshToken, hashOf, successorOf } from './refresh-token.ts';
import { RevokedSessions } from './revoked-sessions.ts';
import { SecurityLog } from './security-log.ts';
import type { SignIn, Tokens } from './session.dto.ts';
import { RefreshToken, Session } from './session.entities.ts';
import { SESSION_OPTIONS, type SessionOptions } from './session-options.ts';
import { SignInLimits } from './sign-in-limits.ts';

/** How long after its use a refresh token may be presented again, for an answer that got lost on the way. */
const RETRY_WINDOW_S = 10;

export type RevocationReason = SessionRevoked['reason'];

/** What became of a presented refresh token. Reuse is an outcome, not an error: its revocations must commit. */
type Rotation = { accountId: string; sessionId: string; refreshToken: string } | 'refused' | 'suspended';

/** Sign-in, refresh and every way in which a session ends. */
@Injectable()
export class Sessions {
  constructor(
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly outbox: Outbox,
    private readonly securityLog: SecurityLog,
    private readonly revoked: RevokedSessions,
    private readonly passwords: Passwords,
    private readonly limits: SignInLimits,
    private readonly accessTokens: AccessTokens,
    private readonly moduleRef: ModuleRef,
    @Inject(SESSION_OPTIONS) private readonly options: SessionOptions,
  ) {}

  /** `iss` of this service's tokens: an account's other half of ownership. */
  get issuer(): string {
    return this.options.issuer;
  }

  /** @throws DomainError CREDENTIALS_INVALID, ACCOUNT_SUSPENDED, RATE_LIMITED, OVERLOADED */
  async signIn({ email, password }: SignIn, network: string): Promise<Tokens> {
    const found = await this.accounts.findByEmail(email);
    const guess = { account: email, accountId: found?.id ?? null, network };
    // Before it gets in line too: who is to wait must not hold up the others.
    await this.limits.admit(guess);
    const isRight = await this.passwords.verify(password, found?.passwordHash ?? null, this.limits.gate(guess));
    if (!found || !isRight) throw new DomainError('CREDENTIALS_INVALID');
    const sessionId = randomUUIDv7();
    const refreshToken = firstRefreshToken();
    await this.transactions.run(async (tx) => {
      const account = await this.accounts.lock(tx, found.id);
      // Checking takes a while: a password changed meanwhile has ended every session, and so must this one.
      if (account?.passwordHash !== found.passwordHash) throw new DomainError('CREDENTIALS_INVALID');
      if (account.suspended) throw new DomainError('ACCOUNT_SUSPENDED');
      const createdAt = new Date();
      const expiresAt = this.refreshTokenExpiry();
      await tx
        .getRepository(Session)
        .insert({ id: sessionId, accountId: account.id, sequence: 0, createdAt, expiresAt, revokedAt: null });
      await this.insertToken(tx, sessionId, refreshToken, expiresAt);
      await this.limits.succeeded(tx, guess);
    });
    return this.tokens(found.id, sessionId, refreshToken);
  }

  /** @throws DomainError REFRESH_TOKEN_INVALID, ACCOUNT_SUSPENDED */
  async refresh(presented: string): Promise<Tokens> {
    const rotation = await this.transactions.run((tx) => this.rotate(tx, presented));
    if (rotation === 'refused') throw new DomainError('REFRESH_TOKEN_INVALID');
    if (rotation === 'suspended') throw new DomainError('ACCOUNT_SUSPENDED');
    return this.tokens(rotation.accountId, rotation.sessionId, rotation.refreshToken);
  }

  /** Ends the session that the principal's token belongs to. */
  async end(me: Principal): Promise<void> {
    await this.transactions.run((tx) =>
      this.revoke(tx, 'account_id = $1 AND id = $2', [this.accountIdOf(me), me.sessionId], 'logout'),
    );
  }

  /** Ends every session of the account but the one to spare, in the caller's transaction. */
  async revokeAll(
    tx: EntityManager,
    accountId: string,
    reason: RevocationReason,
    spare: string | null = null,
  ): Promise<void> {
    await this.revoke(tx, 'account_id = $1 AND id IS DISTINCT FROM $2', [accountId, spare], reason);
  }

  /**
   * Changes the password and ends the account's other sessions.
   * @throws DomainError CREDENTIALS_INVALID when the current password is wrong, RATE_LIMITED, OVERLOADED
   */
  async changePassword(me: Principal, { currentPassword, newPassword }: PasswordChange): Promise<void> {
    const id = this.accountIdOf(me);
    const before = await this.transactions.run((tx) => this.accounts.findById(tx, id));
    // Whoever has taken the session over has it for minutes, and could guess all the while.
    const guess = { account: id, accountId: id, network: `session ${me.sessionId}` };
    await this.limits.admit(guess);
    if (!before || !(await this.passwords.verify(currentPassword, before.passwordHash, this.limits.gate(guess))))
      throw new DomainError('CREDENTIALS_INVALID', 'The current password is wrong');
    const passwordHash = await this.passwords.hash(newPassword, before.email);
    await this.transactions.run(async (tx) => {
      const account = await this.accounts.lock(tx, id);
      if (account?.passwordHash !== before.passwordHash)
        throw new DomainError('CREDENTIALS_INVALID', 'The current password is wrong');
      await this.accounts.setPasswordHash(tx, id, passwordHash);
      await this.revokeAll(tx, id, 'password-changed', me.sessionId);
    });
  }

  /** The account's sessions, for its owner to see. */
  async historyOf(accountId: string): Promise<{ id: string; createdAt: string; endedAt: string | null }[]> {
    const sessions = await this.dataSource
      .getRepository(Session)
      .find({ where: { accountId }, order: { createdAt: 'ASC' } });
    return sessions.map(({ id, createdAt, revokedAt }) => ({
      id,
      createdAt: createdAt.toISOString(),
      endedAt: revokedAt?.toISOString() ?? null,
    }));
  }

  /**
   * The account of this service that the principal is.
   * @throws DomainError NOT_FOUND for another issuer's: its ids say nothing about accounts here
   */
  accountIdOf(me: Principal): string {
    if (me.issuer !== this.options.issuer) throw new DomainError('NOT_FOUND');
    return me.subject;
  }

  /** Looked up when needed: the application's own modules inject Sessions, so neither can come first. */
  private get accounts(): AccountDirectory {
    return this.moduleRef.get(this.options.accounts, { strict: false });
  }

  private async rotate(tx: EntityManager, presented: string): Promise<Rotation> {
    const tokenHash = hashOf(presented);
    // The session's lock puts everything that happens to one family in order.
    const [session] = await tx.query<{ id: string; accountId: string; revoked: boolean }[]>(
      `SELECT s.id, s.account_id AS "accountId", s.revoked_at IS NOT NULL AS revoked
         FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id WHERE t.token_hash = $1 FOR UPDATE OF s`,
      [tokenHash],
    );
    if (!session) return 'refused';
    const account = await this.accounts.findById(tx, session.accountId);
    // Before the revocation, which comes with the suspension: the client is told why.
    if (account?.suspended) return 'suspended';
    if (!account || session.revoked) return 'refused';
    const successor = successorOf(presented, this.options.refreshTokenKey);
    const state = await this.stateOf(tx, tokenHash, hashOf(successor));
    if (!state || state.expired) return 'refused';
    if (state.used && !state.retriable) {
      await this.revokeFamily(tx, session.id, session.accountId);
      return 'refused';
    }
    if (!state.used) {
      const expiresAt = this.refreshTokenExpiry();
      await tx.query('UPDATE refresh_tokens SET used_at = clock_timestamp() WHERE token_hash = $1', [tokenHash]);
      await this.insertToken(tx, session.id, successor, expiresAt);
      await tx.getRepository(Session).update(session.id, { expiresAt });
    }
    return { accountId: account.id, sessionId: session.id, refreshToken: successor };
  }

  /** Read after the lock was had: the statement that waits for it sees the token as it was before. */
  private async stateOf(tx: EntityManager, tokenHash: Buffer, successorHash: Buffer) {
    const [state] = await tx.query<{ expired: boolean; used: boolean; retriable: boolean }[]>(
      `SELECT t.expires_at <= now() AS expired, t.used_at IS NOT NULL AS used,
              t.used_at > now() - make_interval(secs => $3)
                AND EXISTS (SELECT FROM refresh_tokens s WHERE s.token_hash = $2 AND s.used_at IS NULL) AS retriable
         FROM refresh_tokens t WHERE t.token_hash = $1`,
      [tokenHash, successorHash, RETRY_WINDOW_S],
    );
    return state;
  }

  private async revokeFamily(tx: EntityManager, sessionId: string, accountId: string): Promise<void> {
    await this.revoke(tx, 'id = $1', [sessionId], 'refresh-reused');
    const [[session]] = await tx.query<[{ sequence: number }[]]>(
      'UPDATE sessions SET sequence = sequence + 1 WHERE id = $1 RETURNING sequence',
      [sessionId],
    );
    const { issuer } = this.options;
    await this.securityLog.add(tx, SecurityRefreshReused, { sessionId, issuer, accountId }, session!.sequence);
  }

  private async revoke(
    tx: EntityManager,
    which: string,
    parameters: unknown[],
    reason: RevocationReason,
  ): Promise<void> {
    const [ended] = await tx.query<[{ id: string; accountId: string; sequence: number }[]]>(
      `UPDATE sessions SET revoked_at = now(), sequence = sequence + 1
        WHERE revoked_at IS NULL AND ${which} RETURNING id, account_id AS "accountId", sequence`,
      parameters,
    );
    const { issuer, accessTokenTtlMs } = this.options;
    const tokensExpireAt = new Date(Date.now() + accessTokenTtlMs);
    for (const { id: sessionId, accountId, sequence } of ended) {
      await this.revoked.add(tx, { issuer, sessionId, expiresAt: tokensExpireAt });
      await this.outbox.add(
        tx,
        SessionRevoked,
        { sessionId, issuer, accountId, reason, tokensExpireAt: tokensExpireAt.toISOString() },
        sequence,
      );
    }
  }

  private async insertToken(tx: EntityManager, sessionId: string, token: string, expiresAt: Date): Promise<void> {
    await tx.getRepository(RefreshToken).insert({ tokenHash: hashOf(token), sessionId, expiresAt, usedAt: null });
  }

  private async tokens(accountId: string, sessionId: string, refreshToken: string): Promise<Tokens> {
    const accessToken = await this.accessTokens.sign(accountId, sessionId);
    const expiresIn = Math.floor(this.options.accessTokenTtlMs / 1000);
    return { accessToken, refreshToken, tokenType: 'Bearer', expiresIn };
  }

  private refreshTokenExpiry = () => new Date(Date.now() + this.options.refreshTokenTtlMs);
}
