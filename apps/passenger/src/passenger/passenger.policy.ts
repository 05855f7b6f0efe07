import { definePolicy, type Policy } from '@cabstand/auth';
import type { Passenger } from './passenger.entity.ts';

type Action = 'read' | 'update' | 'change-password' | 'export' | 'erase' | 'suspend' | 'reinstate';

export const passengerPolicy: Policy<Passenger, Action> = definePolicy('Passenger', [
  {
    role: 'passenger',
    can: ['read', 'update', 'change-password', 'export', 'erase'],
    when: (me) => ({ issuer: me.issuer, id: me.subject }),
  },
  { role: 'operator', can: ['suspend', 'reinstate'] },
]);
