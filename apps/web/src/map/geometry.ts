import type { Point } from '../api/client.ts';

/** Where the map begins, and where the simulated city is. */
export const CITY_CENTRE: Point = { lat: 52.52, lng: 13.405 };

const METRES_PER_DEGREE = 111_320;
const metresPerDegreeLng = (lat: number) => METRES_PER_DEGREE * Math.cos((lat * Math.PI) / 180);

/** Metres on the plane that a city is: within some kilometres the Earth's curve doesn't show. */
export function distanceM(from: Point, to: Point): number {
  return Math.hypot((to.lat - from.lat) * METRES_PER_DEGREE, (to.lng - from.lng) * metresPerDegreeLng(from.lat));
}

/** So many metres east and north of a point. */
export const offset = ({ lat, lng }: Point, eastM: number, northM: number): Point =>
  rounded({ lat: lat + northM / METRES_PER_DEGREE, lng: lng + eastM / metresPerDegreeLng(lat) });

/** Where somebody is who has gone `stepM` of the straight way. */
export function towards(from: Point, to: Point, stepM: number): Point {
  const wholeM = distanceM(from, to);
  if (wholeM <= stepM) return to;
  const share = stepM / wholeM;
  return rounded({ lat: from.lat + (to.lat - from.lat) * share, lng: from.lng + (to.lng - from.lng) * share });
}

/** Degrees clockwise from north, 0 to 359. */
export function headingDeg(from: Point, to: Point): number {
  const east = (to.lng - from.lng) * metresPerDegreeLng(from.lat);
  const degrees = (Math.atan2(east, (to.lat - from.lat) * METRES_PER_DEGREE) * 180) / Math.PI;
  return Math.floor((degrees + 360) % 360);
}

/** Ten centimetres are close enough. */
export const rounded = ({ lat, lng }: Point): Point => ({ lat: Number(lat.toFixed(6)), lng: Number(lng.toFixed(6)) });

/** The corners of the city that is simulated. */
export const CITY_AREA: Point[] = [offset(CITY_CENTRE, -3_400, -3_400), offset(CITY_CENTRE, 3_400, 3_400)];
