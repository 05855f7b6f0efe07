import type { StyleSpecification } from 'maplibre-gl';
import { cityPlan, type CityPlan } from './city-plan.ts';

export type Theme = 'light' | 'dark';

interface Palette {
  ground: string;
  park: string;
  water: string;
  side: string;
  main: string;
  avenue: string;
  casing: string;
}

const PALETTES: Record<Theme, Palette> = {
  light: {
    ...{ ground: '#eceef1', park: '#d9e8d6', water: '#c3d9ea' },
    ...{ side: '#f8f9fb', main: '#ffffff', avenue: '#ffffff', casing: '#dadfe6' },
  },
  dark: {
    ...{ ground: '#141922', park: '#18261f', water: '#142a40' },
    ...{ side: '#1c232e', main: '#232c39', avenue: '#2d3847', casing: '#10141b' },
  },
};

let plan: CityPlan | undefined;

/** Widths in pixels that double with the zoom, as real widths do. */
const metres = (widthM: number) =>
  ['interpolate', ['exponential', 2], ['zoom'], 10, widthM / 93, 18, (widthM / 93) * 256] as unknown as number;

const only = (kind: string) => ['==', ['get', 'kind'], kind] as ['==', ['get', string], string];

/** The map that needs nothing from the network: no tiles, no glyphs, no sprites. */
export function offlineStyle(theme: Theme): StyleSpecification {
  plan ??= cityPlan();
  const colours = PALETTES[theme];
  const street = (id: string, kind: string, colour: string, widthM: number, minzoom = 0) => ({
    id,
    source: 'streets',
    type: 'line' as const,
    filter: only(kind),
    minzoom,
    layout: { 'line-cap': 'round' as const, 'line-join': 'round' as const },
    paint: { 'line-color': colour, 'line-width': metres(widthM) },
  });
  return {
    version: 8,
    sources: {
      streets: { type: 'geojson', data: plan.streets },
      water: { type: 'geojson', data: plan.water },
      parks: { type: 'geojson', data: plan.parks },
    },
    layers: [
      { id: 'ground', type: 'background', paint: { 'background-color': colours.ground } },
      { id: 'parks', source: 'parks', type: 'fill', paint: { 'fill-color': colours.park } },
      street('side', 'side', colours.side, 11, 12),
      street('main-casing', 'main', colours.casing, 24, 11.5),
      street('main', 'main', colours.main, 17, 11.5),
      {
        ...street('river', 'river', colours.water, 150),
        source: 'water',
        layout: { 'line-cap': 'round', 'line-join': 'round' },
      },
      { ...street('canal', 'canal', colours.water, 40), source: 'water' },
      street('avenue-casing', 'avenue', colours.casing, 44),
      street('avenue', 'avenue', colours.avenue, 32),
    ],
  };
}
