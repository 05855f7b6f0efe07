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
  place('Central Station', 1_300, -500),
  place('Harbour', 2_050, -30),
  place('Museum Quarter', 420, -640),
  place('Office Park', -1_700, -1_300),
  place('Old Market', 100, 420),
  place('Opera', 690, 330),
  place('University', 300, 2_100),
  place('West Park', -1_500, 700),
];

/** What to call a point of the map. */
export const pointPlace = (point: Point): Place => ({
  name: `${point.lat.toFixed(4)}, ${point.lng.toFixed(4)}`,
  point,
});
