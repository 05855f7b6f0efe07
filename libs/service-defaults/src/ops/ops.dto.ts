import type { DeadLetter, DeadLetterSummary, OutboxFigures, QueueFigures } from '@cabstand/messaging';
import type { SecurityEventEntry } from '@cabstand/auth';
import { z } from 'zod';
import { PageQuery } from '../page.ts';
import { masked } from './mask.ts';

const Count = z.int().nonnegative();

const OutboxOfType = z.strictObject({
  type: z.string(),
  depth: Count,
  oldestAgeS: z.number(),
  refused: Count,
  waiting: Count,
});
/** `refused` by the broker, `waiting` behind a refused one of their aggregate; the rest is on its way. */
export const OutboxView = OutboxOfType.omit({ type: true }).extend({ types: z.array(OutboxOfType) });
export type OutboxView = z.infer<typeof OutboxView>;

export function outboxView(types: OutboxFigures[]): OutboxView {
  const sum = (figure: 'depth' | 'refused' | 'waiting') => types.reduce((total, row) => total + row[figure], 0);
  const oldestAgeS = Math.max(0, ...types.map((row) => row.oldestAgeS));
  return { depth: sum('depth'), oldestAgeS, refused: sum('refused'), waiting: sum('waiting'), types };
}

/** Null is what isn't known: the broker is away, or this process has not handled anything. */
const QueueView = z.strictObject({
  queue: z.string(),
  waiting: Count.nullable(),
  inHand: Count,
  retrying: Count.nullable(),
  consuming: z.boolean(),
  lastHandled: z.strictObject({ at: z.iso.datetime(), lagS: z.number() }).nullable(),
});

/** The service at a glance. `process` and what a queue has `inHand` are of the replica that answers. */
export const StatusView = z.strictObject({
  process: z.strictObject({ id: z.uuid(), startedAt: z.iso.datetime(), published: Count, handled: Count }),
  messaging: z.enum(['connected', 'disconnected']),
  relay: z.enum(['running', 'paused']),
  outbox: OutboxView.omit({ types: true }),
  queues: z.array(QueueView),
  deadLetters: Count,
  /** Whether operators may break things here on purpose. */
  faultSwitches: z.enum(['on', 'off']),
});
export type StatusView = z.infer<typeof StatusView>;

export const queueView = ({ lastHandled, ...figures }: QueueFigures): z.infer<typeof QueueView> => ({
  ...figures,
  lastHandled: lastHandled && { at: lastHandled.at.toISOString(), lagS: lastHandled.lagS },
});

export const DeadLetterId = z.uuid();
/** Where a page of dead letters ended. */
export const DeadLetterCursor = z.templateLiteral([z.iso.datetime(), ' ', z.uuid()]).transform((cursor) => {
  const [deadAt, id] = cursor.split(' ') as [string, string];
  return { deadAt, id };
});
export const cursorOf = ({ deadAt, id }: DeadLetterSummary) => `${deadAt} ${id}`;

const Queue = z.string().min(1).max(255);
export const DeadLetterQuery = PageQuery.extend({ queue: Queue.optional() });
export type DeadLetterQuery = z.infer<typeof DeadLetterQuery>;

export const DeadLetterItem = z.strictObject({
  id: z.uuid(),
  queue: z.string(),
  /** These two as the message says, which may be nothing or nonsense. */
  messageId: z.string().nullable(),
  type: z.string().nullable(),
  reason: z.string(),
  detail: z.string().nullable(),
  attempts: z.int(),
  sizeBytes: Count,
  deadAt: z.iso.datetime(),
}) satisfies z.ZodType<DeadLetterSummary>;

export const DeadLetterView = DeadLetterItem.extend({
  /** One entry for each failed attempt, those before a replay included. */
  history: z.array(z.object({ at: z.string(), error: z.string() })),
  /** AMQP properties, the envelope's headers among them. */
  properties: z.record(z.string(), z.unknown()),
  /** The original bytes; missing where the caller sees personal data masked. */
  bodyBase64: z.base64().optional(),
  /** The same, read, and masked where `bodyBase64` is missing; missing where it isn't JSON. */
  bodyJson: z.unknown().optional(),
});
export type DeadLetterView = z.infer<typeof DeadLetterView>;

/** `properties` and body say what somebody wrote, personal data perhaps: `show` is the policy's answer to who may see. */
export function deadLetterView(
  { body, properties, deadAt, ...letter }: DeadLetter,
  show: <Value>(field: 'content', value: Value) => Value | undefined,
): DeadLetterView {
  const content = { properties, ...jsonOf(body) };
  return {
    ...letter,
    deadAt: deadAt.toISOString(),
    sizeBytes: body.length,
    ...(show('content', { ...content, bodyBase64: body.toString('base64') }) ?? (masked(content) as typeof content)),
  };
}

function jsonOf(body: Buffer): { bodyJson?: unknown } {
  try {
    const bodyJson: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
    // What is nested too deeply can be read but not written.
    JSON.stringify(bodyJson);
    return { bodyJson };
  } catch {
    return {};
  }
}

export const SecurityEventId = z.uuid();
export const SecurityEventItem = z.strictObject({
  id: z.uuid(),
  at: z.iso.datetime(),
  type: z.string(),
  count: Count,
  /** Who it was or whose account it is about; null where nobody had signed in. */
  issuer: z.string().nullable(),
  subject: z.string().nullable(),
});
export const securityEventItem = ({ at, ...entry }: SecurityEventEntry): z.infer<typeof SecurityEventItem> => ({
  ...entry,
  at: at.toISOString(),
});

export const ReplayRequest = z.strictObject({
  queue: Queue,
  type: z.string().min(1).max(255).optional(),
  /** Only what died until then. */
  before: z.iso.datetime().optional(),
});
export type ReplayRequest = z.infer<typeof ReplayRequest>;

export const Replayed = z.strictObject({ replayed: Count });
export type Replayed = z.infer<typeof Replayed>;

/** Is recorded as it is: no personal data. */
export const Discard = z.strictObject({ reason: z.string().trim().min(1).max(200) });
export type Discard = z.infer<typeof Discard>;
