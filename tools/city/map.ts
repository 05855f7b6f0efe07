import type { GeoPoint } from '@cabstand/contracts';
import { cityPlan } from './streets.ts';

/** The city's plan as the pages' built-in map draws it: GeoJSON (RFC 7946), to the metre. */
export function cityMap(): string {
  const { corners, streets, river, parks } = cityPlan();
  const metre = (degrees: number) => Number(degrees.toFixed(5));
  const place = ({ lat, lng }: GeoPoint) => [metre(lng), metre(lat)];
  const ring = (points: GeoPoint[]) => [[...points, points[0]!].map(place)];
  const feature = (kind: string, geometry: object) => ({ type: 'Feature', properties: { kind }, geometry });
  const lines = (isBoulevard: boolean) => ({
    type: 'MultiLineString',
    coordinates: streets
      .filter((street) => street.isBoulevard === isBoulevard)
      .map(({ from, to }) => [corners[from]!, corners[to]!].map(place)),
  });
  return `${JSON.stringify({
    type: 'FeatureCollection',
    features: [
      ...parks.map((park) => feature('park', { type: 'Polygon', coordinates: ring(park) })),
      feature('street', lines(false)),
      feature('river', { type: 'Polygon', coordinates: ring(river) }),
      feature('boulevard', lines(true)),
    ],
  })}\n`;
}
