import { randomUUIDv7 } from 'node:crypto';
import {
  eventsExchange,
  liveExchange,
  type EventDefinition,
  type PayloadOf,
  type ServiceName,
} from '@cabstand/contracts';
import amqp from 'amqplib';
import type { TestBroker } from './broker.ts';

export interface Published {
  type: string;
  subject: string;
  sequence: number;
  payload: Record<string, unknown>;
}

export type TestMessages = Awaited<ReturnType<typeof openMessages>>;

/** Hears everything that `service` publishes, and speaks for the others, each with its own user. */
export async function openMessages(broker: TestBroker, service: ServiceName) {
  const published: Published[] = [];
  const admin = await amqp.connect(broker.adminUrl);
  const listening = await admin.createChannel();
  const { queue } = await listening.assertQueue('', { exclusive: true });
  await listening.bindQueue(queue, eventsExchange(service), '#');
  if (service === 'driver') await listening.bindQueue(queue, liveExchange(service), 'driver.moved');
  await listening.consume(
    queue,
    (message) => {
      if (!message) return;
      const headers = message.properties.headers as Record<string, string>;
      published.push({
        type: message.fields.routingKey,
        subject: headers['cloudEvents:subject']!,
        sequence: Number(headers['cloudEvents:sequence']),
        payload: JSON.parse(message.content.toString()) as Record<string, unknown>,
      });
    },
    { noAck: true },
  );
  // Opened when needed: a test may have cut the way to the broker meanwhile.
  const publishers = new Map<ServiceName, ReturnType<typeof openChannel>>();
  const channelOf = (publisher: ServiceName) => {
    const open = publishers.get(publisher) ?? openChannel(broker.urlFor(publisher), () => publishers.delete(publisher));
    publishers.set(publisher, open);
    return open;
  };

  return {
    published,
    of: (subject: string, type?: string) =>
      published.filter((event) => event.subject === subject && (type === undefined || event.type === type)),
    publish: async <E extends EventDefinition>(
      as: ServiceName,
      event: E,
      payload: PayloadOf<E>,
      { sequence = 1, id = randomUUIDv7() as string } = {},
    ) => {
      const { channel } = await channelOf(as);
      const attributes = {
        ...{ specversion: '1.0', id, source: `/cabstand/${as}`, type: event.type, sequence },
        time: new Date().toISOString(),
        subject: String((payload as Record<string, unknown>)[event.subject]),
      };
      const isLive = event.delivery === 'live';
      const exchange = isLive ? liveExchange(as) : eventsExchange(as);
      channel.publish(exchange, event.type, Buffer.from(JSON.stringify(payload)), {
        messageId: id,
        contentType: 'application/json',
        persistent: true,
        mandatory: !isLive,
        headers: Object.fromEntries(Object.entries(attributes).map(([name, value]) => [`cloudEvents:${name}`, value])),
      });
      await channel.waitForConfirms();
    },
    close: async () => {
      for (const publisher of publishers.values()) await (await publisher).connection.close();
      await admin.close();
    },
  };
}

async function openChannel(url: string, onClose: () => void) {
  const connection = await amqp.connect(url);
  connection.on('error', () => undefined);
  connection.on('close', onClose);
  const channel = await connection.createConfirmChannel();
  channel.on('error', () => undefined);
  return { connection, channel };
}
