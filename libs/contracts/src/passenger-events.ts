import { z } from 'zod';
import { defineEvent } from './define-event.ts';

const toTrip = { publishers: ['passenger'], consumers: ['trip'], subject: 'passengerId' } as const;

/** Somebody opened a passenger account. */
export const PassengerRegistered = defineEvent(
  'passenger.registered',
  { passengerId: z.uuid(), firstName: z.string() },
  toTrip,
);
export type PassengerRegistered = z.infer<typeof PassengerRegistered.schema>;

/** The passenger's public profile changed. Carries the whole of it, so that the newest alone is enough. */
export const PassengerUpdated = defineEvent(
  'passenger.updated',
  { passengerId: z.uuid(), firstName: z.string() },
  toTrip,
);
export type PassengerUpdated = z.infer<typeof PassengerUpdated.schema>;

/** An operator barred the passenger from requesting trips; one under way goes on. */
export const PassengerSuspended = defineEvent('passenger.suspended', { passengerId: z.uuid() }, toTrip);
export type PassengerSuspended = z.infer<typeof PassengerSuspended.schema>;

export const PassengerReinstated = defineEvent('passenger.reinstated', { passengerId: z.uuid() }, toTrip);
export type PassengerReinstated = z.infer<typeof PassengerReinstated.schema>;

/** The account is gone: whoever holds a copy of the person's data erases it. */
export const PassengerErased = defineEvent('passenger.erased', { passengerId: z.uuid() }, toTrip);
export type PassengerErased = z.infer<typeof PassengerErased.schema>;
