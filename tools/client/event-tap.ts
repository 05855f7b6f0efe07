import { SERVICES, eventsExchange } from '@cabstand/contracts';
import { connect, type SocketOptions } from 'amqplib';

/** An event as it passed through the broker. */
export interface TappedEvent {
  exchange: string;
  routingKey: string;
  id: string;
  /** The aggregate's id. */
  subject: string;
  sequence: number;
  traceparent: string | undefined;
  payload: Record<string, unknown>;
  seenAtMs: number;
}

export interface EventTap {
  readonly events: TappedEvent[];
  close(): Promise<void>;
}

/**
 * Listens to everything that the services publish, by a queue of its own that ends with the connection.
 * Takes the broker's administrator: the services' users may not do that, and nobody needs to in production.
 */
export async function tapEvents(
  amqpUrl: string,
  onEvent?: (event: TappedEvent) => void,
  options: SocketOptions = {},
): Promise<EventTap> {
  const connection = await connect(amqpUrl, options);
  const channel = await connection.createChannel();
  const { queue } = await channel.assertQueue('', { exclusive: true, autoDelete: true });
  for (const service of SERVICES) await channel.bindQueue(queue, eventsExchange(service), '#');
  const events: TappedEvent[] = [];
  await channel.consume(
    queue,
    (message) => {
      if (!message) return;
      const attribute = (name: string): unknown => message.properties.headers?.[`cloudEvents:${name}`];
      const traceparent = attribute('traceparent');
      const event: TappedEvent = {
        exchange: message.fields.exchange,
        routingKey: message.fields.routingKey,
        id: String(message.properties.messageId),
        subject: String(attribute('subject')),
        sequence: Number(attribute('sequence')),
        traceparent: typeof traceparent === 'string' ? traceparent : undefined,
        payload: JSON.parse(message.content.toString('utf8')) as Record<string, unknown>,
        seenAtMs: performance.now(),
      };
      events.push(event);
      onEvent?.(event);
    },
    { noAck: true },
  );
  return { events, close: () => connection.close() };
}
