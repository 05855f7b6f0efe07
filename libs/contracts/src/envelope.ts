import { z } from 'zod';
import { Timestamp } from './values.ts';

/**
 * What every message says of itself besides its payload: CloudEvents 1.0 in the AMQP binding's spelling,
 * where each attribute is the header `cloudEvents:<attribute>` and the body is the bare payload (binary mode).
 */
export const Envelope = z.object({
  specversion: z.literal('1.0'),
  id: z.uuid(),
  /** URI of the publishing service: `/cabstand/trip`. */
  source: z.string().min(1),
  type: z.string().min(1),
  time: Timestamp,
  /** The aggregate's id. */
  subject: z.uuid(),
  /** W3C Trace Context. */
  traceparent: z
    .string()
    .regex(/^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/)
    .optional(),
  /** Counts the aggregate's events from 1, without gaps, assigned under the aggregate's row lock. */
  sequence: z.int().positive(),
});
export type Envelope = z.infer<typeof Envelope>;
