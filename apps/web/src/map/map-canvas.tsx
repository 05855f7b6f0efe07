import { MapboxOverlay } from '@deck.gl/mapbox';
import type { Layer } from '@deck.gl/core';
import { LngLatBounds, Map as MapLibre, NavigationControl, setWorkerUrl, type StyleSpecification } from 'maplibre-gl';
import 'maplibre-gl/dist/maplibre-gl.css';
import workerUrl from 'maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url';
import {
  createContext,
  useContext,
  useEffect,
  useEffectEvent,
  useRef,
  useState,
  type ReactNode,
  type RefObject,
} from 'react';
import type { Point } from '../api/client.ts';
import { usePageConfig } from '../page-config.ts';
import { useTheme } from '../layout/theme.ts';
import { CITY_CENTRE, rounded } from './geometry.ts';
import { offlineStyle, type Theme } from './offline-style.ts';

// A file of ours: the Content-Security-Policy allows no worker that is made from text.
setWorkerUrl(workerUrl);

/** Asked once: a browser takes its oldest drawing from a page that has many. Smooth edges cost a third of such frames. */
const DRAWN_IN_SOFTWARE = isDrawnInSoftware();

/** Pins stand above their points. */
const PIN_HEIGHT_PX = 46;
/** The zoom buttons at the right with their margins, and half of a pin. */
const CONTROLS_PX = 66;

const MapContext = createContext<MapLibre | null>(null);

/** The map that a marker, a control or a layer is on. */
export const useMap = (): MapLibre => {
  const map = useContext(MapContext);
  if (!map) throw new Error('this belongs on a map');
  return map;
};

export interface MapCanvasProps {
  /** deck.gl layers over the map; keep the array while nothing has changed. */
  layers?: Layer[];
  /**
   * The layers of each frame, for what moves all the time, and null while nothing does: React is left out of it. Keep
   * the function while it draws the same.
   */
  draw?: (nowMs: number) => Layer[] | null;
  /** Brings these points into view, whenever `key` changes. */
  frame?: { key: string; points: Point[] };
  /** Where the map begins. */
  centre?: Point;
  /** Points that are in view, instead of what is around a centre, until somebody moves the map. */
  area?: Point[];
  onClick?: (point: Point) => void;
  /** Told where the middle of the map is, at first and after every move. */
  onCentre?: (point: Point) => void;
  /** Markers, and layers of the map's own. */
  children?: ReactNode;
}

/** Only for modules that are loaded when a map is needed (MapFrame): this brings MapLibre and deck.gl with it. */
export function MapCanvas({
  layers,
  draw,
  frame,
  centre = CITY_CENTRE,
  area,
  children,
  onClick,
  onCentre,
}: MapCanvasProps) {
  const container = useRef<HTMLDivElement>(null);
  const [map, setMap] = useState<MapLibre | null>(null);
  const overlay = useRef<MapboxOverlay | null>(null);
  const { mapStyleUrl } = usePageConfig();
  const [isFallback, setIsFallback] = useState(false);
  const theme = useTheme();
  const start = useEffectEvent(() => ({ centre, area, style: styleOf(mapStyleUrl, theme) }));
  const themeNow = useEffectEvent(() => theme);
  const tellClick = useEffectEvent((point: Point) => onClick?.(point));
  const tellCentre = useEffectEvent((point: Point) => onCentre?.(point));

  useEffect(() => {
    const element = container.current!;
    const made = makeMap(element, start(), mapStyleUrl !== null);
    overlay.current = new MapboxOverlay({ layers: [], deviceProps: { webgl: { antialias: !DRAWN_IN_SOFTWARE } } });
    made.addControl(overlay.current);
    made.on('click', ({ lngLat }) => tellClick(pointOf(lngLat)));
    made.on('moveend', () => tellCentre(pointOf(made.getCenter())));
    if (mapStyleUrl)
      onceWithoutStyle(made, () => {
        setIsFallback(true);
        made.setStyle(offlineStyle(themeNow()));
      });
    made.once('idle', () => element.setAttribute('data-ready', 'true'));
    tellCentre(pointOf(made.getCenter()));
    setMap(made);
    return () => {
      setMap(null);
      overlay.current = null;
      made.remove();
    };
  }, [mapStyleUrl]);

  const shownTheme = useRef(theme);
  useEffect(() => {
    if (!map || shownTheme.current === theme) return;
    shownTheme.current = theme;
    if (!mapStyleUrl || isFallback) map.setStyle(offlineStyle(theme));
  }, [map, theme, mapStyleUrl, isFallback]);

  useEffect(() => {
    if (map && !draw) overlay.current?.setProps({ layers: layers ?? [] });
  }, [map, layers, draw]);

  useFrames(map, overlay, draw);

  const framed = useRef<string | undefined>(undefined);
  useEffect(() => {
    if (!map || !frame || frame.points.length === 0 || framed.current === frame.key) return;
    framed.current = frame.key;
    show(map, frame.points);
  }, [map, frame]);

  return (
    <>
      <div ref={container} className="map-canvas">
        {map && <MapContext value={map}>{children}</MapContext>}
      </div>
      {isFallback && (
        <p className="map-warning" role="status">
          The streets cannot be loaded right now: this is a plain map instead.
        </p>
      )}
    </>
  );
}

