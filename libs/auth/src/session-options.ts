import type { Role } from '@cabstand/contracts';
import type { Type } from '@nestjs/common';
import type { AccountDirectory } from './account-directory.ts';
import type { KeyRing } from './key-ring.ts';
import type { GuessLimits } from './sign-in-limits.ts';
import type { TrustedIssuer } from './variables.ts';

export const SESSION_OPTIONS = Symbol('cabstand:session-options');

export interface SessionOptions {
  /** `iss` of the tokens: the service's public URL. */
  issuer: string;
  /** What the service's own users are. */
  role: Exclude<Role, 'operator'>;
  /** The services that take the tokens. */
  audience: readonly string[];
  /** What it signs with; ES256 when left out. Whoever trusts it has to be told of another. */
  algorithm?: TrustedIssuer['algorithm'];
  /** How long a new signing key is published before it signs. */
  signingKeyLeadMs?: number;
  /** Seal the private signing keys. */
  keyEncryptionKeys: KeyRing;
  /** Derives each refresh token from the one before it; 32 bytes. */
  refreshTokenKey: Buffer;
  accessTokenTtlMs: number;
  refreshTokenTtlMs: number;
  /** Origins of the pages, besides the service's own, whose sessions may live in cookies. */
  allowedOrigins?: readonly string[];
  /** Lenient unless told: everybody at a desk comes from one address. */
  guessLimits?: GuessLimits;
  /** A provider of the application, found by its class. */
  accounts: Type<AccountDirectory>;
}

/**
 * A service trusts its own tokens without asking itself over HTTP for the keys. Put it first among the
 * trusted issuers, so that it also wins where the environment names the same one.
 */
export const ownIssuer = (
  issuer: string,
  role: Exclude<Role, 'operator'>,
  algorithm: TrustedIssuer['algorithm'] = 'ES256',
): TrustedIssuer => ({ issuer, jwksUri: 'own:signing-keys', algorithm, roles: [role] });
