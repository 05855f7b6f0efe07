import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EVENTS, eventsExchange, RETRY_DELAYS, subscriptions, type ServiceName } from '@cabstand/contracts';
import { eventually, messageOf, type TestMessage } from '@cabstand/testing';
import { connect, type ChannelModel, type ConfirmChannel } from 'amqplib';
import { ROOT } from '../../../infra/paths.ts';
import type { Platform } from './platform.ts';

/** A durable exchange, with an event of it that every queue behind it takes, whatever came before. */
export interface Source {
  publisher: ServiceName;
  type: string;
  /** Another one of the same queues. */
  otherType: string;
  queues: { consumer: ServiceName; queue: string }[];
}

const EXAMPLES: Record<ServiceName, [type: string, otherType: string]> = {
  passenger: ['passenger.registered', 'passenger.updated'],
  driver: ['driver.registered', 'driver.updated'],
  trip: ['trip.cancelled', 'trip.completed'],
};

export const SOURCES: Source[] = Object.entries(EXAMPLES).map(([publisher, [type, otherType]]) => ({
  publisher: publisher as ServiceName,
  type,
  otherType,
  queues: subscriptions(EVENTS)
    .filter((queue) => queue.publisher === publisher && queue.types.includes(type))
    .map(({ consumer, queue }) => ({ consumer, queue })),
}));

/** As it stands on record in the contracts, about somebody whom nobody knows yet. */
export function goodMessage({ publisher, type }: Source): TestMessage {
  const file = join(ROOT, 'libs', 'contracts', 'fixtures', type, '1.json');
  const payload = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  const { subject } = EVENTS.find((event) => event.type === type)!;
  return messageOf(publisher, type, { ...payload, [subject]: crypto.randomUUID() });
}

/** The broker as its administrator sees it. */
export class BrokerView {
  readonly #connection: ChannelModel;
  readonly #channel: ConfirmChannel;

  private constructor(connection: ChannelModel, channel: ConfirmChannel) {
    this.#connection = connection;
    this.#channel = channel;
  }

  static async open({ broker }: Platform): Promise<BrokerView> {
    const connection = await connect(broker.adminUrl);
    return new BrokerView(connection, await connection.createConfirmChannel());
  }

  async publish(publisher: ServiceName, { routingKey, body, options }: TestMessage): Promise<void> {
    this.#channel.publish(eventsExchange(publisher), routingKey, body, options);
    await this.#channel.waitForConfirms();
  }

  /** Neither waiting, nor to be tried again, nor on its way to `dead_letters`. */
  async expectEmpty(queue: string): Promise<void> {
    for (const suffix of ['', ...RETRY_DELAYS.map(({ name }) => `.retry.${name}`), '.dead']) {
      await eventually(async () => {
        const { messageCount } = await this.#channel.checkQueue(queue + suffix);
        expect([queue + suffix, messageCount]).toEqual([queue + suffix, 0]);
      });
    }
  }

  close(): Promise<void> {
    return this.#connection.close();
  }
}