interface Start {
  centre: Point;
  area: Point[] | undefined;
  style: string | StyleSpecification;
}

function makeMap(container: HTMLElement, { centre, area, style }: Start, isOfOthers: boolean): MapLibre {
  const map = new MapLibre({
    ...{ container, style },
    ...(area ? { bounds: boundsOf(area) } : { center: centre, zoom: 13 }),
    attributionControl: isOfOthers ? { compact: true } : false,
    dragRotate: false,
    pitchWithRotate: false,
    maxPitch: 0,
    fadeDuration: 0,
  });
  if (area) keepInView(map, area);
  map.touchZoomRotate.disableRotation();
  map.addControl(new NavigationControl({ showCompass: false }), 'top-right');
  return map;
}

/** Whatever size the map gets, until somebody moves it. */
function keepInView(map: MapLibre, area: Point[]): void {
  const fit = () => map.fitBounds(boundsOf(area), { duration: 0 });
  map.on('resize', fit);
  map.on('movestart', ({ originalEvent }) => {
    if (originalEvent) map.off('resize', fit);
  });
}

/** Calls back when the map's style can't be had: nothing is drawn without one, not what is ours either. */
function onceWithoutStyle(map: MapLibre, callBack: () => void): void {
  let isDecided = false;
  map.once('style.load', () => (isDecided = true));
  map.on('error', ({ error }) => {
    if (isDecided) return reportError(error);
    isDecided = true;
    callBack();
  });
}

function useFrames(map: MapLibre | null, overlay: RefObject<MapboxOverlay | null>, draw: MapCanvasProps['draw']): void {
  useEffect(() => {
    if (!map || !draw) return;
    let frame = requestAnimationFrame(function next(nowMs) {
      const layers = draw(nowMs);
      if (layers) overlay.current?.setProps({ layers });
      frame = requestAnimationFrame(next);
    });
    return () => cancelAnimationFrame(frame);
  }, [map, overlay, draw]);
}

function isDrawnInSoftware(): boolean {
  const gl = document.createElement('canvas').getContext('webgl2');
  const names = gl?.getExtension('WEBGL_debug_renderer_info');
  return /swiftshader|llvmpipe|software|basic render/i.test(
    String(names && gl?.getParameter(names.UNMASKED_RENDERER_WEBGL)),
  );
}

const styleOf = (url: string | null, theme: Theme) => url ?? offlineStyle(theme);

/** Of MapLibre's kind of point, which knows more. */
const pointOf = ({ lat, lng }: Point): Point => rounded({ lat, lng });

const boundsOf = (points: Point[]) => points.reduce((all, point) => all.extend(point), new LngLatBounds());

function show(map: MapLibre, points: Point[]): void {
  const { clientWidth, clientHeight } = map.getContainer();
  const edge = Math.round(Math.min(clientWidth, clientHeight) * 0.18);
  const padding = { top: Math.max(edge, PIN_HEIGHT_PX), right: Math.max(edge, CONTROLS_PX), bottom: edge, left: edge };
  const isStill = matchMedia('(prefers-reduced-motion: reduce)').matches;
  map.fitBounds(boundsOf(points), { padding, maxZoom: 15.5, duration: isStill ? 0 : 700 });
}
