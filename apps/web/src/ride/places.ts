import type { Point } from '../api/client.ts';
import { CITY_CENTRE, offset } from '../map/geometry.ts';

export interface Place {
  name: string;
  point: Point;
}

const place = (name: string, eastM: number, northM: number): Place => ({
  name,
  point: offset(CITY_CENTRE, eastM, northM),
});

/** Of the made-up city, for who doesn't point at maps. A geocoder takes their place in a real one. */
export const PLACES: readonly [Place, ...Place[]] = [
  place('Cathedral Square', 60, 40),
  place('Central Station', -820, 610),
  place('Harbour', 1_480, -190),
  place('Museum Quarter', 420, -640),
  place('Old Market', -240, -330),
  place('Opera', 690, 330),
  place('University', -1_450, -210),
  place('West Park', -2_050, 520),
];

/** What to call a point of the map. */
export const pointPlace = (point: Point): Place => ({
  name: `${point.lat.toFixed(4)}, ${point.lng.toFixed(4)}`,
  point,
});
