import { z } from 'zod';
import { defineEvent } from './define-event.ts';
import { Timestamp } from './values.ts';

const told = { publishers: ['driver'], consumers: [], subject: 'tripId' } as const;
const toTrip = { publishers: ['driver'], consumers: ['trip'], subject: 'tripId' } as const;
const offer = { tripId: z.uuid(), offerId: z.uuid(), driverId: z.uuid() };

/** A driver holds an offer for the trip until `expiresAt`. */
export const DispatchOffered = defineEvent('dispatch.offered', { ...offer, expiresAt: Timestamp }, told);
export type DispatchOffered = z.infer<typeof DispatchOffered.schema>;

/** A driver took the offer and is reserved for the trip, until the trip service says otherwise. */
export const DispatchAccepted = defineEvent(
  'dispatch.accepted',
  {
    ...offer,
    /** `iss` of the driver's tokens: ownership compares issuer and subject. */
    driverIssuer: z.string(),
  },
  toTrip,
);
export type DispatchAccepted = z.infer<typeof DispatchAccepted.schema>;

export const DispatchDeclined = defineEvent('dispatch.declined', offer, told);
export type DispatchDeclined = z.infer<typeof DispatchDeclined.schema>;

export const DispatchExpired = defineEvent('dispatch.expired', offer, told);
export type DispatchExpired = z.infer<typeof DispatchExpired.schema>;

/** The offer was taken back: the trip was cancelled, or the driver may not work any more. */
export const DispatchWithdrawn = defineEvent('dispatch.withdrawn', offer, told);
export type DispatchWithdrawn = z.infer<typeof DispatchWithdrawn.schema>;

/** Nobody took the trip: too many refusals, or the deadline passed. */
export const DispatchExhausted = defineEvent(
  'dispatch.exhausted',
  { tripId: z.uuid(), reason: z.enum(['refusals', 'deadline']) },
  toTrip,
);
export type DispatchExhausted = z.infer<typeof DispatchExhausted.schema>;
