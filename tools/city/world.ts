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

/** So far east and north of the middle of the city. */
export function offset(eastM: number, northM: number): GeoPoint {
  return rounded({
    lat: CENTRE.lat + northM / METRES_PER_DEGREE,
    lng: CENTRE.lng + eastM / metresPerDegreeLng,
  });
}

/** Metres on the plane that a city is: within a few kilometres the Earth's curve doesn't show. */
export function distanceM(from: GeoPoint, to: GeoPoint): number {
  return Math.hypot((to.lat - from.lat) * METRES_PER_DEGREE, (to.lng - from.lng) * metresPerDegreeLng);
}

/** Where somebody is who has driven `stepM` of a way, and what is left of it. */
export function along(from: GeoPoint, way: readonly GeoPoint[], stepM: number): { at: GeoPoint; left: GeoPoint[] } {
  let [at, leftM] = [from, stepM];
  for (const [passed, next] of way.entries()) {
    const legM = distanceM(at, next);
    if (legM > leftM) {
      const share = leftM / legM;
      const lat = at.lat + (next.lat - at.lat) * share;
      return { at: rounded({ lat, lng: at.lng + (next.lng - at.lng) * share }), left: way.slice(passed) };
    }
    [at, leftM] = [next, leftM - legM];
  }
  return { at, left: [] };
}

/** Degrees clockwise from true north. */
export function headingDeg(from: GeoPoint, to: GeoPoint): number {
  const degrees =
    (Math.atan2((to.lng - from.lng) * metresPerDegreeLng, (to.lat - from.lat) * METRES_PER_DEGREE) * 180) / Math.PI;
  return Math.floor((degrees + 360) % 360);
}

/** Ten centimetres are close enough. */
const rounded = ({ lat, lng }: GeoPoint): GeoPoint => ({ lat: Number(lat.toFixed(6)), lng: Number(lng.toFixed(6)) });
