import { secretKeyVariable, trustedIssuersVariable } from '@cabstand/auth';
import { baseConfig, duration, port } from '@cabstand/service-defaults';
import { z } from 'zod';

/** The passenger service's environment. Nothing else reads process.env. */
export const Config = z.object({
  ...baseConfig,
  PORT: port(3001),
  MANAGEMENT_PORT: port(9101),
  PUBLIC_URL: z.url().describe('`iss` of the tokens that this service signs'),
  TRUSTED_ISSUERS: trustedIssuersVariable().describe('Whose access tokens are believed besides, and for which roles'),
  BLIND_INDEX_KEY: secretKeyVariable().describe(
    'Finds accounts by their e-mail address, which is sealed in the database',
  ),
  REFRESH_TOKEN_KEY: secretKeyVariable().describe('Derives refresh tokens from their predecessors'),
  ACCESS_TOKEN_TTL: duration('5m').describe('How long an access token is good for'),
  REFRESH_TOKEN_TTL: duration('30d').describe('How long a session lives without being refreshed'),
});
export type Config = z.infer<typeof Config>;
