import type { GeoPoint } from '@cabstand/contracts';
import { Logger } from '@nestjs/common';
import { z } from 'zod';
import { estimateRide, type Estimation, type Ride } from './distance.ts';
import type { DistanceSource } from './quote.entity.ts';

/** A passenger waits for the quote: a slow map is worth less than a fast estimate. */
const ROUTING_TIMEOUT_MS = 1_000;

/** More than that is no ride, and would not fit into the quote's columns. */
const MAX = 100_000_000;

/** OSRM's answer, as far as it is needed; metres and seconds. https://project-osrm.org/docs/v5.24.0/api/#route-service */
const RouteAnswer = z.object({
  code: z.literal('Ok'),
  routes: z.array(z.object({ distance: z.number().min(0).max(MAX), duration: z.number().min(0).max(MAX) })).min(1),
});

export interface MeasuredRide extends Ride {
  distanceSource: DistanceSource;
}

/** Tells how far a ride is: by asking an OSRM server where there is one, otherwise, or if that fails, by estimate. */
export class Routing {
  private readonly logger = new Logger(Routing.name);

  constructor(
    private readonly estimation: Estimation,
    private readonly osrmUrl?: string,
  ) {}

  async measure(pickup: GeoPoint, dropoff: GeoPoint): Promise<MeasuredRide> {
    const route = await this.route(pickup, dropoff);
    if (route) return { ...route, distanceSource: 'route' };
    return { ...estimateRide(pickup, dropoff, this.estimation), distanceSource: 'estimate' };
  }

  private async route(pickup: GeoPoint, dropoff: GeoPoint): Promise<Ride | null> {
    if (!this.osrmUrl) return null;
    try {
      const path = `route/v1/driving/${pickup.lng},${pickup.lat};${dropoff.lng},${dropoff.lat}?overview=false`;
      const response = await fetch(`${this.osrmUrl.replace(/\/$/, '')}/${path}`, {
        signal: AbortSignal.timeout(ROUTING_TIMEOUT_MS),
      });
      const { routes } = RouteAnswer.parse(await response.json());
      return { distanceM: Math.round(routes[0]!.distance), durationS: Math.round(routes[0]!.duration) };
    } catch (error) {
      // By name only: the message may quote the address, and with it where somebody wants to be picked up.
      this.logger.warn({ event: 'routing.failed', reason: error instanceof Error ? error.name : 'unknown' });
      return null;
    }
  }
}
