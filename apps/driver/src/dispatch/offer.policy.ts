import { definePolicy, type Policy } from '@cabstand/auth';
import type { Offer } from './offer.entity.ts';

export const offerPolicy: Policy<Offer, 'read' | 'answer'> = definePolicy('Offer', [
  {
    role: 'driver',
    can: ['read', 'answer'],
    when: (me) => ({ driverIssuer: me.issuer, driverId: me.subject }),
  },
]);
