import type { StyleSpecification } from 'maplibre-gl';
import type { GeoJSON } from 'geojson';
// Where the simulated city drives: nothing is where it is in the real one. Real streets come with MAP_STYLE_URL.
import city from './city.json' with { type: 'json' };

export type Theme = 'light' | 'dark';

interface Palette {
  ground: string;
  park: string;
  water: string;
  street: string;
  boulevard: string;
  casing: string;
}

const PALETTES: Record<Theme, Palette> = {
  light: {
    ...{ ground: '#eceef1', park: '#d9e8d6', water: '#c3d9ea' },
    ...{ street: '#f8f9fb', boulevard: '#ffffff', casing: '#d3d9e1' },
  },
  dark: {
    ...{ ground: '#141922', park: '#18261f', water: '#142a40' },
    ...{ street: '#1f2733', boulevard: '#2d3847', casing: '#0f131a' },
  },
};

/** Widths in pixels that double with the zoom, as real widths do; from afar a street is wider than it would be. */
const metres = (widthM: number) =>
  ['interpolate', ['exponential', 2], ['zoom'], 10, widthM / 22, 18, (widthM / 93) * 256] as unknown as number;

const only = (kind: string) => ['==', ['get', 'kind'], kind] as ['==', ['get', string], string];

/** The map that needs nothing from the network: no tiles, no glyphs, no sprites. */
export function offlineStyle(theme: Theme): StyleSpecification {
  const colours = PALETTES[theme];
  const area = (id: string, colour: string) => ({
    ...{ id, source: 'city', type: 'fill' as const, filter: only(id) },
    paint: { 'fill-color': colour },
  });
  const street = (kind: string, part: string, colour: string, widthM: number) => ({
    ...{ id: `${kind}-${part}`, source: 'city', type: 'line' as const, filter: only(kind) },
    layout: { 'line-cap': 'round' as const, 'line-join': 'round' as const },
    paint: { 'line-color': colour, 'line-width': metres(widthM) },
  });
  return {
    version: 8,
    sources: { city: { type: 'geojson', data: city as GeoJSON } },
    layers: [
      { id: 'ground', type: 'background', paint: { 'background-color': colours.ground } },
      area('park', colours.park),
      street('street', 'casing', colours.casing, 20),
      street('street', 'surface', colours.street, 14),
      area('river', colours.water),
      street('boulevard', 'casing', colours.casing, 40),
      street('boulevard', 'surface', colours.boulevard, 30),
    ],
  };
}
