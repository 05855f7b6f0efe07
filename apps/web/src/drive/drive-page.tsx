import { lazy } from 'react';
import { Stage } from '../layout/stage.tsx';
import { MapFrame } from '../map/map-frame.tsx';

const DriveMap = lazy(() => import('./drive-map.tsx'));

export default function DrivePage() {
  return (
    <Stage
      map={
        <MapFrame label="Map of the city">
          <DriveMap />
        </MapFrame>
      }
    >
      <h1>Drive</h1>
    </Stage>
  );
}
