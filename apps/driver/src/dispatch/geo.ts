import { EARTH_RADIUS_M, type GeoPoint } from '@cabstand/contracts';

const radians = (degrees: number) => (degrees * Math.PI) / 180;
const degrees = (radian: number) => (radian * 180) / Math.PI;

/** Degrees that hold every point of a circle, and more: what an index can answer before distances are exact. */
export interface BoundingBox {
  south: number;
  north: number;
  /** One range of longitudes, or two where the circle crosses the antimeridian. Each `from` ≤ `to`. */
  lngs: { from: number; to: number }[];
}

/** The box of the circle with this radius (J. P. Matuschek, "Finding Points Within a Distance of a Latitude/Longitude"). */
export function boundingBox(centre: GeoPoint, radiusM: number): BoundingBox {
  // A millimetre more than the circle, so that no point on its edge is lost to rounding.
  const angle = (radiusM + 0.001) / EARTH_RADIUS_M;
  const south = centre.lat - degrees(angle);
  const north = centre.lat + degrees(angle);
  // Around a pole the circle holds every longitude.
  if (south <= -90 || north >= 90) return { south, north, lngs: [{ from: -180, to: 180 }] };
  const reach = degrees(Math.asin(Math.min(1, Math.sin(angle) / Math.cos(radians(centre.lat))))) + 1e-9;
  const west = centre.lng - reach;
  const east = centre.lng + reach;
  if (west >= -180 && east <= 180) return { south, north, lngs: [{ from: west, to: east }] };
  const from = west < -180 ? west + 360 : west;
  const to = east > 180 ? east - 360 : east;
  return {
    south,
    north,
    lngs: [
      { from, to: 180 },
      { from: -180, to },
    ],
  };
}

export const contains = (box: BoundingBox, { lat, lng }: GeoPoint) =>
  lat >= box.south && lat <= box.north && box.lngs.some(({ from, to }) => lng >= from && lng <= to);
