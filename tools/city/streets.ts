import type { GeoPoint } from '@cabstand/contracts';
import createGraph, { type Graph } from 'ngraph.graph';
import { aStar, type PathFinder } from 'ngraph.path';
import { along, distanceM, offset, randomOf } from './world.ts';

/**
 * A city that doesn't exist: a river with bridges, two parks, boulevards and the streets between them. It is always the
 * same one; a seed changes who lives there.
 */
export interface CityPlan {
  corners: GeoPoint[];
  streets: Street[];
  /** The river's two banks, as one closed ring. */
  river: GeoPoint[];
  parks: GeoPoint[][];
}
export interface Street {
  /** Indexes of `corners`. */
  from: number;
  to: number;
  isBoulevard: boolean;
}

const RADIUS_M = 3_400;
const BLOCK_M = 210;
const BOULEVARD_EVERY = 4;
/** No corner lies exactly where a ruler would have put it. */
const CROOKED_M = 42;
/** The whole grid is turned, so that no street runs exactly north. */
const TURN = (14 * Math.PI) / 180;
const RIVER_WIDTH_M = 120;
const EMBANKMENT_M = 15;
const DEAD_ENDS_SHARE = 0.1;

interface Spot {
  eastM: number;
  northM: number;
}
const PARKS: (Spot & { halfEastM: number; halfNorthM: number })[] = [
  { eastM: -1_500, northM: 350, halfEastM: 640, halfNorthM: 330 },
  { eastM: 1_450, northM: 1_500, halfEastM: 360, halfNorthM: 420 },
];

/** How far north the middle of the river is. */
const riverNorthM = (eastM: number) => -420 + 330 * Math.sin(eastM / 900) + 0.12 * eastM;
const isNorthOfRiver = ({ eastM, northM }: Spot) => northM > riverNorthM(eastM);
/** A corner that would stand in the water stands on the embankment. */
function ashore(spot: Spot): Spot {
  const middleM = riverNorthM(spot.eastM);
  const bankM = RIVER_WIDTH_M / 2 + EMBANKMENT_M;
  if (Math.abs(spot.northM - middleM) >= bankM) return spot;
  return { ...spot, northM: middleM + (isNorthOfRiver(spot) ? bankM : -bankM) };
}
const isInPark = ({ eastM, northM }: Spot) =>
  PARKS.some(
    (park) => ((eastM - park.eastM) / park.halfEastM) ** 2 + ((northM - park.northM) / park.halfNorthM) ** 2 < 1,
  );
const toPoint = ({ eastM, northM }: Spot): GeoPoint => offset(eastM, northM);

/** Only what can be reached from the middle of the city is part of it. */
export function cityPlan(): CityPlan {
  const random = randomOf(52_405);
  const half = Math.ceil(RADIUS_M / BLOCK_M);
  const spots = new Map<string, Spot>();
  for (let column = -half; column <= half; column++) {
    for (let row = -half; row <= half; row++) {
      const [x, y] = [column * BLOCK_M, row * BLOCK_M].map((m) => m + (random() * 2 - 1) * CROOKED_M) as [
        number,
        number,
      ];
      const spot = {
        eastM: x * Math.cos(TURN) - y * Math.sin(TURN),
        northM: x * Math.sin(TURN) + y * Math.cos(TURN),
      };
      if (Math.hypot(spot.eastM, spot.northM) <= RADIUS_M) spots.set(`${column},${row}`, ashore(spot));
    }
  }
  const found: { from: string; to: string; isBoulevard: boolean }[] = [];
  const join = (from: string, to: string, isBoulevard: boolean) => {
    const [a, b] = [spots.get(from), spots.get(to)];
    const isMissing = random() < DEAD_ENDS_SHARE;
    if (!a || !b) return;
    const isBridge = isNorthOfRiver(a) !== isNorthOfRiver(b);
    if (isBoulevard || !(isBridge || isMissing || isInPark(a) || isInPark(b))) found.push({ from, to, isBoulevard });
  };
  for (const key of spots.keys()) {
    const [column, row] = key.split(',').map(Number) as [number, number];
    join(key, `${column + 1},${row}`, row % BOULEVARD_EVERY === 0);
    join(key, `${column},${row + 1}`, column % BOULEVARD_EVERY === 0);
  }
  return numbered(spots, found);
}

