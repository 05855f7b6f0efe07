import {
  AuthModule,
  GUESS_LIMITS,
  ownIssuer,
  secretKeyVariable,
  SessionsModule,
  trustedIssuersVariable,
  type AccountDirectory,
} from '@cabstand/auth';
import type { DynamicModule, Type } from '@nestjs/common';
import { z } from 'zod';
import { duration, type BaseConfig } from './config.ts';

/** What a service that has users of its own reads from its environment besides `baseConfig`. */
export const accountsConfig = {
  PUBLIC_URL: z.url().describe('`iss` of the tokens that this service signs'),
  TRUSTED_ISSUERS: trustedIssuersVariable().describe('Whose access tokens are believed besides, and for which roles'),
  BLIND_INDEX_KEY: secretKeyVariable().describe(
    'Finds accounts by their e-mail address, which is sealed in the database',
  ),
  REFRESH_TOKEN_KEY: secretKeyVariable().describe('Derives refresh tokens from their predecessors'),
  ACCESS_TOKEN_TTL: duration('5m').describe('How long an access token is good for'),
  REFRESH_TOKEN_TTL: duration('30d').describe('How long a session lives without being refreshed'),
};
type AccountsConfig = z.infer<z.ZodObject<typeof accountsConfig>> &
  Pick<BaseConfig, 'KEY_ENCRYPTION_KEY' | 'LIMITS' | 'WEB_ORIGINS'>;

/** Verifies tokens, and issues them to the service's own users; the trip service takes these too. */
export const accountModules = (
  config: AccountsConfig,
  role: 'passenger' | 'driver',
  accounts: Type<AccountDirectory>,
): DynamicModule[] => [
  AuthModule.forRoot({
    audience: role,
    trustedIssuers: [ownIssuer(config.PUBLIC_URL, role), ...config.TRUSTED_ISSUERS],
  }),
  SessionsModule.forRoot({
    issuer: config.PUBLIC_URL,
    role,
    audience: [role, 'trip'],
    keyEncryptionKeys: config.KEY_ENCRYPTION_KEY,
    refreshTokenKey: config.REFRESH_TOKEN_KEY,
    accessTokenTtlMs: config.ACCESS_TOKEN_TTL,
    refreshTokenTtlMs: config.REFRESH_TOKEN_TTL,
    allowedOrigins: config.WEB_ORIGINS,
    guessLimits: GUESS_LIMITS[config.LIMITS.preset],
    accounts,
  }),
];
