import { Marker } from 'maplibre-gl';
import { useEffect, useEffectEvent, useRef, useState, type ReactNode } from 'react';
import { createPortal } from 'react-dom';
import type { Point } from '../api/client.ts';
import { rounded } from './geometry.ts';
import { useMap } from './map-canvas.tsx';

interface MapMarkerProps {
  at: Point;
  /** What it is, for those who don't see it. */
  label: string;
  anchor?: 'center' | 'bottom';
  /** Degrees clockwise from north. */
  rotation?: number;
  /** Makes it draggable. */
  onDrop?: (point: Point) => void;
  children: ReactNode;
}

/** Something at a place of the map, drawn by React. */
export function MapMarker({ at, label, anchor = 'center', rotation, onDrop, children }: MapMarkerProps) {
  const map = useMap();
  const [element] = useState(() => document.createElement('div'));
  const marker = useRef<Marker | null>(null);
  const place = useEffectEvent(() => at);
  const drop = useEffectEvent((point: Point) => onDrop?.(point));
  const isDraggable = onDrop !== undefined;

  useEffect(() => {
    const made = new Marker({ element, anchor, draggable: isDraggable, rotationAlignment: 'map' }).setLngLat(place());
    made.addTo(map);
    // MapLibre calls every marker a "map marker" and puts it into the order of the Tab key.
    element.setAttribute('role', 'img');
    element.removeAttribute('tabindex');
    made.on('dragend', () => {
      const { lat, lng } = made.getLngLat();
      drop(rounded({ lat, lng }));
    });
    marker.current = made;
    return () => void made.remove();
  }, [map, element, anchor, isDraggable]);

  useEffect(() => element.setAttribute('aria-label', label), [element, label]);
  useEffect(() => void marker.current?.setLngLat(at), [at]);
  useEffect(() => void marker.current?.setRotation(rotation ?? 0), [rotation]);
  return createPortal(children, element);
}
