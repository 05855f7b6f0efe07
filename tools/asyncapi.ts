import {
  Envelope,
  EVENTS,
  eventsExchange,
  liveExchange,
  subscriptions,
  type EventDefinition,
  type ServiceName,
} from '@cabstand/contracts';
import { stringify } from 'yaml';
import { z } from 'zod';

/**
 * JSON Schema draft 7 is what AsyncAPI's own schema format extends. `input`: as a consumer takes it, who ignores
 * fields that a newer publisher adds.
 */
const schemaOf = (schema: z.ZodType) => {
  const { $schema: _dialect, ...json } = z.toJSONSchema(schema, {
    target: 'draft-7',
    io: 'input',
    override: ({ jsonSchema }) => {
      // `format: uuid` says it to people; the regular expression behind it doesn't.
      if (jsonSchema.format) delete jsonSchema.pattern;
    },
  });
  return json;
};

const exchangeOf = (publisher: ServiceName, event: EventDefinition) =>
  event.delivery === 'live' ? liveExchange(publisher) : eventsExchange(publisher);
const channelOf = (publisher: ServiceName, event: EventDefinition) => `${exchangeOf(publisher, event)}.${event.type}`;

const ref = (...path: string[]) => ({ $ref: `#/${path.join('/')}` });

function headers() {
  const { properties, required = [] } = schemaOf(Envelope);
  return {
    type: 'object',
    properties: Object.fromEntries(
      Object.entries(properties ?? {}).map(([name, schema]) => [`cloudEvents:${name}`, schema]),
    ),
    required: required.map((name) => `cloudEvents:${name}`),
  };
}

function messages() {
  return Object.fromEntries(
    EVENTS.map((event) => [
      event.type,
      {
        name: event.type,
        contentType: 'application/json',
        ...(event.delivery === 'durable' ? { headers: ref('components', 'schemas', 'Envelope') } : {}),
        payload: schemaOf(event.schema),
      },
    ]),
  );
}

/** A channel for each event on each exchange, and one for each queue. */
function channels() {
  const published = EVENTS.flatMap((event) =>
    event.publishers.map((publisher) => [
      channelOf(publisher, event),
      {
        address: event.type,
        messages: { [event.type]: ref('components', 'messages', event.type) },
        bindings: {
          amqp: { is: 'routingKey', exchange: { name: exchangeOf(publisher, event), type: 'topic', durable: true } },
        },
      },
    ]),
  );
  const queues = subscriptions(EVENTS).map(({ queue, types }) => [
    queue,
    {
      address: queue,
      messages: Object.fromEntries(types.map((type) => [type, ref('components', 'messages', type)])),
      bindings: { amqp: { is: 'queue', queue: { name: queue, durable: true, exclusive: false, autoDelete: false } } },
    },
  ]);
  return Object.fromEntries([...published, ...queues]) as Record<string, object>;
}

function operations() {
  const sends = EVENTS.flatMap((event) =>
    event.publishers.map((publisher) => [
      `${publisher}.sends.${event.type}`,
      {
        action: 'send',
        channel: ref('channels', channelOf(publisher, event)),
        messages: [ref('channels', channelOf(publisher, event), 'messages', event.type)],
        // Where somebody waits for it, the broker returns what no queue took.
        bindings: {
          amqp: {
            deliveryMode: event.delivery === 'durable' ? 2 : 1,
            mandatory: event.delivery === 'durable' && event.consumers.length > 0,
          },
        },
      },
    ]),
  );
  const receives = subscriptions(EVENTS).map(({ consumer, publisher, queue, types }) => [
    `${consumer}.receives.${publisher}-events`,
    {
      action: 'receive',
      channel: ref('channels', queue),
      messages: types.map((type) => ref('channels', queue, 'messages', type)),
      bindings: { amqp: { ack: true } },
    },
  ]);
  return Object.fromEntries([...sends, ...receives]) as Record<string, object>;
}

/** What travels over the broker, as AsyncAPI 3.0, generated from the contracts. */
export function asyncapi() {
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Cabstand events',
      version: '1.0.0',
      description:
        'Events between the services of Cabstand: CloudEvents 1.0 in binary mode over AMQP 0-9-1. Generated from libs/contracts by `npx nx run contracts:asyncapi`.',
      license: { name: 'MIT' },
    },
    defaultContentType: 'application/json',
    channels: channels(),
    operations: operations(),
    components: { messages: messages(), schemas: { Envelope: headers() } },
  };
}

/** The text of docs/asyncapi.yaml. */
export const asyncapiYaml = (): string => stringify(asyncapi(), { aliasDuplicateObjects: false, lineWidth: 120 });
