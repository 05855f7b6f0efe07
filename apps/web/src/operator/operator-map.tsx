import { MapCanvas } from '../map/map-canvas.tsx';

export default function OperatorMap() {
  return <MapCanvas />;
}
