import { lazy } from 'react';
import { Link } from 'wouter';
import { Stage } from '../layout/stage.tsx';
import { MapFrame } from '../map/map-frame.tsx';

const OperatorMap = lazy(() => import('./operator-map.tsx'));

/** The city as those see it who run it. */
export default function OperatorPage() {
  return (
    <Stage
      map={
        <MapFrame label="Map of the city">
          <OperatorMap />
        </MapFrame>
      }
    >
      <h1>The city</h1>
      <p>
        <Link href="/ride">Take a ride</Link> or <Link href="/drive">drive</Link>.
      </p>
    </Stage>
  );
}
