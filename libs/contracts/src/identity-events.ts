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

/** What happens too often to tell each time: how often, from one side, in some seconds. For whatever watches `security.#`. */
const flood = (type: string) =>
  defineEvent(
    type,
    {
      reportId: z.uuid(),
      /** Who it was, where somebody had signed in: `iss` and `sub` of their token. */
      issuer: z.string().optional(),
      subject: z.string().optional(),
      /** Where it came from otherwise: an IPv4 address or an IPv6 /64. Left out, too, where it was more sides than are told apart. */
      network: z.string().optional(),
      count: z.int().positive(),
      since: Timestamp,
      until: Timestamp,
    },
    { publishers: ['passenger', 'driver', 'trip'], consumers: [], subject: 'reportId' },
  );

/** Wrong passwords and refresh tokens. */
export const SecurityLoginFailed = flood('security.login-failed');
/** Access tokens that were not valid. */
export const SecurityTokenRejected = flood('security.token-rejected');
/** Things that were somebody else's to see or to do. */
export const SecurityAccessDenied = flood('security.access-denied');
/** More calls than a limit allows. */
export const SecurityRateLimited = flood('security.rate-limited');
export type SecurityFlood = z.infer<typeof SecurityRateLimited.schema>;