function numbered(spots: Map<string, Spot>, found: { from: string; to: string; isBoulevard: boolean }[]): CityPlan {
  const neighbours = new Map<string, string[]>();
  for (const { from, to } of found) {
    neighbours.set(from, [...(neighbours.get(from) ?? []), to]);
    neighbours.set(to, [...(neighbours.get(to) ?? []), from]);
  }
  const reached = new Map([['0,0', 0]]);
  // A map goes on to what is added to it while it is walked.
  for (const key of reached.keys()) {
    for (const next of neighbours.get(key) ?? []) if (!reached.has(next)) reached.set(next, reached.size);
  }
  const banks = [1, -1].map((side) =>
    Array.from({ length: 69 }, (_, i) => (i - 34) * 100).map((eastM) =>
      toPoint({ eastM, northM: riverNorthM(eastM) + (side * RIVER_WIDTH_M) / 2 }),
    ),
  ) as [GeoPoint[], GeoPoint[]];
  return {
    corners: [...reached.keys()].map((key) => toPoint(spots.get(key)!)),
    streets: found.flatMap(({ from, to, isBoulevard }) => {
      const [a, b] = [reached.get(from), reached.get(to)];
      return a === undefined || b === undefined ? [] : [{ from: a, to: b, isBoulevard }];
    }),
    river: [...banks[0], ...banks[1].reverse()],
    parks: PARKS.map((park) =>
      Array.from({ length: 40 }, (_, i) => (i / 40) * 2 * Math.PI).map((angle) =>
        toPoint({
          eastM: park.eastM + 0.86 * park.halfEastM * Math.cos(angle),
          northM: park.northM + 0.86 * park.halfNorthM * Math.sin(angle),
        }),
      ),
    ),
  };
}

/** Ways through the city: along its streets, boulevards first. */
export class Streets {
  readonly #plan = cityPlan();
  readonly #graph: Graph<GeoPoint, Street> = createGraph();
  readonly #paths: PathFinder<GeoPoint>;

  constructor() {
    this.#plan.corners.forEach((corner, index) => this.#graph.addNode(index, corner));
    for (const street of this.#plan.streets) this.#graph.addLink(street.from, street.to, street);
    this.#paths = aStar(this.#graph, {
      distance: (from, to, { data }) => distanceM(from.data, to.data) * (data.isBoulevard ? 1 : 1.6),
      heuristic: (from, to) => distanceM(from.data, to.data),
    });
  }

  /** A place on a street, within `radiusM` of another: where somebody can get in. */
  address(random: () => number, radiusM: number, near: GeoPoint): GeoPoint {
    const { corners, streets } = this.#plan;
    const within = streets.filter(({ from }) => distanceM(corners[from]!, near) <= radiusM);
    const choice = within.length > 0 ? within : streets;
    const { from, to } = choice[Math.floor(random() * choice.length)]!;
    const [a, b] = [corners[from]!, corners[to]!];
    return along(a, [b], distanceM(a, b) * random()).at;
  }

  /** The corners to pass, and the destination last. */
  way(from: GeoPoint, to: GeoPoint): GeoPoint[] {
    const nodes = this.#paths.find(this.#cornerNear(to), this.#cornerNear(from));
    return [...nodes.map(({ data }) => data), to];
  }

  #cornerNear(point: GeoPoint): number {
    let [nearest, leastM] = [0, Infinity];
    for (const [index, corner] of this.#plan.corners.entries()) {
      const awayM = distanceM(corner, point);
      if (awayM < leastM) [nearest, leastM] = [index, awayM];
    }
    return nearest;
  }
}
