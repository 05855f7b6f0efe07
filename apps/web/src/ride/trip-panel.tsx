import { useMutation, useQueryClient } from '@tanstack/react-query';
import { answerOf, asPassenger, type Point, type Trip } from '../api/client.ts';
import { distanceM } from '../map/geometry.ts';
import { askForCurrentTrip, learnOfTrip } from '../trip/trips.ts';
import type { LiveTrip } from '../trip/use-live-trip.ts';
import { ConfirmButton } from '../widgets/confirm-button.tsx';
import { ConnectionNotice, ErrorNotice } from '../widgets/notice.tsx';
import { PanelHeading } from '../widgets/panel-heading.tsx';
import { distance, minutes, money } from '../widgets/words.ts';

/** What cabs make of streets on average, and so how long the rest of a way takes. */
const CITY_SPEED_MPS = 30 / 3.6;
const DETOUR = 1.3;

const STEPS = ['Requested', 'Driver coming', 'Riding', 'There'];
const STEP_OF: Partial<Record<Trip['status'], number>> = { requested: 0, accepted: 1, arrived: 1, in_progress: 2 };

function headline(trip: Trip): string {
  const driver = trip.driver?.firstName ?? 'Your driver';
  if (trip.status === 'requested') return 'Looking for a driver';
  if (trip.status === 'accepted') return `${driver} is on the way to you`;
  if (trip.status === 'arrived') return `${driver} is waiting at the pickup`;
  return 'You are on your way';
}

/** Where the cab is headed at this point of the trip. */
export const targetOf = (trip: Trip): Point => (trip.status === 'in_progress' ? trip.dropoff : trip.pickup);

/** A trip under way. */
export function TripPanel({ trip, live }: { trip: Trip; live: LiveTrip }) {
  const step = STEP_OF[trip.status] ?? 0;
  return (
    <>
      <PanelHeading isHidden>Your ride</PanelHeading>
      <div className="stack">
        <p className="status-line" role="status">
          {headline(trip)}
        </p>
        {trip.status === 'requested' && (
          <>
            <div className="progress" />
            <p className="muted">Drivers nearby are asked one after another. This takes up to two minutes.</p>
          </>
        )}
        <Eta trip={trip} live={live} />
        <ConnectionNotice isConnected={live.isConnected} />
        <ol className="steps" aria-label="How far the ride is">
          {STEPS.map((name, index) => (
            <li key={name} data-done={index <= step || undefined} aria-current={index === step ? 'step' : undefined}>
              {name}
            </li>
          ))}
        </ol>
      </div>
      {trip.driver && <DriverCard driver={trip.driver} />}
      <dl className="facts">
        <dt>Fare</dt>
        <dd className="numbers">{money(trip.fareMinor, trip.currency)}</dd>
        <dt>Distance</dt>
        <dd className="numbers">{distance(trip.distanceM)}</dd>
      </dl>
      {trip.status !== 'in_progress' && <Cancel trip={trip} />}
    </>
  );
}

function Eta({ trip, live }: { trip: Trip; live: LiveTrip }) {
  if (!live.driver || (trip.status !== 'accepted' && trip.status !== 'in_progress')) return null;
  const leftM = distanceM(live.driver.position, targetOf(trip)) * DETOUR;
  const where = trip.status === 'accepted' ? 'away' : 'to go';
  return (
    <p className="muted numbers">
      {distance(leftM)} {where}, {minutes(leftM / CITY_SPEED_MPS)}
    </p>
  );
}

function DriverCard({ driver }: { driver: NonNullable<Trip['driver']> }) {
  const { firstName, vehicle, rating } = driver;
  return (
    <div className="card">
      <div className="row">
        <div>
          <strong>{firstName}</strong>
          <p className="muted">
            {vehicle.colour} {vehicle.make} {vehicle.model}
          </p>
        </div>
        <div className="plate">{vehicle.plate}</div>
      </div>
      <p className="muted">{rating === null ? 'New driver' : `★ ${rating}`}</p>
    </div>
  );
}

function Cancel({ trip }: { trip: Trip }) {
  const queries = useQueryClient();
  const cancelling = useMutation({
    mutationFn: () =>
      answerOf(asPassenger.trips.POST('/v1/trips/{id}/cancel', { params: { path: { id: trip.id } }, body: {} })),
    onSuccess: (cancelled) => learnOfTrip(queries, 'passenger', cancelled),
    onError: () => void askForCurrentTrip(queries, 'passenger'),
  });
  return (
    <>
      <ErrorNotice error={cancelling.error} />
      <ConfirmButton
        label="Cancel the ride"
        question="Cancel this ride? It costs nothing."
        yes="Yes, cancel"
        no="Keep it"
        isPending={cancelling.isPending}
        onConfirm={() => cancelling.mutate()}
      />
    </>
  );
}
