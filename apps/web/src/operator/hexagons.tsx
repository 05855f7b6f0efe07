import type { FeatureCollection, Polygon } from 'geojson';
import { cellToBoundary, latLngToCell } from 'h3-js';
import type { GeoJSONSource } from 'maplibre-gl';
import { useEffect, useEffectEvent, useRef } from 'react';
import type { Trip } from '../api/client.ts';
import { useMap } from '../map/map-canvas.tsx';
import type { Fleet } from './fleet.ts';

type Hexagons = FeatureCollection<Polygon, { colour: string; opacity: number }>;

const DEMAND = '#be3c96';
const SUPPLY = '#138c5a';
/** Hexagons of some 5 km²: an operator sees pickups to about a kilometre. */
const RESOLUTION = 7;
const COUNT_EVERY_MS = 2_000;
const ID = 'cabstand-hexagons';
const NONE: Hexagons = { type: 'FeatureCollection', features: [] };

interface HexagonsProps {
  fleet: Fleet;
  trips: Trip[];
}

/**
 * Where passengers wait and cabs stand. A layer of MapLibre's: it is drawn again when it has changed, and not, as all of
 * deck.gl's are, with every step of the cabs.
 */
export function Hexagons({ fleet, trips }: HexagonsProps) {
  const map = useMap();
  const shown = useRef(NONE);

  const count = useEffectEvent(() => {
    const counted = hexagonsOf(fleet, trips, performance.now());
    if (JSON.stringify(counted) === JSON.stringify(shown.current)) return;
    shown.current = counted;
    void map.getSource<GeoJSONSource>(ID)?.setData(shown.current);
  });
  useEffect(() => {
    count();
    const timer = setInterval(count, COUNT_EVERY_MS);
    return () => clearInterval(timer);
  }, []);

  useEffect(() => {
    // Another style takes along what was added to the one before; one that is being loaded is none yet.
    const add = () => {
      if (map.getSource(ID) || !map.getStyle()) return;
      map.addSource(ID, { type: 'geojson', data: shown.current });
      map.addLayer({
        ...{ id: ID, source: ID, type: 'fill' },
        paint: {
          'fill-color': ['get', 'colour'],
          'fill-opacity': ['get', 'opacity'],
          'fill-outline-color': '#78828f',
        },
      });
    };
    add();
    map.on('styledata', add);
    return () => {
      map.off('styledata', add);
      // The map may be gone already.
      if (!map.getLayer(ID)) return;
      map.removeLayer(ID);
      map.removeSource(ID);
    };
  }, [map]);
  return null;
}

/** Where more wait than cabs are free, it is demand's colour; the more, the stronger. */
function hexagonsOf(fleet: Fleet, trips: Trip[], nowMs: number): Hexagons {
  const excess = new Map<string, number>();
  const add = (lat: number, lng: number, passengers: number) => {
    const cell = latLngToCell(lat, lng, RESOLUTION);
    excess.set(cell, (excess.get(cell) ?? 0) + passengers);
  };
  fleet.each(nowMs, (_, lng, lat, status) => {
    if (status === 'free') add(lat, lng, -1);
  });
  for (const { pickup, status } of trips) if (status === 'requested') add(pickup.lat, pickup.lng, 1);
  return {
    type: 'FeatureCollection',
    features: [...excess].map(([cell, passengers]) => ({
      type: 'Feature',
      geometry: { type: 'Polygon', coordinates: [cellToBoundary(cell, true)] },
      properties: {
        colour: passengers > 0 ? DEMAND : SUPPLY,
        opacity: Math.min(0.6, 0.12 + 0.1 * Math.abs(passengers)),
      },
    })),
  };
}
