import type { Trip } from '../api/client.ts';
import type { Member } from '../api/session.ts';
import { distance, minutes, money, timeOfDay } from '../widgets/words.ts';

/** What a completed trip was, and cost. */
export function Receipt({ member, trip }: { member: Member; trip: Trip }) {
  const { fareMinor, currency, distanceM, startedAt, completedAt, driver, passenger } = trip;
  const tookS = startedAt && completedAt ? (Date.parse(completedAt) - Date.parse(startedAt)) / 1_000 : trip.durationS;
  return (
    <div className="card">
      <p className="row">
        <span className="muted">Fare</span>
        <strong className="price numbers">{money(fareMinor, currency)}</strong>
      </p>
      <dl className="facts numbers">
        <dt>Distance</dt>
        <dd>{distance(distanceM)}</dd>
        <dt>Time</dt>
        <dd>{minutes(tookS)}</dd>
        {startedAt && completedAt && (
          <>
            <dt>Ride</dt>
            <dd>
              {timeOfDay(startedAt)} to {timeOfDay(completedAt)}
            </dd>
          </>
        )}
        {member === 'passenger' && driver && (
          <>
            <dt>Driver</dt>
            <dd>
              {driver.firstName}, {driver.vehicle.colour} {driver.vehicle.make} {driver.vehicle.model}
            </dd>
          </>
        )}
        {member === 'driver' && passenger && (
          <>
            <dt>Passenger</dt>
            <dd>{passenger.firstName}</dd>
          </>
        )}
      </dl>
    </div>
  );
}
