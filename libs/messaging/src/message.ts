import { createHash, randomUUID } from 'node:crypto';
import { DomainError, Envelope, type EventDefinition, type ServiceName } from '@cabstand/contracts';
import type { Message, MessagePropertyHeaders, Options } from 'amqplib';
import type { DeadLetter, OutboxMessage } from './messaging.entities.ts';
import { outline } from './waiting.ts';

/** Our own headers, beside the CloudEvents attributes. They never leave the service's own retry exchange. */
export const HEADERS = {
  /** Counts handlings from 1. RabbitMQ 4 ignores a client's `x-death`, so we count ourselves. */
  attempt: 'x-messaging-attempt',
  /** JSON: one entry for each failed attempt. */
  history: 'x-messaging-history',
  reason: 'x-messaging-reason',
  detail: 'x-messaging-detail',
  /** Given to a message without an id when it is first published again: it tells apart those with the same bytes. */
  tag: 'x-messaging-tag',
} as const;

export const CLOUD_EVENTS = 'cloudEvents:';
export const CONTENT_TYPE = 'application/json';
/** More than these bytes of headers are cut, so that the properties with ours added still fit into one frame. */
const MAX_HEADERS_BYTES = 64 * 1024;
const MAX_ERROR_CHARS = 500;
const MAX_ATTEMPTS = 1_000;
/** Of a message that was replayed over and over: the newest. */
const MAX_FAILURES = 50;
/** Set by the broker on its way through, or, as CC and BCC, an instruction to send copies elsewhere. */
const NOT_COPIED = /^(x-death|x-(first|last)-death-.*|x-delivery-count|x-acquired-count|CC|BCC)$/;

/** One failed attempt. */
export interface Failure {
  at: string;
  error: string;
}

export interface Failures {
  /** The attempt that this delivery is, from 1. */
  attempt: number;
  history: Failure[];
}

export type ReadMessage =
  | { valid: true; envelope: Envelope; payload: unknown }
  | { valid: false; reason: 'malformed' | 'unknown-type' | 'too-big'; detail: string };

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** CloudEvents 1.0, AMQP binding, binary mode. */
export function publicationOf(row: OutboxMessage, source: ServiceName, traceparent: string | null): Options.Publish {
  return {
    messageId: row.id,
    type: row.type,
    contentType: CONTENT_TYPE,
    persistent: true,
    mandatory: row.mandatory,
    headers: {
      'cloudEvents:specversion': '1.0',
      'cloudEvents:id': row.id,
      'cloudEvents:source': sourceOf(source),
      'cloudEvents:type': row.type,
      'cloudEvents:time': row.occurredAt.toISOString(),
      'cloudEvents:subject': row.subject,
      'cloudEvents:sequence': row.sequence,
      // A header that is undefined isn't sent.
      'cloudEvents:traceparent': traceparent ?? undefined,
    },
  };
}

export const sourceOf = (publisher: ServiceName) => `/cabstand/${publisher}`;

/** Checks a message against the contracts, so that handlers see nothing else. Details never quote the content. */
export function readMessage(
  message: Message,
  { publisher, events, maxBodyBytes }: { publisher: ServiceName; events: EventDefinition[]; maxBodyBytes: number },
): ReadMessage {
  const invalid = (detail: string): ReadMessage => ({ valid: false, reason: 'malformed', detail });
  const { properties, fields, content } = message;
  if (content.length > maxBodyBytes) return { valid: false, reason: 'too-big', detail: `${content.length} bytes` };
  const envelope = Envelope.safeParse(attributesOf(properties.headers));
  if (!envelope.success) return invalid(`envelope: ${issuesOf(envelope.error)}`);
  const { id, type, source, subject } = envelope.data;
  const event = events.find((candidate) => candidate.type === type);
  if (!event) return { valid: false, reason: 'unknown-type', detail: 'no handler for this type in this queue' };
  if (properties.contentType !== CONTENT_TYPE) return invalid('content type is not JSON');
  if (properties.messageId !== id) return invalid('message id is not the envelope’s');
  if (source !== sourceOf(publisher)) return invalid('source is not the publisher of this queue');
  // On its way back from a retry queue the routing key is the work queue's name.
  if (fields.exchange === `${publisher}.events` && fields.routingKey !== type)
    return invalid('routing key is not the type');
  let json: unknown;
  try {
    json = JSON.parse(utf8.decode(content));
  } catch {
    return invalid('body is not JSON');
  }
  const payload = event.schema.safeParse(json);
  if (!payload.success) return invalid(`payload: ${issuesOf(payload.error)}`);
  if ((payload.data as Record<string, unknown>)[event.subject] !== subject)
    return invalid('subject is not the payload’s');
  return { valid: true, envelope: envelope.data, payload: payload.data };
}

