import { Suspense, type ReactNode } from 'react';
import { Button } from 'react-aria-components';
import { ErrorBoundary } from '../widgets/error-boundary.tsx';

interface MapFrameProps {
  label: string;
  children: ReactNode;
}

const hasWebGl = () => document.createElement('canvas').getContext('webgl2') !== null;

function NoMap() {
  return (
    <div className="map-note" role="status">
      {hasWebGl() ? (
        <div className="stack">
          <p>The map cannot be shown: it could not be loaded. Everything else works without it.</p>
          <p>
            <Button className="button" onPress={() => location.reload()}>
              Load the page again
            </Button>
          </p>
        </div>
      ) : (
        <p>The map cannot be shown: this browser has no WebGL. Everything else works without it.</p>
      )}
    </div>
  );
}

/** The place of a map on a page: says so while it loads, and when there is none. */
export function MapFrame({ label, children }: MapFrameProps) {
  return (
    <section className="map-frame" aria-label={label}>
      <ErrorBoundary fallback={<NoMap />}>
        <Suspense fallback={<p className="map-note">Loading the map…</p>}>{children}</Suspense>
      </ErrorBoundary>
    </section>
  );
}
