import type { GeoPoint } from '@cabstand/contracts';

/** Mulberry32: 32 bits of state are plenty for a simulation, and the same seed gives the same city everywhere. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const between = (random: () => number, from: number, to: number): number => from + random() * (to - from);

export function pick<T>(random: () => number, items: readonly [T, ...T[]]): T {
  return items[Math.floor(random() * items.length)] ?? items[0];
}

const CENTRE: GeoPoint = { lat: 52.52, lng: 13.405 };
const METRES_PER_DEGREE = 111_320;
const metresPerDegreeLng = METRES_PER_DEGREE * Math.cos((CENTRE.lat * Math.PI) / 180);

/** A point within `radiusM` of another, all over the disc alike. */
export function pointNear(random: () => number, radiusM: number, centre: GeoPoint = CENTRE): GeoPoint {
  const distanceM = radiusM * Math.sqrt(random());
  const angle = random() * 2 * Math.PI;
  return rounded({
    lat: centre.lat + (distanceM * Math.cos(angle)) / METRES_PER_DEGREE,
    lng: centre.lng + (distanceM * Math.sin(angle)) / metresPerDegreeLng,
  });
}

/** Metres on the plane that a city is: within a few kilometres the Earth's curve doesn't show. */
export function distanceM(from: GeoPoint, to: GeoPoint): number {
  return Math.hypot((to.lat - from.lat) * METRES_PER_DEGREE, (to.lng - from.lng) * metresPerDegreeLng);
}

/** Where somebody is who has driven `stepM` of the straight way to `to`. */
export function towards(from: GeoPoint, to: GeoPoint, stepM: number): GeoPoint {
  const wholeM = distanceM(from, to);
  if (wholeM <= stepM) return to;
  const share = stepM / wholeM;
  return rounded({ lat: from.lat + (to.lat - from.lat) * share, lng: from.lng + (to.lng - from.lng) * share });
}

/** Degrees clockwise from true north. */
export function headingDeg(from: GeoPoint, to: GeoPoint): number {
  const degrees =
    (Math.atan2((to.lng - from.lng) * metresPerDegreeLng, (to.lat - from.lat) * METRES_PER_DEGREE) * 180) / Math.PI;
  return Math.floor((degrees + 360) % 360);
}

/** Ten centimetres are close enough. */
const rounded = ({ lat, lng }: GeoPoint): GeoPoint => ({ lat: Number(lat.toFixed(6)), lng: Number(lng.toFixed(6)) });
