import type { Role } from '@cabstand/contracts';
import type { Type } from '@nestjs/common';
import type { AccountDirectory } from './account-directory.ts';
import type { TrustedIssuer } from './variables.ts';

export const SESSION_OPTIONS = Symbol('cabstand:session-options');

export interface SessionOptions {
  /** `iss` of the tokens: the service's public URL. */
  issuer: string;
  /** What the service's own users are. */
  role: Exclude<Role, 'operator'>;
  /** The services that take the tokens. */
  audience: readonly string[];
  /** Seals the private signing keys; 32 bytes. */
  keyEncryptionKey: Buffer;
  /** Derives each refresh token from the one before it; 32 bytes. */
  refreshTokenKey: Buffer;
  accessTokenTtlMs: number;
  refreshTokenTtlMs: number;
  /** A provider of the application, found by its class. */
  accounts: Type<AccountDirectory>;
}

/**
 * A service trusts its own tokens without asking itself over HTTP for the keys. Put it first among the
 * trusted issuers, so that it also wins where the environment names the same one.
 */
export const ownIssuer = (issuer: string, role: Exclude<Role, 'operator'>): TrustedIssuer => ({
  issuer,
  jwksUri: 'own:signing-keys',
  algorithm: 'ES256',
  roles: [role],
});
