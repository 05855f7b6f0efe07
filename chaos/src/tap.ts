import { eventsExchange, SERVICES } from '@cabstand/contracts';
import type { TestBroker } from '@cabstand/testing';
import { connect } from 'amqplib';

export const TAP = 'chaos.tap';

export interface Publication {
  id: string;
  type: string;
  source: string;
  subject: string;
  sequence: number;
  payload: Record<string, unknown>;
}

/** Makes a queue that gets a copy of all that any service publishes. */
export async function bindTap({ adminUrl }: TestBroker): Promise<void> {
  const connection = await connect(adminUrl);
  const channel = await connection.createChannel();
  await channel.assertQueue(TAP, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  for (const service of SERVICES) await channel.bindQueue(TAP, eventsExchange(service), '#');
  await connection.close();
}

/** Everything that was published, in order. */
export async function publicationsOf({ adminUrl }: TestBroker): Promise<Publication[]> {
  const connection = await connect(adminUrl);
  try {
    const channel = await connection.createChannel();
    const { messageCount } = await channel.checkQueue(TAP);
    const publications: Publication[] = [];
    if (messageCount === 0) return publications;
    await new Promise<void>((resolve, reject) => {
      channel
        .consume(
          TAP,
          (message) => {
            if (!message) return reject(new Error('the tap was closed'));
            const headers = (message.properties.headers ?? {}) as Record<string, unknown>;
            publications.push({
              id: String(message.properties.messageId),
              type: String(message.properties.type),
              source: String(headers['cloudEvents:source']),
              subject: String(headers['cloudEvents:subject']),
              sequence: Number(headers['cloudEvents:sequence']),
              payload: JSON.parse(String(message.content)) as Record<string, unknown>,
            });
            if (publications.length === messageCount) resolve();
          },
          { noAck: true },
        )
        .catch(reject);
    });
    return publications;
  } finally {
    await connection.close();
  }
}
