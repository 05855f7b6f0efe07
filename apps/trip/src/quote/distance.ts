import type { GeoPoint } from '@cabstand/contracts';

/** IUGG mean radius of the earth. */
const EARTH_RADIUS_M = 6_371_008.8;
const radians = (degrees: number) => (degrees * Math.PI) / 180;

/** Metres over the surface of a spherical earth, by the haversine formula; within 0.6 % of the ellipsoid. */
export function greatCircleM(from: GeoPoint, to: GeoPoint): number {
  const sinLat = Math.sin(radians(to.lat - from.lat) / 2);
  const sinLng = Math.sin(radians(to.lng - from.lng) / 2);
  const haversine = sinLat ** 2 + Math.cos(radians(from.lat)) * Math.cos(radians(to.lat)) * sinLng ** 2;
  // Rounding can push antipodes a little over 1, where asin is NaN.
  return 2 * EARTH_RADIUS_M * Math.asin(Math.sqrt(Math.min(1, haversine)));
}

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
