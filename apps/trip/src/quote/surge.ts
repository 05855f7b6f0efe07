/** Why a fare is higher than the tariff says. */
export interface Surge {
  multiplier: number;
  /** For passengers to read. */
  reason: string;
}

/** By how much the fare rises for each passenger too many, in parts of the free drivers. */
const SLOPE = 0.25;

/**
 * What a quote is multiplied by where more passengers want a ride than drivers are free: in steps of a tenth, up to
 * `maxMultiplier`; null where there is nothing to multiply. To price by something else, replace this function.
 */
export function surgeOf(passengers: number, freeDrivers: number, maxMultiplier: number): Surge | null {
  const tooMany = (passengers - freeDrivers) / Math.max(1, freeDrivers);
  const multiplier = Math.min(maxMultiplier, Math.round(10 * (1 + SLOPE * tooMany)) / 10);
  if (multiplier <= 1) return null;
  return { multiplier, reason: `${passengers} passengers ask for a ride here, ${freeDrivers} drivers are free` };
}
