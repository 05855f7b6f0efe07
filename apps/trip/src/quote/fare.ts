import type { Currency } from '@cabstand/contracts';

/** What a ride costs, in minor units of `currency`. */
export interface Tariff {
  baseMinor: number;
  perKmMinor: number;
  perMinuteMinor: number;
  minimumMinor: number;
  currency: Currency;
}

/** The fare in whole minor units, rounded once, at the end, and never below the minimum. */
export function fareMinor(distanceM: number, durationS: number, tariff: Tariff): number {
  const metered = tariff.baseMinor + (tariff.perKmMinor * distanceM) / 1_000 + (tariff.perMinuteMinor * durationS) / 60;
  return Math.max(tariff.minimumMinor, Math.round(metered));
}
