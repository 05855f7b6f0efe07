import { randomUUIDv7 } from 'node:crypto';
import { connect } from 'amqplib';
import { nowMs } from '../../harness/machine.ts';
import { serve, type Commands } from '../../harness/worker.ts';
import { BODY_BYTES, rideNoted } from '../event.ts';
import { paced, pipelined, Tally, usage, WINDOW, type Pace } from './measuring.ts';

const EXCHANGE = 'raw.events';
const ROUTING_KEY = 'ride.noted';
const PREFETCH = 500;

export interface ReferenceSettings {
  amqpUrl: string;
  databaseUrl: string;
  role: 'publisher' | 'consumer';
  queueArguments: Record<string, unknown>;
}

/**
 * The limit: what amqplib and the broker can do with the same guarantees on the wire (persistent, a confirm for each
 * message, an acknowledgement for each) and the same messages, and no database at either end.
 */
serve(async ({ amqpUrl, role, queueArguments }: ReferenceSettings): Promise<Commands> => {
  const connection = await connect(amqpUrl, { noDelay: true });
  const channel = await connection.createConfirmChannel();
  await channel.assertExchange(EXCHANGE, 'topic', { durable: true });
  await channel.assertQueue('raw', { durable: true, arguments: queueArguments });
  await channel.bindQueue('raw', EXCHANGE, ROUTING_KEY);
  if (role === 'consumer') {
    const tally = new Tally();
    await channel.prefetch(PREFETCH);
    await channel.consume('raw', (message) => {
      if (!message) return;
      channel.ack(message);
      tally.handled(String(message.properties.messageId));
    });
    return { ...tally.commands };
  }
  let bodyOnly = false;
  const publish = (messageId: string, bodyBytes = BODY_BYTES) =>
    new Promise<void>((resolve, reject) => {
      const body = Buffer.from(JSON.stringify(rideNoted(messageId, bodyBytes)));
      const bare = { persistent: true, messageId, contentType: 'application/json' };
      const options = bodyOnly ? bare : { ...bare, mandatory: true, type: ROUTING_KEY, headers: headersOf(messageId) };
      channel.publish(EXCHANGE, ROUTING_KEY, body, options, (error) => (error ? reject(error as Error) : resolve()));
    });
  return {
    send: (how: { bodyOnly: boolean }) => void ({ bodyOnly } = how),
    publish: async ({ count, bodyBytes }: { count: number; bodyBytes: number }) => {
      const startedAt = nowMs();
      await pipelined(count, WINDOW, () => publish(randomUUIDv7(), bodyBytes));
      return startedAt;
    },
    paced: (pace: Pace) =>
      paced(pace, async (id) => {
        const publishedAt = nowMs();
        await publish(id);
        return publishedAt;
      }),
    usage,
  };
});

/** As the library sends them: what an event is called by, and who may read it without its body. */
const headersOf = (id: string) => ({
  'cloudEvents:specversion': '1.0',
  'cloudEvents:id': id,
  'cloudEvents:source': '/cabstand/trip',
  'cloudEvents:type': ROUTING_KEY,
  'cloudEvents:time': new Date().toISOString(),
  'cloudEvents:subject': id,
  'cloudEvents:sequence': 1,
});
