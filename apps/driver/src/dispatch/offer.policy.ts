import { definePolicy, type Policy, type Principal } from '@cabstand/auth';
import type { Offer } from './offer.entity.ts';

const own = (me: Principal) => ({ driverIssuer: me.issuer, driverId: me.subject });

export const offerPolicy: Policy<Offer, 'read' | 'answer'> = definePolicy('Offer', [
  { role: 'driver', can: ['read', 'answer'], when: own },
]);

/** An offer as the driver was told of it, some time ago perhaps. */
export interface ToldOffer {
  driverIssuer: string;
  driverId: string;
  /** Whether the driver holds the offer still, or is on its trip. */
  isHeld: boolean;
}

/** Where a passenger goes is for the driver who may take them there; of others, who read it again, not for long. */
export const toldOfferPolicy: Policy<ToldOffer, never, 'pickup' | 'dropoff'> = definePolicy<
  ToldOffer,
  never,
  'pickup' | 'dropoff'
>(
  'ToldOffer',
  [],
  [
    { role: 'driver', sees: ['pickup', 'dropoff'], when: (me) => ({ ...own(me), isHeld: true }) },
    { role: 'driver', sees: ['pickup', 'dropoff'], as: 'coarse', when: own },
  ],
);
