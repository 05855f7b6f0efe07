import { lazy, useCallback, useRef } from 'react';
import { Route, Switch } from 'wouter';
import { MemberGate } from '../account/member-gate.tsx';
import { ProfilePanel } from '../account/profile-panel.tsx';
import { useSession } from '../account/use-session.ts';
import type { Point, Trip } from '../api/client.ts';
import { serverNowMs } from '../api/server-clock.ts';
import { MemberNav } from '../layout/member-nav.tsx';
import { Stage } from '../layout/stage.tsx';
import { CITY_CENTRE } from '../map/geometry.ts';
import { MapFrame } from '../map/map-frame.tsx';
import { HistoryPanel } from '../trip/history-panel.tsx';
import { isOver } from '../trip/current-trip.ts';
import { useCurrentTrip } from '../trip/trips.ts';
import { useLiveTrip, type LiveTrip } from '../trip/use-live-trip.ts';
import { ErrorNotice } from '../widgets/notice.tsx';
import { useDraft } from '../widgets/use-draft.ts';
import { BookPanel } from './book-panel.tsx';
import { EndedPanel } from './ended-panel.tsx';
import { pointPlace } from './places.ts';
import { RideDraftContext, useRideDraft, useRideDraftState } from './ride-draft.ts';
import { targetOf, TripPanel } from './trip-panel.tsx';

const TripMap = lazy(() => import('../trip/trip-map.tsx'));

const PARTS = [
  { path: '/', name: 'Ride' },
  { path: '/trips', name: 'Trips' },
  { path: '/profile', name: 'Profile' },
];
/** What ended longer ago is history. */
const RECENT_MS = 15 * 60_000;

/** What passengers see. */
export default function RidePage() {
  const draft = useRideDraftState();
  const { state, person } = useSession('passenger');
  return (
    <RideDraftContext value={draft}>
      {state === 'signed-in' ? <Passenger key={person} /> : <Visitor />}
    </RideDraftContext>
  );
}

function Visitor() {
  return (
    <Stage
      map={
        <MapFrame label="Map of the city">
          <TripMap pickup={null} dropoff={null} />
        </MapFrame>
      }
    >
      <h1>Take a ride</h1>
      <MemberGate member="passenger">{null}</MemberGate>
    </Stage>
  );
}

function Passenger() {
  const draft = useRideDraft();
  const current = useCurrentTrip('passenger');
  const trip = current.data ?? null;
  const active = trip && !isOver(trip) ? trip : null;
  const live = useLiveTrip('passenger', active?.id ?? null);
  const centre = useRef<Point>(CITY_CENTRE);
  const mapCentre = useCallback(() => centre.current, []);
  const map = active ? (
    <TripMap
      pickup={active.pickup}
      dropoff={active.dropoff}
      cab={live.driver && { at: live.driver.position, headingDeg: live.driver.headingDeg }}
      cabTarget={targetOf(active)}
    />
  ) : (
    <TripMap
      pickup={draft.pickup?.point ?? null}
      dropoff={draft.dropoff?.point ?? null}
      onClick={(point) => draft.setPoint(draft.next, point)}
      onMovePickup={(point) => draft.setPoint('pickup', point)}
      onMoveDropoff={(point) => draft.setPoint('dropoff', point)}
      onCentre={(point) => (centre.current = point)}
      hasCross
    />
  );
  return (
    <Stage map={<MapFrame label="Map of your ride">{map}</MapFrame>}>
      <MemberNav label="Passenger" parts={PARTS} />
      <Switch>
        <Route path="/trips">
          <HistoryPanel member="passenger" hint="No trips yet. Your first one starts under “Ride”." />
        </Route>
        <Route path="/profile">
          <ProfilePanel member="passenger" />
        </Route>
        <Route>
          <ErrorNotice error={current.error} />
          {current.isPending ? (
            <div className="progress" role="status" aria-label="Looking for your ride" />
          ) : (
            <RidePanel trip={trip} live={live} mapCentre={mapCentre} />
          )}
        </Route>
      </Switch>
    </Stage>
  );
}

interface RidePanelProps {
  trip: Trip | null;
  live: LiveTrip;
  mapCentre: () => Point;
}

function RidePanel({ trip, live, mapCentre }: RidePanelProps) {
  const draft = useRideDraft();
  const [doneTripId, setDoneTripId] = useDraft<string | null>('passenger.done', null);
  if (trip && !isOver(trip)) return <TripPanel trip={trip} live={live} />;
  if (!trip || trip.id === doneTripId || endedLongAgo(trip)) return <BookPanel mapCentre={mapCentre} />;
  const again = () => {
    draft.set('pickup', pointPlace(trip.pickup));
    draft.set('dropoff', pointPlace(trip.dropoff));
    setDoneTripId(trip.id);
  };
  return <EndedPanel trip={trip} onDone={() => setDoneTripId(trip.id)} onAgain={again} />;
}

const endedLongAgo = ({ completedAt, cancelledAt, requestedAt }: Trip): boolean =>
  Date.parse(completedAt ?? cancelledAt ?? requestedAt) < serverNowMs() - RECENT_MS;
