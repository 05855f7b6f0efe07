import type { Principal } from '@cabstand/auth';
import type { Role } from '@cabstand/contracts';
import type { Trip } from './trip.entity.ts';
import { tripPolicy, type TripPermission } from './trip.policy.ts';

const ACTIONS: TripPermission[] = ['create', 'read', 'cancel', 'arrive', 'start', 'complete', 'rate'];
const trip = { passengerIssuer: 'p', passengerId: '1', driverIssuer: 'd', driverId: '2' } as Trip;
const waiting = { ...trip, driverIssuer: null, driverId: null } as Trip;

const principal = (role: Role, issuer: string, subject: string): Principal => ({
  issuer,
  subject,
  role,
  sessionId: null,
  clientId: 'test',
  expiresAt: new Date(0),
});
const allowed = (me: Principal, row: Trip) => ACTIONS.filter((action) => tripPolicy.allows(me, action, row));

describe('the policy of trips', () => {
  it.each([
    ['its passenger', principal('passenger', 'p', '1'), ['create', 'read', 'cancel', 'rate']],
    ['its driver', principal('driver', 'd', '2'), ['read', 'cancel', 'arrive', 'start', 'complete', 'rate']],
    ['an operator', principal('operator', 'o', '3'), ['read']],
    ['another passenger', principal('passenger', 'p', '9'), []],
    ['the passenger’s namesake of another issuer', principal('passenger', 'x', '1'), []],
    ['another driver', principal('driver', 'd', '9'), []],
    ['the driver’s namesake of another issuer', principal('driver', 'x', '2'), []],
    ['the passenger with a driver’s role', principal('driver', 'p', '1'), []],
    ['the driver with a passenger’s role', principal('passenger', 'd', '2'), []],
  ])('lets %s do exactly what is theirs', (_, me, expected) => {
    expect(allowed(me, trip)).toEqual(expected);
  });

  it('knows no driver of a trip that has none', () => {
    expect(allowed(principal('driver', 'd', '2'), waiting)).toEqual([]);
    expect(allowed(principal('passenger', 'p', '1'), waiting)).toContain('cancel');
  });

  it('lists by the same conditions', () => {
    expect(tripPolicy.where(principal('passenger', 'p', '1'), 'read')).toEqual([
      { passengerIssuer: 'p', passengerId: '1' },
    ]);
    expect(tripPolicy.where(principal('driver', 'd', '2'), 'read')).toEqual([{ driverIssuer: 'd', driverId: '2' }]);
    expect(tripPolicy.where(principal('operator', 'o', '3'), 'read')).toEqual([{}]);
  });
});
