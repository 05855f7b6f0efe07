import { lazy } from 'react';
import { Stage } from '../layout/stage.tsx';
import { MapFrame } from '../map/map-frame.tsx';

const RideMap = lazy(() => import('./ride-map.tsx'));

export default function RidePage() {
  return (
    <Stage
      map={
        <MapFrame label="Map of the city">
          <RideMap />
        </MapFrame>
      }
    >
      <h1>Take a ride</h1>
    </Stage>
  );
}
