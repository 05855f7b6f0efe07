import { EVENTS, eventsExchange, type ServiceName } from '@cabstand/contracts';
import { connect } from 'amqplib';

export interface Fact {
  type: string;
  sequence: number;
  payload: Record<string, unknown>;
}

/** Publishes events as a service would, but in the order that the test wants; answers when the broker has them all. */
export async function publishAs(publisher: ServiceName, amqpUrl: string, facts: Fact[]): Promise<void> {
  const connection = await connect(amqpUrl);
  const channel = await connection.createConfirmChannel();
  for (const { type, sequence, payload } of facts) {
    const subjectField = EVENTS.find((event) => event.type === type)?.subject;
    if (!subjectField) throw new Error(`there is no event ${type}`);
    const id = crypto.randomUUID();
    const attributes = {
      specversion: '1.0',
      id,
      source: `/cabstand/${publisher}`,
      type,
      time: new Date().toISOString(),
      subject: payload[subjectField],
      sequence,
    };
    const headers = Object.fromEntries(
      Object.entries(attributes).map(([name, value]) => [`cloudEvents:${name}`, value]),
    );
    channel.publish(eventsExchange(publisher), type, Buffer.from(JSON.stringify(payload)), {
      messageId: id,
      type,
      contentType: 'application/json',
      persistent: true,
      headers,
    });
  }
  await channel.waitForConfirms();
  await connection.close();
}

export function permutations<T>(items: T[]): T[][] {
  if (items.length <= 1) return [items];
  return items.flatMap((item, index) => permutations(items.toSpliced(index, 1)).map((rest) => [item, ...rest]));
}
