import { SERVICES, type EventDefinition, type ServiceName } from './define-event.ts';

/** A wait between one attempt at a message and the next; each has its own queue. */
export interface RetryDelay {
  name: string;
  delayMs: number;
}
/** In order. After the last, the message is dead. */
export const RETRY_DELAYS: readonly RetryDelay[] = [
  { name: '1s', delayMs: 1_000 },
  { name: '5s', delayMs: 5_000 },
  { name: '30s', delayMs: 30_000 },
  { name: '2min', delayMs: 120_000 },
];
/** Work queues that want others, by name: `{ 'trip.driver-events': [{ name: '10s', delayMs: 10_000 }] }`. */
const RETRY_DELAYS_OF: Partial<Record<string, readonly RetryDelay[]>> = {};
export const retryDelaysOf = (queue: string): readonly RetryDelay[] => RETRY_DELAYS_OF[queue] ?? RETRY_DELAYS;

/** Deliveries of one message that may take the process down before the broker sets it aside itself. */
export const DELIVERY_LIMIT = 20;
/** A work queue that reaches this refuses publishes, which then wait in the outbox. */
export const QUEUE_MAX_BYTES = 512 * 1024 * 1024;

export const eventsExchange = (publisher: ServiceName) => `${publisher}.events`;
export const retryExchange = (service: ServiceName) => `${service}.retry`;
export const liveExchange = (service: ServiceName) => `${service}.live`;
export const workQueue = (consumer: ServiceName, publisher: ServiceName) => `${consumer}.${publisher}-events`;
export const retryQueue = (queue: string, step: string) => `${queue}.retry.${step}`;
export const deadQueue = (queue: string) => `${queue}.dead`;

export interface Exchange {
  name: string;
  type: 'topic' | 'direct';
}
export interface Queue {
  name: string;
  arguments: Record<string, string | number>;
}
export interface Binding {
  exchange: string;
  queue: string;
  routingKey: string;
}
/** Regular expressions, as RabbitMQ's access control takes them. */
export interface Permissions {
  service: ServiceName;
  configure: string;
  write: string;
  read: string;
}
export interface Topology {
  exchanges: Exchange[];
  queues: Queue[];
  bindings: Binding[];
  permissions: Permissions[];
}

/** Who consumes whom, as (consumer, publisher) pairs with the types that go that way. */
export function subscriptions(events: readonly EventDefinition[]) {
  return SERVICES.flatMap((consumer) =>
    SERVICES.map((publisher) => ({
      consumer,
      publisher,
      queue: workQueue(consumer, publisher),
      types: events
        .filter((e) => e.delivery === 'durable' && e.publishers.includes(publisher) && e.consumers.includes(consumer))
        .map((e) => e.type)
        .sort(),
    })),
  ).filter(({ types }) => types.length > 0);
}

const quorum = { 'x-queue-type': 'quorum' };
const anyOf = (names: string[]) => `^(${names.map((name) => name.replaceAll('.', '\\.')).join('|')})$`;

/**
 * Everything that has to exist in the broker, derived from the contracts alone: so that a consumer that has
 * never run misses nothing, and no service needs the right to declare.
 */
export function topologyOf(events: readonly EventDefinition[]): Topology {
  const pairs = subscriptions(events);
  const queues = pairs.flatMap(({ consumer, queue }): Queue[] => [
    {
      name: queue,
      arguments: {
        ...quorum,
        'x-dead-letter-exchange': retryExchange(consumer),
        'x-dead-letter-routing-key': deadQueue(queue),
        'x-dead-letter-strategy': 'at-least-once',
        'x-delivery-limit': DELIVERY_LIMIT,
        'x-max-length-bytes': QUEUE_MAX_BYTES,
        // At-least-once dead-lettering is only available with it.
        'x-overflow': 'reject-publish',
      },
    },
    ...retryDelaysOf(queue).map(({ name }) => ({
      name: retryQueue(queue, name),
      arguments: {
        ...quorum,
        'x-dead-letter-exchange': retryExchange(consumer),
        'x-dead-letter-routing-key': queue,
        'x-dead-letter-strategy': 'at-least-once',
        'x-overflow': 'reject-publish',
      },
    })),
    // Without a delivery limit of its own RabbitMQ 4 would drop a dead letter after 20 failed moves.
    { name: deadQueue(queue), arguments: { ...quorum, 'x-delivery-limit': 1_000_000 } },
  ]);
  return {
    exchanges: SERVICES.flatMap((service): Exchange[] => [
      { name: eventsExchange(service), type: 'topic' },
      { name: retryExchange(service), type: 'direct' },
      { name: liveExchange(service), type: 'topic' },
    ]),
    queues,
    bindings: [
      ...pairs.flatMap(({ publisher, queue, types }) =>
        types.map((type) => ({ exchange: eventsExchange(publisher), queue, routingKey: type })),
      ),
      ...pairs.flatMap(({ consumer, queue }) =>
        [queue, ...retryDelaysOf(queue).map(({ name }) => retryQueue(queue, name)), deadQueue(queue)].map((name) => ({
          exchange: retryExchange(consumer),
          queue: name,
          routingKey: name,
        })),
      ),
    ],
    permissions: SERVICES.map((service) => permissionsOf(service, events)),
  };
}

/** Write to its own exchanges, read its own queues and the live exchanges it listens to, declare live queues only. */
function permissionsOf(service: ServiceName, events: readonly EventDefinition[]): Permissions {
  const live = `^${service}\\.live\\..+`;
  const own = subscriptions(events).filter(({ consumer }) => consumer === service);
  const listensTo = SERVICES.filter(
    (publisher) =>
      publisher === service ||
      events.some((e) => e.delivery === 'live' && e.publishers.includes(publisher) && e.consumers.includes(service)),
  );
  return {
    service,
    configure: live,
    // Binding a live queue takes write on the queue and read on the exchange.
    write: `${anyOf([eventsExchange(service), retryExchange(service), liveExchange(service)])}|${live}`,
    read: `${anyOf([...own.flatMap(({ queue }) => [queue, deadQueue(queue)]), ...listensTo.map(liveExchange)])}|${live}`,
  };
}
