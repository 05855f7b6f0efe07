import type { Currency } from '@cabstand/contracts';

/** What a ride costs, in minor units of `currency`. */
export interface Tariff {
  baseMinor: number;
  perKmMinor: number;
  perMinuteMinor: number;
  minimumMinor: number;
  currency: Currency;
}

/** The fare in whole minor units, rounded once, at the end, and never below the minimum. A surge multiplies both. */
export function fareMinor(distanceM: number, durationS: number, tariff: Tariff, multiplier = 1): number {
  const metered = tariff.baseMinor + (tariff.perKmMinor * distanceM) / 1_000 + (tariff.perMinuteMinor * durationS) / 60;
  return Math.round(multiplier * Math.max(tariff.minimumMinor, metered));
}
