import type { GeoPoint } from '@cabstand/contracts';

export interface Place {
  pickup: GeoPoint;
  dropoff: GeoPoint;
}

let taken = 0;

/**
 * A pickup and a dropoff two kilometres apart, in a part of the world that no other test of the file uses:
 * drivers of one test are out of reach for the trips of another.
 */
export function freshPlace(): Place {
  taken += 1;
  const pickup = { lat: -60 + (taken % 110), lng: -170 + (taken % 17) };
  return { pickup, dropoff: { lat: pickup.lat + 0.018, lng: pickup.lng } };
}

/** Some metres north of a point. */
export const northOf = (point: GeoPoint, metres: number): GeoPoint => ({
  lat: Number((point.lat + metres / 111_320).toFixed(6)),
  lng: point.lng,
});
