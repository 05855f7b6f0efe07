import { Currency, GeoPoint, Timestamp } from '@cabstand/contracts';
import { z } from 'zod';
import type { Quote } from './quote.entity.ts';

export const QuoteRequest = z.strictObject({ pickup: GeoPoint, dropoff: GeoPoint });
export type QuoteRequest = z.infer<typeof QuoteRequest>;

export const QuoteView = z
  .strictObject({
    quoteId: z.uuid(),
    fareMinor: z.int(),
    currency: Currency,
    distanceM: z.int(),
    durationS: z.int(),
    /** Whether a map was asked (`route`) or the straight line stretched (`estimate`). */
    distanceSource: z.enum(['estimate', 'route']),
    /** Where drivers are few: what the fare has been multiplied by already, and why. */
    surge: z.strictObject({ multiplier: z.number(), reason: z.string() }).optional(),
    expiresAt: Timestamp,
  })
  .meta({ id: 'Quote' });
export type QuoteView = z.infer<typeof QuoteView>;

export function toView(quote: Quote): QuoteView {
  return {
    quoteId: quote.id,
    fareMinor: quote.fareMinor,
    currency: quote.currency,
    distanceM: quote.distanceM,
    durationS: quote.durationS,
    distanceSource: quote.distanceSource,
    ...(quote.surge ? { surge: quote.surge } : {}),
    expiresAt: quote.expiresAt.toISOString(),
  };
}
