import { Suspense, type ReactNode } from 'react';
import { ErrorBoundary } from '../widgets/error-boundary.tsx';

interface MapFrameProps {
  label: string;
  children: ReactNode;
}

const NO_MAP = (
  <p className="map-note" role="status">
    The map cannot be shown: this browser has no WebGL. Everything else works without it.
  </p>
);

/** The place of a map on a page: says so while it loads, and when the browser can't draw one. */
export function MapFrame({ label, children }: MapFrameProps) {
  return (
    <section className="map-frame" aria-label={label}>
      <ErrorBoundary fallback={NO_MAP}>
        <Suspense fallback={<p className="map-note">Loading the map…</p>}>{children}</Suspense>
      </ErrorBoundary>
    </section>
  );
}
