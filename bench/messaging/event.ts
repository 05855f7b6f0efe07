import { randomUUIDv7 } from 'node:crypto';
import { Currency, defineEvent, GeoPoint, type EventDefinition, type PayloadOf } from '@cabstand/contracts';
import { z } from 'zod';

/** Shaped like `trip.requested`, with a note that makes it as long as a run wants it. */
const SHAPE = {
  rideId: z.uuid(),
  passengerId: z.uuid(),
  pickup: GeoPoint,
  dropoff: GeoPoint,
  fareMinor: z.int(),
  currency: Currency,
  note: z.string(),
};
const WAY = { publishers: ['trip'], consumers: ['passenger'], subject: 'rideId' } as const;
/** Brought to a set-based handler. */
export const RideNoted = defineEvent('ride.noted', SHAPE, WAY);
/** The same, brought to an ordinary handler. */
export const RideMarked = defineEvent('ride.marked', SHAPE, WAY);
export type RideNoted = PayloadOf<typeof RideNoted>;
export const EVENTS: readonly EventDefinition[] = [RideNoted, RideMarked];

/** What an ordinary event of the platform has. */
export const BODY_BYTES = 300;
const PASSENGER = randomUUIDv7();

export function rideNoted(rideId: string, bodyBytes = BODY_BYTES): RideNoted {
  const bare = {
    rideId,
    passengerId: PASSENGER,
    pickup: { lat: 52.5201, lng: 13.4049 },
    dropoff: { lat: 52.5005, lng: 13.3003 },
    fareMinor: 1_250,
    currency: 'EUR' as const,
    note: '',
  };
  return { ...bare, note: 'n'.repeat(Math.max(0, bodyBytes - JSON.stringify(bare).length)) };
}
