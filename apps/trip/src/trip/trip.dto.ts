import type { Principal } from '@cabstand/auth';
import { Currency, DomainError, GeoPoint, Role, Timestamp, TripStatus, Vehicle } from '@cabstand/contracts';
import { z } from 'zod';
import type { Driver } from '../people/driver.entity.ts';
import type { Rating } from './rating.entity.ts';
import type { TripState } from './trip.entity.ts';
import { tripPolicy, type TripField } from './trip.policy.ts';

const words = (maxLength: number) => z.string().trim().min(1).max(maxLength);

export const TripId = z.uuid();
export const TripRequest = z.strictObject({ quoteId: z.uuid() });
export type TripRequest = z.infer<typeof TripRequest>;
/** The whole body is optional. */
export const Cancellation = z.strictObject({ reason: words(200).optional() }).nullish();
export type Cancellation = z.infer<typeof Cancellation>;
export const RatingRequest = z.strictObject({ stars: z.int().min(1).max(5), comment: words(500).optional() });
export type RatingRequest = z.infer<typeof RatingRequest>;

export const RatingView = z
  .strictObject({
    tripId: z.uuid(),
    rateeRole: Role,
    stars: z.int(),
    comment: z.string().nullable(),
    ratedAt: Timestamp,
  })
  .meta({ id: 'Rating' });
export type RatingView = z.infer<typeof RatingView>;

export const TripView = z
  .strictObject({
    id: z.uuid(),
    status: TripStatus,
    passengerId: z.uuid(),
    passenger: z.strictObject({ firstName: z.string() }).optional(),
    driverId: z.uuid().nullable(),
    driver: z
      .strictObject({
        firstName: z.string(),
        vehicle: Vehicle,
        /** Average stars given by passengers, to two decimals; null before the first. */
        rating: z.number().nullable(),
      })
      .optional(),
    pickup: GeoPoint,
    dropoff: GeoPoint,
    fareMinor: z.int(),
    currency: Currency,
    distanceM: z.int(),
    durationS: z.int(),
    requestedAt: Timestamp,
    acceptedAt: Timestamp.nullable(),
    arrivedAt: Timestamp.nullable(),
    startedAt: Timestamp.nullable(),
    completedAt: Timestamp.nullable(),
    cancelledAt: Timestamp.nullable(),
    cancelledBy: z.enum(['passenger', 'driver']).nullable(),
  })
  .meta({ id: 'Trip' });
export type TripView = z.infer<typeof TripView>;

/** Shows a field of a trip as this principal may see it, which depends on what the trip is `now`. */
export type Show = <Value>(field: TripField, value: Value) => Value | undefined;
export const shownTo = (me: Principal, now: TripState): Show => tripPolicy.view(me, now);

/**
 * The only place that decides what of a trip is shown, for single trips, lists and streams alike. Wants the
 * trip loaded with its people; whom no event has told of yet, or who was erased, is left out. `show` is told what
 * the trip is now where `trip` is what it was: who has driven somebody once doesn't learn their name from the past.
 */
export function toView(trip: TripState, show: Show): TripView {
  const firstName = show('passenger.firstName', trip.passenger?.firstName);
  const driver = driverOf(trip, show);
  return {
    id: trip.id,
    status: trip.status,
    passengerId: trip.passengerId,
    ...(firstName ? { passenger: { firstName } } : {}),
    driverId: trip.driverId,
    ...(driver ? { driver } : {}),
    pickup: seen(show('pickup', trip.pickup)),
    dropoff: seen(show('dropoff', trip.dropoff)),
    fareMinor: trip.fareMinor,
    currency: trip.currency,
    distanceM: trip.distanceM,
    durationS: trip.durationS,
    requestedAt: trip.requestedAt.toISOString(),
    acceptedAt: toTimestamp(trip.acceptedAt),
    arrivedAt: toTimestamp(trip.arrivedAt),
    startedAt: toTimestamp(trip.startedAt),
    completedAt: toTimestamp(trip.completedAt),
    cancelledAt: toTimestamp(trip.cancelledAt),
    cancelledBy: trip.cancelledBy,
  };
}

function driverOf({ driver }: TripState, show: Show): TripView['driver'] {
  const firstName = show('driver.firstName', driver?.firstName);
  const vehicle = show('driver.vehicle', driver?.vehicle);
  const plate = show('driver.vehicle.plate', vehicle?.plate);
  if (!driver || !firstName || !vehicle || !plate) return undefined;
  return { firstName, vehicle: { ...vehicle, plate }, rating: averageStars(driver) };
}

/** Where a trip goes belongs to every view of it: who may not even see that sees no trip. */
function seen(point: GeoPoint | undefined): GeoPoint {
  if (!point) throw new DomainError('NOT_FOUND');
  return point;
}

export function toRatingView(rating: Rating): RatingView {
  const { tripId, rateeRole, stars, comment, ratedAt } = rating;
  return { tripId, rateeRole, stars, comment, ratedAt: ratedAt.toISOString() };
}

function averageStars({ starsTotal, ratingsCount }: Driver): number | null {
  return ratingsCount === 0 ? null : Math.round((100 * starsTotal) / ratingsCount) / 100;
}

const toTimestamp = (at: Date | null): string | null => at?.toISOString() ?? null;
