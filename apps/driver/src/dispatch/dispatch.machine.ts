import type { TripStatus } from '@cabstand/contracts';

/**
 * `searching ⇄ offered → accepted`; `exhausted` when nobody took the trip; `closed` when the trip is over,
 * whatever was going on, and for good.
 */
export type DispatchStatus = 'searching' | 'offered' | 'accepted' | 'exhausted' | 'closed';

export const isOver = (trip: TripStatus) => trip === 'completed' || trip === 'cancelled' || trip === 'unfulfilled';

/** The dispatch after a fact of its trip. Facts may come in any order and more than once: the result is the same. */
export function afterTripFact(status: DispatchStatus, trip: TripStatus): DispatchStatus {
  if (status === 'closed' || isOver(trip)) return 'closed';
  return trip === 'requested' ? status : 'accepted';
}

/** What a dispatch without an open offer does next: looks for a driver, or gives up and says why. */
export function nextStep(
  dispatch: { refusals: number; deadlineAt: Date },
  now: Date,
  maxRefusals: number,
): 'search' | 'refusals' | 'deadline' {
  if (dispatch.refusals >= maxRefusals) return 'refusals';
  return dispatch.deadlineAt <= now ? 'deadline' : 'search';
}

const earlier = (a: Date, b: Date) => (a < b ? a : b);
const later = (at: Date, ms: number) => new Date(at.getTime() + ms);

/** No offer outlives the dispatch's deadline. */
export const offerExpiry = (dispatch: { deadlineAt: Date }, now: Date, offerTtlMs: number) =>
  earlier(later(now, offerTtlMs), dispatch.deadlineAt);

/** When a dispatch for which nobody was free is looked at again. */
export const nextLook = (dispatch: { deadlineAt: Date }, now: Date, sweepEveryMs: number) =>
  earlier(later(now, sweepEveryMs), dispatch.deadlineAt);
