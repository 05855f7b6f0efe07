import { definePolicy, type Policy, type Principal } from '@cabstand/auth';
import type { TripState } from './trip.entity.ts';
import { UNDER_WAY } from './trip.machine.ts';

export type TripPermission = 'create' | 'read' | 'cancel' | 'arrive' | 'start' | 'complete' | 'rate';
/** What of a trip not everybody may see who may read it. The rest (status, fare, times) is no secret among them. */
export type TripField =
  | 'pickup'
  | 'dropoff'
  | 'driverPosition'
  | 'passenger.firstName'
  | 'driver.firstName'
  | 'driver.vehicle'
  | 'driver.vehicle.plate';

/** How long a passenger can still see who drove: long enough to ask for what was left in the car. */
const DRIVER_SHOWN_MS = 60 * 60_000;

const WAY = ['pickup', 'dropoff'] as const;
const DRIVER = ['driver.firstName', 'driver.vehicle', 'driver.vehicle.plate'] as const;

const asPassenger = (me: Principal) => ({ passengerIssuer: me.issuer, passengerId: me.subject });
const asDriver = (me: Principal) => ({ driverIssuer: me.issuer, driverId: me.subject });
const justNow = (now: Date) => ({ gte: new Date(now.getTime() - DRIVER_SHOWN_MS) });

/**
 * Who may do what with which trip, and sees what of it. Whether its state allows an action is in trip.machine.ts;
 * docs/entitlement.md is this as a table, and held to it.
 */
export const tripPolicy: Policy<TripState, TripPermission, TripField> = definePolicy<
  TripState,
  TripPermission,
  TripField
>(
  'Trip',
  [
    { role: 'passenger', can: ['create', 'read', 'cancel', 'rate'], when: asPassenger },
    { role: 'driver', can: ['read', 'cancel', 'arrive', 'start', 'complete', 'rate'], when: asDriver },
    { role: 'operator', can: ['read'] },
  ],
  [
    { role: 'passenger', sees: [...WAY, 'passenger.firstName'], when: asPassenger },
    {
      role: 'passenger',
      sees: [...DRIVER, 'driverPosition'],
      when: (me) => ({ ...asPassenger(me), status: UNDER_WAY }),
    },
    {
      role: 'passenger',
      sees: DRIVER,
      when: (me, now) => ({ ...asPassenger(me), status: 'completed', completedAt: justNow(now) }),
    },
    {
      role: 'passenger',
      sees: DRIVER,
      when: (me, now) => ({ ...asPassenger(me), status: 'cancelled', cancelledAt: justNow(now) }),
    },

    { role: 'driver', sees: DRIVER, when: asDriver },
    {
      role: 'driver',
      sees: [...WAY, 'driverPosition', 'passenger.firstName'],
      when: (me) => ({ ...asDriver(me), status: UNDER_WAY }),
    },
    { role: 'driver', sees: WAY, as: 'coarse', when: asDriver },

    { role: 'operator', sees: ['driver.vehicle'] },
    { role: 'operator', sees: WAY, as: 'coarse' },
    { role: 'operator', sees: ['driverPosition'], as: 'coarse', when: () => ({ status: UNDER_WAY }) },
    { role: 'operator', sees: ['passenger.firstName', 'driver.firstName', 'driver.vehicle.plate'], as: 'masked' },
    { role: 'operator', sees: [...WAY, ...DRIVER, 'passenger.firstName'], withReason: true },
    { role: 'operator', sees: ['driverPosition'], withReason: true, when: () => ({ status: UNDER_WAY }) },
  ],
);
