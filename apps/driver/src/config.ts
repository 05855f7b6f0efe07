import { accountsConfig, baseConfig, duration, port, wholeNumber } from '@cabstand/service-defaults';
import { z } from 'zod';

/** The driver service's environment. Nothing else reads process.env. */
export const Config = z.object({
  ...baseConfig,
  PORT: port(3002),
  MANAGEMENT_PORT: port(9102),
  ...accountsConfig,
  DISPATCH_MAX_PICKUP_M: wholeNumber(8_000, 1).describe('Farthest driver that is offered a trip'),
  DISPATCH_OFFER_TTL: duration('15s').describe('How long a driver may think'),
  DISPATCH_DEADLINE: duration('2m').describe('How long a driver is looked for'),
  DISPATCH_MAX_REFUSALS: wholeNumber(5, 1).describe('Declined and expired offers after which a trip is given up'),
  DISPATCH_POSITION_MAX_AGE: duration('30s').describe('Older positions do not count'),
  DISPATCH_SILENT_AFTER: duration('5m').describe('Drivers who say nothing for so long go offline'),
  DISPATCH_SWEEP_EVERY: duration('500ms').describe('How often expired offers and waiting trips are looked at'),
  SUPPLY_EVERY: duration('10s').describe('How often free drivers are counted, and each cell told of at most'),
});
export type Config = z.infer<typeof Config>;
