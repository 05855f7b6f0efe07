import { PathLayer } from '@deck.gl/layers';
import { useMemo } from 'react';
import type { Point } from '../api/client.ts';
import { useTheme } from '../layout/theme.ts';
import { MapCanvas, type MapCanvasProps } from '../map/map-canvas.tsx';
import { MapMarker } from '../map/map-marker.tsx';

export interface TripMapProps extends Pick<MapCanvasProps, 'onClick' | 'onCentre'> {
  pickup: Point | null;
  dropoff: Point | null;
  cab?: { at: Point; headingDeg?: number | undefined } | null;
  /** Where the cab is going now. */
  cabTarget?: Point | null;
  onMovePickup?: (to: Point) => void;
  onMoveDropoff?: (to: Point) => void;
  hasCross?: boolean;
  centre?: Point;
}

/** One trip: from here to there, and the cab. */
export default function TripMap(props: TripMapProps) {
  const { pickup, dropoff, cab, cabTarget, onMovePickup, onMoveDropoff, hasCross, ...canvas } = props;
  const theme = useTheme();
  const layers = useMemo(() => {
    const path = (id: string, from: Point, to: Point, width: number) =>
      new PathLayer<[Point, Point]>({
        id,
        data: [[from, to]],
        getPath: ([a, b]) => [
          [a.lng, a.lat],
          [b.lng, b.lat],
        ],
        getColor: theme === 'dark' ? [255, 198, 41, 220] : [22, 26, 32, 220],
        getWidth: width,
        widthUnits: 'pixels',
        capRounded: true,
      });
    return [
      ...(pickup && dropoff ? [path('way', pickup, dropoff, 4)] : []),
      ...(cab && cabTarget ? [path('approach', cab.at, cabTarget, 2)] : []),
    ];
  }, [theme, pickup, dropoff, cab, cabTarget]);
  const points = [pickup, dropoff].filter((point) => point !== null);
  // The cab is brought into view when it sets out, and then drives as it likes.
  const approach = cab && cabTarget ? [cab.at] : [];
  const frame = {
    key: JSON.stringify([points, cabTarget, approach.length]),
    points: points.length > 1 ? [...points, ...approach] : [],
  };
  return (
    <>
      <MapCanvas layers={layers} frame={frame} {...canvas}>
        {pickup && (
          <MapMarker at={pickup} label="Pickup" anchor="bottom" onDrop={onMovePickup}>
            <Pin kind="pickup" />
          </MapMarker>
        )}
        {dropoff && (
          <MapMarker at={dropoff} label="Dropoff" anchor="bottom" onDrop={onMoveDropoff}>
            <Pin kind="dropoff" />
          </MapMarker>
        )}
        {cab && (
          <MapMarker at={cab.at} label="Cab" rotation={cab.headingDeg}>
            <Cab />
          </MapMarker>
        )}
      </MapCanvas>
      {hasCross && <div className="map-cross" aria-hidden="true" />}
    </>
  );
}

const Pin = ({ kind }: { kind: 'pickup' | 'dropoff' }) => (
  <svg viewBox="0 0 30 38" className={`pin pin-${kind}`} aria-hidden="true">
    <path
      d="M15 37C9 29.5 2 22.5 2 14.5a13 13 0 0 1 26 0C28 22.5 21 29.5 15 37Z"
      fill="currentColor"
      stroke="#fff"
      strokeWidth="2"
    />
    {kind === 'pickup' ? (
      <circle cx="15" cy="14.5" r="5" fill="#fff" />
    ) : (
      <rect x="10.5" y="10" width="9" height="9" rx="1.5" fill="#fff" />
    )}
  </svg>
);

/** Seen from above, facing north. */
const Cab = () => (
  <svg viewBox="0 0 34 34" className="cab-marker" aria-hidden="true">
    <rect x="9" y="3" width="16" height="28" rx="6" fill="#ffc629" stroke="#161a20" strokeWidth="1.5" />
    <path d="M11.5 12.5c3.5-2 7.5-2 11 0l-1 3.5h-9Z" fill="#161a20" />
    <path d="M12.5 25.5c3 1 6 1 9 0l.8-2.800h-10.600Z" fill="#161a20" />
    <rect x="13" y="17.7" width="8" height="3" rx="1" fill="#161a20" />
  </svg>
);
