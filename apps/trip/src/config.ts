import { trustedIssuersVariable } from '@cabstand/auth';
import { Currency } from '@cabstand/contracts';
import { baseConfig, duration, port } from '@cabstand/service-defaults';
import { z } from 'zod';

/** Bounded, so that no ride on earth outgrows the quote's columns. */
const factor = (byDefault: number, max: number) => z.coerce.number().min(1).max(max).default(byDefault);
/** Bounded, so that no fare can outgrow the integers that JSON carries exactly. */
const minor = (byDefault: number) => z.coerce.number().int().min(0).max(1_000_000_000).default(byDefault);

/** The trip service's environment. Nothing else reads process.env. */
export const Config = z.object({
  ...baseConfig,
  PORT: port(3003),
  MANAGEMENT_PORT: port(9103),
  TRUSTED_ISSUERS: trustedIssuersVariable().describe('Whose access tokens are believed, and for which roles'),
  TRIP_GIVE_UP_AFTER: duration('30m').describe('A trip that no driver took in this time is unfulfilled'),
  TRIP_SWEEP_EVERY: duration('10s').describe('How often such trips and stale quotes are looked for'),
  QUOTE_TTL: duration('5m').describe('How long a quoted fare is held'),
  FARE_BASE_MINOR: minor(250),
  FARE_PER_KM_MINOR: minor(120),
  FARE_PER_MINUTE_MINOR: minor(30),
  FARE_MINIMUM_MINOR: minor(500),
  FARE_CURRENCY: Currency.default('EUR').describe('ISO 4217'),
  FARE_SURGE_MAX: factor(1, 5).describe('Fares are multiplied by up to this where drivers are few; 1: never'),
  FARE_DETOUR_FACTOR: factor(1.3, 10).describe('How much longer streets are than the straight line'),
  FARE_AVERAGE_SPEED_KMH: factor(30, 1_000).describe('For estimating how long a ride takes'),
  ROUTING_URL: z
    .url({ protocol: /^https?$/, error: 'must be a URL such as http://osrm:5000' })
    .optional()
    .describe('OSRM server; fares are estimated from the straight line without it'),
});
export type Config = z.infer<typeof Config>;
