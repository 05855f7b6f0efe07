import { z } from 'zod';
import { defineEvent } from './define-event.ts';
import { Currency, GeoPoint, Role, Timestamp } from './values.ts';

const toDriver = { publishers: ['trip'], consumers: ['driver'], subject: 'tripId' } as const;
const toBoth = { publishers: ['trip'], consumers: ['driver', 'passenger'], subject: 'tripId' } as const;
const underWay = { tripId: z.uuid(), passengerId: z.uuid(), driverId: z.uuid() };

/** A passenger wants a ride. Published once per trip, before any driver knows of it. */
export const TripRequested = defineEvent(
  'trip.requested',
  {
    tripId: z.uuid(),
    passengerId: z.uuid(),
    pickup: GeoPoint.strip(),
    dropoff: GeoPoint.strip(),
    /** Minor units of `currency`. */
    fareMinor: z.int(),
    currency: Currency,
  },
  toBoth,
);
export type TripRequested = z.infer<typeof TripRequested.schema>;

/** The trip is this driver's. Whoever else is reserved for it is free again. */
export const TripAccepted = defineEvent('trip.accepted', underWay, toDriver);
export type TripAccepted = z.infer<typeof TripAccepted.schema>;

/** The driver stands at the pickup. */
export const TripArrived = defineEvent('trip.arrived', underWay, toDriver);
export type TripArrived = z.infer<typeof TripArrived.schema>;

/** The passenger is on board. */
export const TripStarted = defineEvent('trip.started', underWay, toDriver);
export type TripStarted = z.infer<typeof TripStarted.schema>;

export const TripCompleted = defineEvent(
  'trip.completed',
  { ...underWay, fareMinor: z.int(), currency: Currency },
  toBoth,
);
export type TripCompleted = z.infer<typeof TripCompleted.schema>;

/**
 * The trip ended before anybody was on board. `driverId` is the driver to release: the trip's own, or one
 * who was reserved for it too late; null when nobody was.
 */
export const TripCancelled = defineEvent(
  'trip.cancelled',
  {
    tripId: z.uuid(),
    passengerId: z.uuid(),
    driverId: z.uuid().nullable(),
    cancelledBy: z.enum(['passenger', 'driver']),
  },
  toBoth,
);
export type TripCancelled = z.infer<typeof TripCancelled.schema>;

/** No driver took the trip. `driverId` as in `trip.cancelled`: one who accepted too late. */
export const TripUnfulfilled = defineEvent(
  'trip.unfulfilled',
  { tripId: z.uuid(), passengerId: z.uuid(), driverId: z.uuid().nullable() },
  toBoth,
);
export type TripUnfulfilled = z.infer<typeof TripUnfulfilled.schema>;

/** One party rated the other. Each trip is rated at most once by each side. */
export const TripRated = defineEvent(
  'trip.rated',
  {
    tripId: z.uuid(),
    rateeRole: Role,
    rateeId: z.uuid(),
    stars: z.int().min(1).max(5),
  },
  toBoth,
);
export type TripRated = z.infer<typeof TripRated.schema>;

/** Where the ride went, thinned out; published after its end, and not at all when nothing was heard of the driver. */
export const TripPathRecorded = defineEvent(
  'trip.path-recorded',
  {
    tripId: z.uuid(),
    driverId: z.uuid(),
    /** Oldest first. */
    points: z.array(z.object({ ...GeoPoint.shape, at: Timestamp })),
  },
  { publishers: ['trip'], consumers: [], subject: 'tripId' },
);
export type TripPathRecorded = z.infer<typeof TripPathRecorded.schema>;
