import { Authorize, definePolicy } from '@cabstand/auth';
import { ApiAnswer } from '@cabstand/service-defaults';
import { Controller, Get, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';

const WINDOW_S = 5 * 60;

const Count = z.int().nonnegative();
/** Of the trips that were requested in the last `windowS` seconds; `underWay` of all trips. */
const TripFigures = z.strictObject({
  windowS: z.int(),
  requested: Count,
  completed: Count,
  cancelled: Count,
  unfulfilled: Count,
  /** From request to acceptance; null where none was accepted. */
  medianAcceptS: z.number().nullable(),
  underWay: z.strictObject({ requested: Count, accepted: Count, arrived: Count, in_progress: Count }),
});
type TripFigures = z.infer<typeof TripFigures>;

/** How the city is doing: counts of trips, and nobody's trip. */
export const figuresPolicy = definePolicy<{ kind: 'figures' }, 'read'>('TripFigures', [
  { role: 'operator', can: ['read'] },
]);

const RECENT = `
  SELECT count(*)::int AS requested,
    (count(*) FILTER (WHERE status = 'completed'))::int AS completed,
    (count(*) FILTER (WHERE status = 'cancelled'))::int AS cancelled,
    (count(*) FILTER (WHERE status = 'unfulfilled'))::int AS unfulfilled,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM accepted_at - requested_at)) AS "medianAcceptS"
  FROM trips WHERE id >= $1`;
/** In these words, so that the partial index of active trips answers it. */
const UNDER_WAY = `
  SELECT status, count(*)::int FROM trips WHERE status IN ('requested', 'accepted', 'arrived', 'in_progress')
  GROUP BY status`;

@Injectable()
export class TripFiguresReader {
  constructor(private readonly dataSource: DataSource) {}

  async read(): Promise<TripFigures> {
    const since = firstIdSince(Date.now() - WINDOW_S * 1_000);
    const [[recent], underWay] = await Promise.all([
      this.dataSource.query<Omit<TripFigures, 'windowS' | 'underWay'>[]>(RECENT, [since]),
      this.dataSource.query<{ status: string; count: number }[]>(UNDER_WAY),
    ]);
    const counts = Object.fromEntries(underWay.map(({ status, count }) => [status, count]));
    const none = { requested: 0, accepted: 0, arrived: 0, in_progress: 0 };
    return { windowS: WINDOW_S, ...recent!, underWay: { ...none, ...counts } };
  }
}

/** Ids are UUIDv7, which begin with the milliseconds of their making: the primary key finds what is recent. */
function firstIdSince(ms: number): string {
  const hex = ms.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
}

@Controller('v1/ops/trip-figures')
export class TripFiguresController {
  constructor(private readonly figures: TripFiguresReader) {}

  @Get()
  @Authorize(figuresPolicy, 'read')
  @ApiAnswer(200, TripFigures)
  readTripFigures(): Promise<TripFigures> {
    return this.figures.read();
  }
}
