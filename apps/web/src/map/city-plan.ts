import type { Feature, FeatureCollection, LineString, Polygon, Position } from 'geojson';
import { CITY_CENTRE, offset } from './geometry.ts';

/**
 * A made-up city for the built-in map: it needs no network and no licence, and looks the same every time. Nothing in it
 * is where it is in the real one; real streets come with MAP_STYLE_URL.
 */
export interface CityPlan {
  streets: FeatureCollection<LineString>;
  water: FeatureCollection<LineString>;
  parks: FeatureCollection<Polygon>;
}

const HALF_M = 9_000;
const BLOCK_M = 260;
const STEP_M = 130;
const INNER_RING_M = 380;
const RINGS_M = [INNER_RING_M, 1_300, 2_700, 4_500, 6_800];
const AVENUES = 11;

/** A street grid that has grown: straight here, bent there. */
const bendM = (x: number, y: number): [number, number] => [
  150 * Math.sin(y / 1_450 + 1) + 90 * Math.sin(x / 830 + y / 1_900) + 40 * Math.sin(y / 430),
  140 * Math.sin(x / 1_270 + 2) + 85 * Math.sin(y / 910 - x / 2_100) + 40 * Math.sin(x / 390),
];

const riverM = (x: number) => 420 * Math.sin(x / 1_900) + 210 * Math.sin(x / 760 + 1.3) - 260;

function at(eastM: number, northM: number): Position {
  const { lat, lng } = offset(CITY_CENTRE, eastM, northM);
  return [lng, lat];
}

const bent = (x: number, y: number): Position => {
  const [east, north] = bendM(x, y);
  return at(x + east, y + north);
};

const line = (coordinates: Position[], kind: string): Feature<LineString> => ({
  type: 'Feature',
  properties: { kind },
  geometry: { type: 'LineString', coordinates },
});

const steps = (from: number, to: number, step: number): number[] =>
  Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, index) => from + index * step);

/** Every fourth street is wider; every so often one ends at a block instead of crossing it. */
function grid(): Feature<LineString>[] {
  return steps(-HALF_M, HALF_M, BLOCK_M).flatMap((across, index) => {
    const kind = index % 4 === 0 ? 'main' : 'side';
    const along = steps(-HALF_M, HALF_M, STEP_M);
    const eastWest = along.map((x) => bent(x, across));
    const northSouth = along.map((y) => bent(across, y));
    if (kind === 'main') return [line(eastWest, kind), line(northSouth, kind)];
    const cut = (way: Position[], seed: number) => {
      const length = 14 + ((seed * 7) % 23);
      return steps(0, way.length - 1, length + 2).map((start) => line(way.slice(start, start + length), kind));
    };
    return [...cut(eastWest, index), ...cut(northSouth, index + 5)].filter(
      ({ geometry }) => geometry.coordinates.length > 1,
    );
  });
}

function onRing(radiusM: number, angle: number): Position {
  const r = radiusM * (1 + 0.05 * Math.sin(3 * angle + radiusM));
  return at(r * Math.cos(angle) * 1.12, r * Math.sin(angle));
}

function rings(): Feature<LineString>[] {
  return RINGS_M.map((radiusM) =>
    line(
      steps(0, 360, 4).map((degrees) => onRing(radiusM, (degrees * Math.PI) / 180)),
      'avenue',
    ),
  );
}

function avenues(): Feature<LineString>[] {
  return steps(0, AVENUES - 1, 1).map((index) =>
    line(
      [
        onRing(INNER_RING_M, (index / AVENUES) * 2 * Math.PI),
        ...steps(700, HALF_M, 200).map((r) => {
          const angle = (index / AVENUES) * 2 * Math.PI + 0.12 * Math.sin(r / 1_600 + index);
          return at(r * Math.cos(angle) * 1.06, r * Math.sin(angle));
        }),
      ],
      'avenue',
    ),
  );
}

function park(eastM: number, northM: number, sizeM: number, shape: number): Feature<Polygon> {
  const ring = steps(0, 360, 8).map((degrees) => {
    const angle = (degrees * Math.PI) / 180;
    const r = sizeM * (1 + 0.18 * Math.sin(2 * angle + shape) + 0.09 * Math.sin(5 * angle + 2 * shape));
    return at(eastM + r * Math.cos(angle) * 1.3, northM + r * Math.sin(angle) * 0.8);
  });
  return { type: 'Feature', properties: {}, geometry: { type: 'Polygon', coordinates: [ring] } };
}

const collection = <Geometry extends LineString | Polygon>(
  features: Feature<Geometry>[],
): FeatureCollection<Geometry> => ({ type: 'FeatureCollection', features });

export const cityPlan = (): CityPlan => ({
  streets: collection([...grid(), ...avenues(), ...rings()]),
  water: collection([
    line(
      steps(-HALF_M - 4_000, HALF_M + 4_000, 120).map((x) => at(x, riverM(x))),
      'river',
    ),
    line(
      steps(-HALF_M, -300, 120).map((y) => at(900 + 380 * Math.sin(y / 1_300), y)),
      'canal',
    ),
  ]),
  parks: collection([
    park(-2_050, 560, 620, 0.4),
    park(1_750, 1_650, 380, 1.9),
    park(2_300, -1_500, 470, 3.1),
    park(-1_350, -2_350, 520, 4.4),
    park(-3_700, 2_700, 560, 5.2),
    park(4_300, 700, 500, 0.9),
    park(350, 3_500, 430, 2.6),
    park(600, -4_600, 680, 1.2),
  ]),
});
