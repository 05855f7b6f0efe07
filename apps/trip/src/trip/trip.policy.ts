import { definePolicy, type Policy } from '@cabstand/auth';
import type { TripState } from './trip.entity.ts';

export type TripPermission = 'create' | 'read' | 'cancel' | 'arrive' | 'start' | 'complete' | 'rate';

/** Who may do what with which trip. Whether its state allows it is in trip.machine.ts. */
export const tripPolicy: Policy<TripState, TripPermission> = definePolicy<TripState, TripPermission>('Trip', [
  {
    role: 'passenger',
    can: ['create', 'read', 'cancel', 'rate'],
    when: (me) => ({ passengerIssuer: me.issuer, passengerId: me.subject }),
  },
  {
    role: 'driver',
    can: ['read', 'cancel', 'arrive', 'start', 'complete', 'rate'],
    when: (me) => ({ driverIssuer: me.issuer, driverId: me.subject }),
  },
  { role: 'operator', can: ['read'] },
]);
