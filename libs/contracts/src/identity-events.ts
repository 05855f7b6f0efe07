import { z } from 'zod';
import { defineEvent } from './define-event.ts';
import { Timestamp } from './values.ts';

/** A session ended before its tokens did: its access tokens are refused from now on. */
export const SessionRevoked = defineEvent(
  'session.revoked',
  {
    sessionId: z.uuid(),
    /** `iss` of the session's tokens. */
    issuer: z.string(),
    accountId: z.uuid(),
    reason: z.enum(['logout', 'password-changed', 'refresh-reused', 'suspended', 'erased']),
    /** When the last access token of the session expires: what remembers the session may forget it then. */
    tokensExpireAt: Timestamp,
  },
  { publishers: ['passenger', 'driver'], consumers: ['trip'], subject: 'sessionId' },
);
export type SessionRevoked = z.infer<typeof SessionRevoked.schema>;

/** A refresh token was used again: somebody else has it. For whatever watches `security.#`. */
export const SecurityRefreshReused = defineEvent(
  'security.refresh-reused',
  { sessionId: z.uuid(), issuer: z.string(), accountId: z.uuid() },
  { publishers: ['passenger', 'driver'], consumers: [], subject: 'sessionId' },
);
export type SecurityRefreshReused = z.infer<typeof SecurityRefreshReused.schema>;

/** Guessing at an account's password was stopped for a while. For whatever watches `security.#`. */
export const SecurityAccountLocked = defineEvent(
  'security.account-locked',
  {
    lockId: z.uuid(),
    issuer: z.string(),
    accountId: z.uuid(),
    /** Where the guesses came from: an IPv4 address or an IPv6 /64; left out when it was many places at once. */
    network: z.string().optional(),
    lockedUntil: Timestamp,
  },
  { publishers: ['passenger', 'driver'], consumers: [], subject: 'lockId' },
);
export type SecurityAccountLocked = z.infer<typeof SecurityAccountLocked.schema>;
