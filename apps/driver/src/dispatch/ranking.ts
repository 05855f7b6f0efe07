import { greatCircleM, type GeoPoint } from '@cabstand/contracts';

export interface Candidate {
  driverId: string;
  position: GeoPoint;
}
export interface Ranked {
  driverId: string;
  /** From where the driver is to the pickup, over the great circle. */
  pickupDistanceM: number;
}

/**
 * Who is asked first: the nearest, none of them farther than `maxPickupM`. Equal distances go by id, so that
 * every replica ranks alike. To rank by something else (rating, heading, time on the rank), replace this function.
 */
export function rank(pickup: GeoPoint, candidates: readonly Candidate[], maxPickupM: number): Ranked[] {
  return candidates
    .map(({ driverId, position }) => ({ driverId, pickupDistanceM: greatCircleM(position, pickup) }))
    .filter(({ pickupDistanceM }) => pickupDistanceM <= maxPickupM)
    .sort((a, b) => a.pickupDistanceM - b.pickupDistanceM || (a.driverId < b.driverId ? -1 : 1));
}
