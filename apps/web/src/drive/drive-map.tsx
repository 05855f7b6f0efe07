import { MapCanvas } from '../map/map-canvas.tsx';

export default function DriveMap() {
  return <MapCanvas />;
}
