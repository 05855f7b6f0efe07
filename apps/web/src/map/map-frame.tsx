import { Component, Suspense, type ReactNode } from 'react';

interface MapFrameProps {
  label: string;
  children: ReactNode;
}

/** The place of a map on a page: says so while it loads, and when the browser can't draw one. */
export function MapFrame({ label, children }: MapFrameProps) {
  return (
    <section className="map-frame" aria-label={label}>
      <MapFallback>
        <Suspense fallback={<p className="map-note">Loading the map…</p>}>{children}</Suspense>
      </MapFallback>
    </section>
  );
}

/** Everything can be done without the map, so a map that fails takes nothing else with it. */
class MapFallback extends Component<{ children: ReactNode }, { hasFailed: boolean }> {
  override state = { hasFailed: false };

  static getDerivedStateFromError() {
    return { hasFailed: true };
  }

  override render() {
    if (!this.state.hasFailed) return this.props.children;
    return (
      <p className="map-note" role="status">
        The map cannot be shown: this browser has no WebGL. Everything else works without it.
      </p>
    );
  }
}
