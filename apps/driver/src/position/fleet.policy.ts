import { definePolicy } from '@cabstand/auth';

/** Who sees where all drivers are: that is what operators work with, so it takes no reason. No name goes with it. */
export const fleetPolicy = definePolicy<{ kind: 'fleet' }, 'follow'>('Fleet', [{ role: 'operator', can: ['follow'] }]);
