import { definePolicy, type Policy } from '@cabstand/auth';
import type { Quote } from './quote.entity.ts';

/** Who may do what with which quote. */
export const quotePolicy: Policy<Quote, 'create' | 'use'> = definePolicy('Quote', [
  {
    role: 'passenger',
    can: ['create', 'use'],
    when: (me) => ({ passengerIssuer: me.issuer, passengerId: me.subject }),
  },
]);
