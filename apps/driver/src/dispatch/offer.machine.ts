import { DomainError, type ErrorCode } from '@cabstand/contracts';

export type OfferStatus = 'open' | 'accepted' | 'declined' | 'expired' | 'withdrawn';
export type OfferAction = 'accept' | 'decline' | 'expire' | 'withdraw';
export type DriverAnswer = Extract<OfferAction, 'accept' | 'decline'>;

/** An offer is settled once: `open → accepted | declined | expired | withdrawn`. */
export const OUTCOME: Record<OfferAction, Exclude<OfferStatus, 'open'>> = {
  accept: 'accepted',
  decline: 'declined',
  expire: 'expired',
  withdraw: 'withdrawn',
};

/** Why a settled offer can't be answered otherwise any more. */
const TOO_LATE: Record<Exclude<OfferStatus, 'open'>, ErrorCode> = {
  accepted: 'OFFER_CLOSED',
  declined: 'OFFER_CLOSED',
  expired: 'OFFER_EXPIRED',
  withdrawn: 'OFFER_WITHDRAWN',
};

/** Declined and expired count towards the trip's refusals; a withdrawn offer was not the driver's doing. */
export const isRefusal = (action: OfferAction) => action === 'decline' || action === 'expire';

/**
 * What becomes of an offer that its driver answers at `now`. Null: nothing, it was answered so before.
 * `expire` means that time was up although no sweep has been here yet: the offer expires, the driver is refused.
 *
 * @throws DomainError OFFER_CLOSED, OFFER_EXPIRED or OFFER_WITHDRAWN (conflict)
 */
export function answer(
  offer: { status: OfferStatus; expiresAt: Date },
  action: DriverAnswer,
  now: Date,
): DriverAnswer | 'expire' | null {
  if (offer.status === OUTCOME[action]) return null;
  if (offer.status !== 'open') throw new DomainError(TOO_LATE[offer.status]);
  return offer.expiresAt <= now ? 'expire' : action;
}
