import './operator.css';
import { lazy, useCallback, useEffect, useState, useSyncExternalStore } from 'react';
import type { Trip } from '../api/client.ts';
import { Stage } from '../layout/stage.tsx';
import { MapFrame } from '../map/map-frame.tsx';
import { ConnectionNotice, ErrorNotice } from '../widgets/notice.tsx';
import { Fleet } from './fleet.ts';
import { OperatorGate } from './operator-gate.tsx';
import { useOperatorApi } from './operator-api.ts';
import { OperatorPanel } from './operator-panel.tsx';
import { useTrips } from './watch.ts';

const OperatorMap = lazy(() => import('./operator-map.tsx'));
const NO_TRIPS: Trip[] = [];

/** The city as those see it who run it. */
export default function OperatorPage() {
  const [fleet] = useState(() => new Fleet());
  const [hasHexagons, setHasHexagons] = useState(true);
  const [chosen, setChosen] = useState<string | null>(null);
  const [trips, setTrips] = useState(NO_TRIPS);
  const [isMapDue, setIsMapDue] = useState(false);
  const showMap = useCallback(() => setIsMapDue(true), []);
  return (
    <Stage
      map={
        <MapFrame label="Map of the city">
          {isMapDue && <OperatorMap fleet={fleet} trips={trips} hasHexagons={hasHexagons} chosen={chosen} />}
        </MapFrame>
      }
    >
      <OperatorGate onDecided={showMap}>
        <Follow fleet={fleet} onTrips={setTrips} />
        <OperatorPanel {...{ fleet, hasHexagons, setHasHexagons, chosen, setChosen }} />
      </OperatorGate>
    </Stage>
  );
}

/** Feeds the map, which is there before anybody has signed in; says so when it can't. */
function Follow({ fleet, onTrips }: { fleet: Fleet; onTrips: (trips: Trip[]) => void }) {
  const { session } = useOperatorApi();
  const { data } = useTrips();
  const isConnected = useSyncExternalStore(fleet.subscribe, fleet.getIsConnected);
  const [refusal, setRefusal] = useState<unknown>(null);
  useEffect(() => {
    const leaving = new AbortController();
    fleet.follow(session, leaving.signal).catch((error: unknown) => {
      if (!leaving.signal.aborted) setRefusal(error);
    });
    return () => leaving.abort();
  }, [fleet, session]);
  useEffect(() => {
    if (data) onTrips(data);
  }, [data, onTrips]);
  useEffect(() => () => onTrips(NO_TRIPS), [onTrips]);
  if (refusal !== null) return <ErrorNotice error={refusal} />;
  return <ConnectionNotice isConnected={isConnected} />;
}
