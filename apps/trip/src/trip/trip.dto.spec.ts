import type { Principal } from '@cabstand/auth';
import type { Role, TripStatus } from '@cabstand/contracts';
import { toView } from './trip.dto.ts';
import type { TripState } from './trip.entity.ts';
import { tripPolicy } from './trip.policy.ts';

const NOW = new Date('2026-03-01T12:00:00Z');
const minutesAgo = (minutes: number) => new Date(NOW.getTime() - minutes * 60_000);
const WHOLE = { lat: 52.52437, lng: 13.41053 };
const COARSE = { lat: 52.52, lng: 13.41 };

const principal = (role: Role, subject: string, accessReason?: string): Principal => ({
  issuer: role,
  subject,
  role,
  sessionId: null,
  clientId: 'test',
  expiresAt: NOW,
  ...(accessReason ? { accessReason } : {}),
});
const VIEWERS = {
  passenger: principal('passenger', '1'),
  driver: principal('driver', '2'),
  operator: principal('operator', '3'),
  'operator with reason': principal('operator', '3', 'a complaint of the passenger'),
};

const tripThatIs = (status: TripStatus, minutesSinceEnd: number, hasDriver: boolean): TripState =>
  ({
    ...{ id: 't', status, passengerIssuer: 'passenger', passengerId: '1' },
    ...{ driverIssuer: hasDriver ? 'driver' : null, driverId: hasDriver ? '2' : null },
    ...{ pickup: WHOLE, dropoff: WHOLE, requestedAt: minutesAgo(100), acceptedAt: hasDriver ? minutesAgo(90) : null },
    completedAt: status === 'completed' ? minutesAgo(minutesSinceEnd) : null,
    cancelledAt: status === 'cancelled' ? minutesAgo(minutesSinceEnd) : null,
    passenger: { firstName: 'Ada' },
    driver: hasDriver
      ? {
          firstName: 'Grace',
          vehicle: { make: 'Cab', model: 'One', colour: 'cream', plate: 'B TX 204' },
          ratingsCount: 0,
        }
      : null,
  }) as TripState;

/** One letter each for the way, passenger, driver and plate: Whole, Coarse, Masked, - for nothing. */
function seenBy(viewer: Principal, trip: TripState): string {
  const { pickup, dropoff, passenger, driver } = toView(trip, tripPolicy.view(viewer, trip, NOW));
  expect(dropoff).toEqual(pickup);
  const letterOf = (text: string | undefined, whole: string) =>
    text === whole ? 'W' : text === '***' ? 'M' : (text ?? '-');
  return [
    pickup.lat === WHOLE.lat && pickup.lng === WHOLE.lng
      ? 'W'
      : pickup.lat === COARSE.lat && pickup.lng === COARSE.lng
        ? 'C'
        : '?',
    letterOf(passenger?.firstName, 'Ada'),
    letterOf(driver?.firstName, 'Grace'),
    letterOf(driver?.vehicle.plate, 'B TX 204'),
  ].join('');
}

describe('a view of a trip', () => {
  it.each<[TripStatus, boolean, number, string, string | null, string, string]>([
    // status, driver?, minutes since the end; passenger, driver, operator, operator with reason
    ['requested', false, 0, 'WW--', null, 'CM--', 'WW--'],
    ['accepted', true, 0, 'WWWW', 'WWWW', 'CMMM', 'WWWW'],
    ['arrived', true, 0, 'WWWW', 'WWWW', 'CMMM', 'WWWW'],
    ['in_progress', true, 0, 'WWWW', 'WWWW', 'CMMM', 'WWWW'],
    ['completed', true, 0, 'WWWW', 'C-WW', 'CMMM', 'WWWW'],
    ['completed', true, 60, 'WWWW', 'C-WW', 'CMMM', 'WWWW'],
    ['completed', true, 60.001, 'WW--', 'C-WW', 'CMMM', 'WWWW'],
    ['cancelled', true, 60, 'WWWW', 'C-WW', 'CMMM', 'WWWW'],
    ['cancelled', true, 61, 'WW--', 'C-WW', 'CMMM', 'WWWW'],
    ['cancelled', false, 0, 'WW--', null, 'CM--', 'WW--'],
    ['unfulfilled', false, 0, 'WW--', null, 'CM--', 'WW--'],
  ])('that is %s (driver: %s, %d min ago) shows each side its own', (status, hasDriver, ago, ...expected) => {
    const trip = tripThatIs(status, ago, hasDriver);
    const viewers = Object.values(VIEWERS);
    viewers.forEach((viewer, i) => {
      const isConcerned = tripPolicy.allows(viewer, 'read', trip);
      expect([viewer.role, isConcerned ? seenBy(viewer, trip) : null]).toEqual([viewer.role, expected[i]]);
    });
  });

  it('is none for somebody whom no rule shows where it goes', () => {
    const trip = tripThatIs('accepted', 0, true);
    const stranger = principal('passenger', '9', 'curiosity is no reason');
    expect(() => toView(trip, tripPolicy.view(stranger, trip, NOW))).toThrow(
      expect.objectContaining({ code: 'NOT_FOUND' }),
    );
  });
});