/** Our own count; anything else in these headers counts as none. */
export function failuresOf(headers: MessagePropertyHeaders | undefined): Failures {
  const attempt: unknown = headers?.[HEADERS.attempt];
  let history: unknown;
  try {
    history = JSON.parse(String(headers?.[HEADERS.history] ?? '[]'));
  } catch {
    history = [];
  }
  return {
    attempt: typeof attempt === 'number' && attempt > 1 && attempt <= MAX_ATTEMPTS ? Math.trunc(attempt) : 1,
    history: Array.isArray(history) ? history.filter(isFailure).slice(-MAX_FAILURES) : [],
  };
}

/** An error's message may quote personal data, and this leaves the process: only our own refusals are quoted. */
export const failureOf = (error: Error): Failure => ({
  at: new Date().toISOString(),
  error: (error instanceof DomainError ? `${error.code}: ${error.message}` : outline(error)).slice(0, MAX_ERROR_CHARS),
});

/** Everything the publisher said, for publishing the same bytes again with our own headers added. */
export function republicationOf(
  { properties }: Pick<Message, 'properties'>,
  ours: Record<string, unknown>,
): Options.Publish {
  const headers = Object.fromEntries(
    Object.entries(properties.headers ?? {}).filter(([name]) => !NOT_COPIED.test(name)),
  );
  const fits = Buffer.byteLength(JSON.stringify(headers)) <= MAX_HEADERS_BYTES;
  return {
    ...properties,
    // The broker checks it against our own user, and closes the channel.
    userId: undefined,
    deliveryMode: true,
    mandatory: true,
    headers: {
      ...(fits ? headers : { 'x-messaging-headers': 'cut' }),
      ...(properties.messageId ? {} : { [HEADERS.tag]: tagOf(properties.headers) ?? randomUUID() }),
      ...ours,
    },
  };
}

/** A forged one tells apart no worse than a forged message id. */
export function tagOf(headers: MessagePropertyHeaders | undefined): string | undefined {
  const tag: unknown = headers?.[HEADERS.tag];
  return typeof tag === 'string' && tag.length <= 36 ? tag : undefined;
}

/** A dead letter as it was published, to be tried from the first attempt again; what went wrong stays with it. */
export function replayOf({ properties, history, reason }: DeadLetter): Options.Publish {
  const {
    [HEADERS.attempt]: _attempt,
    [HEADERS.reason]: _reason,
    [HEADERS.detail]: _detail,
    ...headers
  } = properties.headers as Record<string, unknown>;
  const replayed: Failure = { at: new Date().toISOString(), error: `replayed after ${reason}` };
  const failures = JSON.stringify([...history, replayed].slice(-MAX_FAILURES));
  const message = { properties: { ...properties, headers } } as Pick<Message, 'properties'>;
  return { ...republicationOf(message, { [HEADERS.history]: failures }), expiration: undefined };
}

/** The same for the same message in the same round, so that storing it twice makes one row. */
export function deadLetterId(queue: string, { properties, content }: Message): string {
  const { attempt } = failuresOf(properties.headers);
  const hash = createHash('sha256')
    .update(`${queue}\n${String(properties.messageId || tagOf(properties.headers))}\n${attempt}\n`)
    .update(content);
  const hex = hash.digest('hex');
  // RFC 9562, version 8: the rest of the bits are ours.
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** Those that there are for us; the rest may be anything. */
const ATTRIBUTES = Object.keys(Envelope.shape).map((name) => [name, CLOUD_EVENTS + name] as const);

function attributesOf(headers: MessagePropertyHeaders = {}): Record<string, unknown> {
  const attributes: Record<string, unknown> = {};
  for (const [name, header] of ATTRIBUTES) attributes[name] = headers[header] as unknown;
  return attributes;
}

const issuesOf = (error: { issues: { path: PropertyKey[]; code?: string }[] }) =>
  error.issues
    .slice(0, 5)
    .map(({ path, code }) => `${path.map(String).join('.')} ${code}`)
    .join(', ');

function isFailure(value: unknown): value is Failure {
  if (typeof value !== 'object' || value === null || !('at' in value && 'error' in value)) return false;
  // A forged one must not make the headers too big to be published again.
  return typeof value.at === 'string' && `${value.at}${String(value.error)}`.length <= 2 * MAX_ERROR_CHARS;
}
