import { Currency, GeoPoint, Timestamp } from '@cabstand/contracts';
import { z } from 'zod';
import type { Dispatch } from './dispatch.entity.ts';
import type { Offer } from './offer.entity.ts';

export const OfferId = z.uuid();

export const OfferView = z
  .strictObject({
    offerId: z.uuid(),
    tripId: z.uuid(),
    pickup: GeoPoint,
    dropoff: GeoPoint,
    fareMinor: z.int(),
    currency: Currency,
    pickupDistanceM: z.int(),
    expiresAt: Timestamp,
  })
  .meta({ id: 'Offer' });
export type OfferView = z.infer<typeof OfferView>;

export const AnswerView = z
  .strictObject({
    offerId: z.uuid(),
    tripId: z.uuid(),
    status: z.enum(['accepted', 'declined']),
  })
  .meta({ id: 'OfferAnswer' });
export type AnswerView = z.infer<typeof AnswerView>;

/** An offered trip has been requested, so what the request says of it is there. */
export function toOfferView(offer: Offer, dispatch: Dispatch): OfferView {
  return {
    offerId: offer.id,
    tripId: offer.tripId,
    pickup: { lat: dispatch.pickupLat!, lng: dispatch.pickupLng! },
    dropoff: { lat: dispatch.dropoffLat!, lng: dispatch.dropoffLng! },
    fareMinor: dispatch.fareMinor!,
    currency: dispatch.currency!,
    pickupDistanceM: offer.pickupDistanceM,
    expiresAt: offer.expiresAt.toISOString(),
  };
}
