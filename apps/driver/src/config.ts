import { secretKeyVariable, trustedIssuersVariable } from '@cabstand/auth';
import { baseConfig, duration, port, wholeNumber } from '@cabstand/service-defaults';
import { z } from 'zod';

/** The driver service's environment. Nothing else reads process.env. */
export const Config = z.object({
  ...baseConfig,
  PORT: port(3002),
  MANAGEMENT_PORT: port(9102),
  PUBLIC_URL: z.url().describe('`iss` of the tokens that this service signs'),
  TRUSTED_ISSUERS: trustedIssuersVariable().describe('Whose access tokens are believed besides, and for which roles'),
  BLIND_INDEX_KEY: secretKeyVariable().describe(
    'Finds accounts by their e-mail address, which is sealed in the database',
  ),
  REFRESH_TOKEN_KEY: secretKeyVariable().describe('Derives refresh tokens from their predecessors'),
  ACCESS_TOKEN_TTL: duration('5m').describe('How long an access token is good for'),
  REFRESH_TOKEN_TTL: duration('30d').describe('How long a session lives without being refreshed'),
  DISPATCH_MAX_PICKUP_M: wholeNumber(8_000, 1).describe('Farthest driver that is offered a trip'),
  DISPATCH_OFFER_TTL: duration('15s').describe('How long a driver may think'),
  DISPATCH_DEADLINE: duration('2m').describe('How long a driver is looked for'),
  DISPATCH_MAX_REFUSALS: wholeNumber(5, 1).describe('Declined and expired offers after which a trip is given up'),
  DISPATCH_POSITION_MAX_AGE: duration('30s').describe('Older positions do not count'),
  DISPATCH_SWEEP_EVERY: duration('500ms').describe('How often expired offers and waiting trips are looked at'),
});
export type Config = z.infer<typeof Config>;
