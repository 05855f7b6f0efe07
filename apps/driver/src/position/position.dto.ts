import { GeoPoint, Timestamp } from '@cabstand/contracts';
import { z } from 'zod';

export const PositionReport = z.strictObject({
  points: z
    .array(
      z.strictObject({
        ...GeoPoint.shape,
        at: Timestamp,
        headingDeg: z.number().min(0).max(360).optional(),
        speedMps: z.number().min(0).max(1_000).optional(),
      }),
    )
    .min(1)
    .max(100),
});
export type PositionReport = z.infer<typeof PositionReport>;

/** How many points were taken in and how many left out: too old, out of order, ahead of time or impossibly far. */
export const ReportView = z.strictObject({ accepted: z.int(), dropped: z.int() });
export type ReportView = z.infer<typeof ReportView>;
