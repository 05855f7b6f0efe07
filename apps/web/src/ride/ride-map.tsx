import { MapCanvas } from '../map/map-canvas.tsx';

export default function RideMap() {
  return <MapCanvas />;
}
