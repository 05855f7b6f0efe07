import { subscriptions, workQueue, type EventDefinition, type ServiceName } from '@cabstand/contracts';
import type { MessagingSettings } from './options.ts';

export interface QueueSubscription {
  publisher: ServiceName;
  queue: string;
  events: EventDefinition[];
}

/** This service's work queues, with the events that each is bound to. */
export function queuesOf({ service, events }: MessagingSettings): QueueSubscription[] {
  return subscriptions(events)
    .filter(({ consumer }) => consumer === service)
    .map(({ publisher, types }) => ({
      publisher,
      queue: workQueue(service, publisher),
      events: events.filter(({ type, delivery }) => delivery === 'durable' && types.includes(type)),
    }));
}

/**
 * Compares the handlers with the contracts, both ways.
 * @throws Error with the line to write for each difference
 */
export function assertHandlersMatch(settings: MessagingSettings, handlers: ReadonlyMap<string, number>): void {
  const { service } = settings;
  const expected = new Set(queuesOf(settings).flatMap(({ events }) => events.map(({ type }) => type)));
  const missing = [...expected]
    .filter((type) => !handlers.has(type))
    .map((type) => {
      const name = pascalCase(type);
      return `  no handler for ${type}, which the contracts bring here. Write into a controller:\n    @EventPattern(${name}.type) on${name}(@Payload() payload: ${name}, @Ctx() delivery: Delivery): Promise<void> { … }`;
    });
  const surplus = [...handlers.keys()]
    .filter((type) => !expected.has(type))
    .map(
      (type) =>
        `  a handler for ${type}, which no queue of ${service} is bound to. Write into its defineEvent(): consumers: ['${service}']`,
    );
  const repeated = [...handlers]
    .filter(([, count]) => count > 1)
    .map(
      ([type, count]) =>
        `  ${count} handlers for ${type}: one failing would repeat the others. Call both from one handler`,
    );
  const problems = [...missing, ...surplus, ...repeated];
  if (problems.length > 0) throw new Error(`Handlers and contracts of ${service} differ:\n${problems.join('\n')}`);
}

const pascalCase = (type: string) =>
  type
    .split(/[.-]/)
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
