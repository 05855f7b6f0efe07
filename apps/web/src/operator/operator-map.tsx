import type { Layer } from '@deck.gl/core';
import { LineLayer, ScatterplotLayer } from '@deck.gl/layers';
import { useCallback, useMemo, useRef } from 'react';
import type { Trip } from '../api/client.ts';
import { useTheme, type Theme } from '../layout/theme.ts';
import { CITY_AREA } from '../map/geometry.ts';
import { MapCanvas } from '../map/map-canvas.tsx';
import type { DriverStatus, Fleet } from './fleet.ts';
import { Hexagons } from './hexagons.tsx';

type Colour = [number, number, number];

/** The legend of operator-page.tsx has the same, as --cab-* in operator.css. */
const CABS: Record<Theme, Record<DriverStatus, Colour>> = {
  light: { free: [19, 113, 58], offered: [179, 98, 0], 'on-trip': [11, 87, 194] },
  dark: { free: [111, 209, 150], offered: [255, 198, 41], 'on-trip': [138, 184, 255] },
};

interface OperatorMapProps {
  fleet: Fleet;
  trips: Trip[];
  hasHexagons: boolean;
  chosen: string | null;
}

/** Drivers as they move, the ways of trips under way, and where passengers wait and cabs stand. */
export default function OperatorMap({ fleet, trips, hasHexagons, chosen }: OperatorMapProps) {
  const theme = useTheme();
  const cabs = useMemo(() => new Cabs(fleet, CABS[theme]), [fleet, theme]);
  const ways = useMemo(() => wayLayers(trips, chosen, theme), [trips, chosen, theme]);
  const drawn = useRef({ atMs: 0, ways });
  const draw = useCallback(
    (nowMs: number): Layer[] | null => {
      if (fleet.isStill(drawn.current.atMs) && drawn.current.ways === ways) return null;
      drawn.current = { atMs: nowMs, ways };
      return [...ways, cabs.layerAt(nowMs)];
    },
    [fleet, ways, cabs],
  );
  return (
    <MapCanvas draw={draw} area={CITY_AREA}>
      {hasHexagons && <Hexagons fleet={fleet} trips={trips} />}
    </MapCanvas>
  );
}

/** The cabs' places and colours in two arrays that go to the graphics card as they are. */
class Cabs {
  readonly #fleet: Fleet;
  readonly #colours: Record<DriverStatus, Colour>;
  #places = new Float32Array(0);
  #fills = new Uint8Array(0);

  constructor(fleet: Fleet, colours: Record<DriverStatus, Colour>) {
    this.#fleet = fleet;
    this.#colours = colours;
  }

  layerAt(nowMs: number): Layer {
    const length = this.#fleet.size;
    if (this.#places.length < length * 2) {
      this.#places = new Float32Array(length * 4);
      this.#fills = new Uint8Array(length * 8);
    }
    this.#fleet.each(nowMs, (index, lng, lat, status) => {
      this.#places[index * 2] = lng;
      this.#places[index * 2 + 1] = lat;
      const [red, green, blue] = this.#colours[status];
      this.#fills.set([red, green, blue, 255], index * 4);
    });
    return new ScatterplotLayer({
      id: 'cabs',
      // A new object for each frame tells deck.gl that the arrays have changed.
      data: {
        length,
        attributes: {
          getPosition: { value: this.#places, size: 2 },
          getFillColor: { value: this.#fills, size: 4, normalized: true },
        },
      },
      radiusUnits: 'pixels',
      getRadius: 6,
      stroked: true,
      getLineColor: [255, 255, 255],
      lineWidthUnits: 'pixels',
      getLineWidth: 1.5,
    });
  }
}

const UNDER_WAY = ['requested', 'accepted', 'arrived', 'in_progress'];

function wayLayers(trips: Trip[], chosen: string | null, theme: Theme): Layer[] {
  const shown = trips.filter(({ id, status }) => UNDER_WAY.includes(status) || id === chosen);
  const [pickup, dropoff]: [Colour, Colour] =
    theme === 'dark'
      ? [
          [111, 209, 150],
          [255, 157, 149],
        ]
      : [
          [19, 113, 58],
          [179, 38, 30],
        ];
  const at = ({ lng, lat }: Trip['pickup']): [number, number] => [lng, lat];
  const alpha = ({ id }: Trip) => (chosen === null || id === chosen ? 200 : 60);
  return [
    new LineLayer<Trip>({
      id: 'ways',
      data: shown,
      getSourcePosition: (trip) => at(trip.pickup),
      getTargetPosition: (trip) => at(trip.dropoff),
      getColor: (trip) => [
        ...(theme === 'dark' ? ([169, 179, 193] as Colour) : ([81, 91, 104] as Colour)),
        alpha(trip),
      ],
      getWidth: (trip) => (trip.id === chosen ? 5 : 2),
      widthUnits: 'pixels',
    }),
    ...[pickup, dropoff].map(
      (colour, end) =>
        new ScatterplotLayer<Trip>({
          id: end === 0 ? 'pickups' : 'dropoffs',
          data: shown,
          getPosition: (trip) => at(end === 0 ? trip.pickup : trip.dropoff),
          getFillColor: (trip) => [...colour, alpha(trip)],
          getRadius: 4,
          radiusUnits: 'pixels',
        }),
    ),
  ];
}
