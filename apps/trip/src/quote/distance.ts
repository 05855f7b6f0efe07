import { greatCircleM, type GeoPoint } from '@cabstand/contracts';

/** How far and how long a ride is. */
export interface Ride {
  distanceM: number;
  durationS: number;
}

export interface Estimation {
  /** How much longer streets are than the straight line. */
  detourFactor: number;
  averageSpeedKmh: number;
}

/** What a ride is likely to be when no map can be asked. */
export function estimateRide(pickup: GeoPoint, dropoff: GeoPoint, by: Estimation): Ride {
  const distanceM = Math.round(greatCircleM(pickup, dropoff) * by.detourFactor);
  return { distanceM, durationS: Math.round((distanceM * 3.6) / by.averageSpeedKmh) };
}
