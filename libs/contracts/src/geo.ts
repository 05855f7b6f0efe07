import type { GeoPoint } from './values.ts';

/** Supply is counted in H3 cells of about 5 km², 2.4 km across. */
export const SUPPLY_RESOLUTION = 7;

/** IUGG mean radius of the earth. */
export const EARTH_RADIUS_M = 6_371_008.8;
const radians = (degrees: number) => (degrees * Math.PI) / 180;

/** Metres over the surface of a spherical earth, by the haversine formula; within 0.6 % of the ellipsoid. */
export function greatCircleM(from: GeoPoint, to: GeoPoint): number {
  const sinLat = Math.sin(radians(to.lat - from.lat) / 2);
  const sinLng = Math.sin(radians(to.lng - from.lng) / 2);
  const haversine = sinLat ** 2 + Math.cos(radians(from.lat)) * Math.cos(radians(to.lat)) * sinLng ** 2;
  // Rounding can push antipodes a little over 1, where asin is NaN.
  return 2 * EARTH_RADIUS_M * Math.asin(Math.sqrt(Math.min(1, haversine)));
}
