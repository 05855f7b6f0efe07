import { z } from 'zod';

/** The services that publish or consume. Each owns the exchange `<service>.events`. */
export const SERVICES = ['passenger', 'driver', 'trip'] as const;
export type ServiceName = (typeof SERVICES)[number];

export interface EventRoute<Subject extends string> {
  /** Who may publish it: more than one only where the fact is the same whoever states it (`session.revoked`). */
  publishers: readonly ServiceName[];
  /** Who has a handler for it. An event with consumers is published `mandatory`. */
  consumers: readonly ServiceName[];
  /** The payload's field that holds the aggregate's id: CloudEvents `subject`, and what ordering is kept by. */
  subject: Subject;
  /** `durable` goes through outbox and queues; `live` reaches every replica, unbuffered, and may be lost. */
  delivery?: 'durable' | 'live';
}

export interface EventDefinition<Shape extends z.ZodRawShape = z.ZodRawShape> {
  /** CloudEvents `type`, and the AMQP routing key. */
  readonly type: string;
  /** Loose: a newer publisher may add fields that an older consumer ignores. */
  readonly schema: z.ZodObject<Shape>;
  readonly publishers: readonly ServiceName[];
  readonly consumers: readonly ServiceName[];
  readonly subject: string;
  readonly delivery: 'durable' | 'live';
}

export type PayloadOf<E extends EventDefinition> = z.infer<E['schema']>;

/**
 * Declares an event: its type, the shape of its payload and its route.
 * A breaking change is a new type (`trip.requested.v2`), never an edit.
 */
export function defineEvent<Shape extends z.ZodRawShape>(
  type: string,
  shape: Shape,
  route: EventRoute<keyof Shape & string>,
): EventDefinition<Shape> {
  return { type, schema: z.object(shape), delivery: 'durable', ...route };
}
