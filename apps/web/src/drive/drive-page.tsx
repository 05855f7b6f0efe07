import { lazy } from 'react';
import { Route, Switch } from 'wouter';
import { MemberGate } from '../account/member-gate.tsx';
import { ProfilePanel } from '../account/profile-panel.tsx';
import { useSession } from '../account/use-session.ts';
import { MemberNav } from '../layout/member-nav.tsx';
import { Stage } from '../layout/stage.tsx';
import { MapFrame } from '../map/map-frame.tsx';
import { HistoryPanel } from '../trip/history-panel.tsx';
import { isOver } from '../trip/current-trip.ts';
import { ShiftPanel } from './shift-panel.tsx';
import { useShift } from './use-shift.ts';

const TripMap = lazy(() => import('../trip/trip-map.tsx'));

const PARTS = [
  { path: '/', name: 'Shift' },
  { path: '/trips', name: 'Trips' },
  { path: '/profile', name: 'Profile' },
];

/** What drivers see. */
export default function DrivePage() {
  const { state, person } = useSession('driver');
  return state === 'signed-in' ? <OnShift key={person} /> : <Visitor />;
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
      <h1>Drive</h1>
      <MemberGate member="driver">{null}</MemberGate>
    </Stage>
  );
}

/** The shift goes on while the driver looks at other parts of the page. */
function OnShift() {
  const shift = useShift();
  const way = shift.trip && !isOver(shift.trip) ? shift.trip : shift.offer;
  return (
    <Stage
      map={
        <MapFrame label="Map of your shift">
          <TripMap
            pickup={way?.pickup ?? null}
            dropoff={way?.dropoff ?? null}
            cab={{ at: shift.at, headingDeg: shift.headingDeg }}
            cabTarget={shift.target}
          />
        </MapFrame>
      }
    >
      <MemberNav label="Driver" parts={PARTS} />
      <Switch>
        <Route path="/trips">
          <HistoryPanel member="driver" hint="No trips yet. Go online under “Shift”, and they come to you." />
        </Route>
        <Route path="/profile">
          <ProfilePanel member="driver" />
        </Route>
        <Route>
          <ShiftPanel shift={shift} />
        </Route>
      </Switch>
    </Stage>
  );
}
