import { DomainError, type TripStatus } from '@cabstand/contracts';

export type TripAction = 'accept' | 'arrive' | 'start' | 'complete' | 'cancel' | 'giveUp';

const NEXT: Record<TripStatus, Partial<Record<TripAction, TripStatus>>> = {
  requested: { accept: 'accepted', cancel: 'cancelled', giveUp: 'unfulfilled' },
  accepted: { arrive: 'arrived', cancel: 'cancelled' },
  arrived: { start: 'in_progress', cancel: 'cancelled' },
  in_progress: { complete: 'completed' },
  completed: {},
  cancelled: {},
  unfulfilled: {},
};

/** @throws DomainError TRIP_TRANSITION_INVALID (conflict) */
export function transition(from: TripStatus, action: TripAction): TripStatus {
  const to = NEXT[from][action];
  if (!to) throw new DomainError('TRIP_TRANSITION_INVALID', `cannot ${action} a trip that is ${from}`);
  return to;
}

/** A driver is on the way to the passenger, or drives with them. */
export const UNDER_WAY: readonly TripStatus[] = ['accepted', 'arrived', 'in_progress'];

/** The passenger is not on board yet: the trip may still be cancelled. */
export const BEFORE_THE_RIDE: readonly TripStatus[] = ['requested', 'accepted', 'arrived'];

/** Which of a trip's times an action sets. */
export const STAMP = {
  accept: 'acceptedAt',
  arrive: 'arrivedAt',
  start: 'startedAt',
  complete: 'completedAt',
  cancel: 'cancelledAt',
  giveUp: null,
} as const satisfies Record<TripAction, string | null>;
