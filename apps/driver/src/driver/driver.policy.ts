import { definePolicy, type Policy } from '@cabstand/auth';
import type { Availability } from '../dispatch/availability.entity.ts';
import type { Driver } from './driver.entity.ts';

/** Who may do what with which account. */
export const driverPolicy: Policy<Driver, 'read' | 'change' | 'erase' | 'suspend'> = definePolicy('Driver', [
  { role: 'driver', can: ['read', 'change', 'erase'], when: (me) => ({ issuer: me.issuer, id: me.subject }) },
  { role: 'operator', can: ['suspend'] },
]);

/** A driver's work: going on- and offline, saying where, hearing of offers and trips. */
export const workPolicy: Policy<Pick<Availability, 'driverIssuer' | 'driverId'>, 'work'> = definePolicy('Work', [
  { role: 'driver', can: ['work'], when: (me) => ({ driverIssuer: me.issuer, driverId: me.subject }) },
]);
