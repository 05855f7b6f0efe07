import { randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { EVENTS, type ServiceName } from '@cabstand/contracts';
import type { Options } from 'amqplib';

/** A message as it is published, by a service that may be broken or hostile. */
export interface TestMessage {
  body: Buffer;
  routingKey: string;
  options: Options.Publish & { headers: Record<string, unknown> };
}

/** What the publisher would send, with an id of its own. */
export function messageOf(publisher: ServiceName, type: string, payload: object, sequence = 1): TestMessage {
  const event = EVENTS.find((candidate) => candidate.type === type);
  if (!event) throw new Error(`there is no event ${type}`);
  const id = randomUUID();
  const attributes = {
    specversion: '1.0',
    id,
    source: `/cabstand/${publisher}`,
    type,
    time: new Date().toISOString(),
    subject: (payload as Record<string, unknown>)[event.subject],
    sequence,
  };
  return {
    body: Buffer.from(JSON.stringify(payload)),
    routingKey: type,
    options: {
      messageId: id,
      type,
      contentType: 'application/json',
      persistent: true,
      headers: Object.fromEntries(Object.entries(attributes).map(([name, value]) => [`cloudEvents:${name}`, value])),
    },
  };
}

export interface PoisonedQueue {
  queue: string;
  /** An event of this queue that isn't the one being spoilt. */
  otherType: string;
}

/** A way to spoil a good message, and why it is then set aside. */
export interface Poison {
  name: string;
  reason: 'malformed' | 'unknown-type' | 'too-big';
  spoil(message: TestMessage, target: PoisonedQueue): void;
}

const poison = (name: string, reason: Poison['reason'], spoil: Poison['spoil']): Poison => ({ name, reason, spoil });
const body = (name: string, content: string | Buffer, reason: Poison['reason'] = 'malformed') =>
  poison(name, reason, (message) => (message.body = Buffer.from(content)));
/** AMQP leaves out a header that is undefined. */
const attribute = (name: string, of: string, value: unknown, reason: Poison['reason'] = 'malformed') =>
  poison(name, reason, ({ options }) => (options.headers[`cloudEvents:${of}`] = value));

/** What no contract allows, whatever the event. Handlers that fail, hang or kill are the tests' own. */
export const POISON: readonly Poison[] = [
  body('a body that is not JSON', '{"tripId":'),
  body('a body that is not UTF-8', Buffer.from([0x22, 0xff, 0xfe, 0x22])),
  body('an empty body', ''),
  body('null', 'null'),
  body('a list', '[]'),
  body('another schema', '{"tripId":"1"}'),
  body('deep nesting', '['.repeat(100_000) + ']'.repeat(100_000)),
  body('a megabyte', Buffer.alloc(1024 * 1024, ' '), 'too-big'),
  poison('a compressed body', 'malformed', (message) => {
    message.body = gzipSync(message.body);
    message.options.contentEncoding = 'gzip';
  }),
  poison('another content type', 'malformed', ({ options }) => (options.contentType = 'text/plain')),
  attribute('a type that nobody handles', 'type', 'trip.teleported', 'unknown-type'),
  poison('a future version', 'unknown-type', ({ options, routingKey }) => {
    options.headers['cloudEvents:type'] = `${routingKey}.v2`;
  }),
  poison('another type than its routing key', 'malformed', ({ options }, { otherType }) => {
    options.headers['cloudEvents:type'] = otherType;
  }),
  poison('no envelope', 'malformed', ({ options }) => (options.headers = {})),
  attribute('another specversion', 'specversion', '0.3'),
  attribute('no subject', 'subject', undefined),
  attribute('another subject than the payload’s', 'subject', randomUUID()),
  attribute('a sequence below 1', 'sequence', 0),
  attribute('a time that is none', 'time', 'yesterday'),
  attribute('a broken traceparent', 'traceparent', '00-zz-zz-00'),
  attribute('a forged source', 'source', '/cabstand/mallory'),
  attribute('NUL and half a surrogate pair in a header', 'id', 'a\0b\ud800'),
  poison('a forged message id', 'malformed', ({ options }) => (options.messageId = 'x')),
  poison('no message id', 'malformed', ({ options }) => delete options.messageId),
  poison('an instruction to copy it', 'malformed', (message, { queue }) => {
    message.options.CC = `${queue}.retry.30s`;
    message.body = Buffer.from('x');
  }),
  poison('a forged count of attempts', 'malformed', (message) => {
    message.options.headers['x-messaging-attempt'] = 'many';
    message.options.headers['x-messaging-history'] = '{';
    message.body = Buffer.from('x');
  }),
];
