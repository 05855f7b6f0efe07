import { z } from 'zod';
import { defineEvent } from './define-event.ts';
import { GeoPoint, Timestamp, Vehicle } from './values.ts';

const toTrip = { publishers: ['driver'], consumers: ['trip'], subject: 'driverId' } as const;

/** Somebody opened a driver account. */
export const DriverRegistered = defineEvent(
  'driver.registered',
  { driverId: z.uuid(), firstName: z.string(), vehicle: Vehicle.strip() },
  toTrip,
);
export type DriverRegistered = z.infer<typeof DriverRegistered.schema>;

/** The driver's profile, vehicle or availability changed. Carries the whole of it, so that the newest alone is enough. */
export const DriverUpdated = defineEvent(
  'driver.updated',
  { driverId: z.uuid(), firstName: z.string(), vehicle: Vehicle.strip(), status: z.enum(['offline', 'online']) },
  toTrip,
);
export type DriverUpdated = z.infer<typeof DriverUpdated.schema>;

/** An operator barred the driver from being offered trips; one under way goes on. */
export const DriverSuspended = defineEvent('driver.suspended', { driverId: z.uuid() }, toTrip);
export type DriverSuspended = z.infer<typeof DriverSuspended.schema>;

export const DriverReinstated = defineEvent('driver.reinstated', { driverId: z.uuid() }, toTrip);
export type DriverReinstated = z.infer<typeof DriverReinstated.schema>;

/** The account is gone: whoever holds a copy of the person's data erases it. */
export const DriverErased = defineEvent('driver.erased', { driverId: z.uuid() }, toTrip);
export type DriverErased = z.infer<typeof DriverErased.schema>;

/** Where a driver on a trip is now. Only for drivers on a trip; never the only copy. */
export const DriverMoved = defineEvent(
  'driver.moved',
  {
    driverId: z.uuid(),
    tripId: z.uuid(),
    position: GeoPoint.strip(),
    /** Degrees clockwise from true north. */
    headingDeg: z.number().optional(),
    speedMps: z.number().optional(),
    at: Timestamp,
  },
  { publishers: ['driver'], consumers: ['trip'], subject: 'driverId', delivery: 'live' },
);
export type DriverMoved = z.infer<typeof DriverMoved.schema>;

/** How many drivers are free in a cell; said again when that is no longer true, and now and then. */
export const DriverSupplyChanged = defineEvent(
  'driver.supply-changed',
  {
    /** Of the cell's count: the same one for the same cell. */
    supplyId: z.uuid(),
    /** H3 index, of resolution `SUPPLY_RESOLUTION`. */
    cell: z.string(),
    freeDrivers: z.int().min(0),
  },
  { publishers: ['driver'], consumers: ['trip'], subject: 'supplyId' },
);
export type DriverSupplyChanged = z.infer<typeof DriverSupplyChanged.schema>;
