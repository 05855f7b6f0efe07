import { definePolicy, type Policy } from '@cabstand/auth';
import type { DeadLetter } from '@cabstand/messaging';

/** Who may look after the service's messages. */
export const opsPolicy: Policy<DeadLetter, 'read' | 'replay' | 'discard'> = definePolicy('Ops', [
  { role: 'operator', can: ['read', 'replay', 'discard'] },
]);
