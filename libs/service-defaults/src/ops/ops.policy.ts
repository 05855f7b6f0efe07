import { definePolicy, type Policy } from '@cabstand/auth';
import type { DeadLetter } from '@cabstand/messaging';

/** Who may look after the service's messages. What these say of people is shown to who says why they look. */
export const opsPolicy: Policy<DeadLetter, 'read' | 'replay' | 'discard', 'content'> = definePolicy<
  DeadLetter,
  'read' | 'replay' | 'discard',
  'content'
>(
  'Ops',
  [{ role: 'operator', can: ['read', 'replay', 'discard'] }],
  [{ role: 'operator', sees: ['content'], withReason: true }],
);

/** Who may break a service on purpose, where that is switched on at all. */
export const faultPolicy = definePolicy<{ kind: 'fault' }, 'switch'>('Fault', [{ role: 'operator', can: ['switch'] }]);
