import { randomUUID } from 'node:crypto';
import { liveExchange, type ServiceName } from '@cabstand/contracts';
import { Injectable, Logger } from '@nestjs/common';
import type { Channel, ConsumeMessage } from 'amqplib';
import { ConsumeConnection, PublishConnection, type KeptChannel } from './broker-connection.ts';
import { MessagingSettings } from './options.ts';
import { outline } from './waiting.ts';

/** A replica that can't keep up hears the latest and misses the rest. */
const QUEUE_ARGUMENTS = { 'x-max-length': 10_000, 'x-message-ttl': 10_000 };

interface Subscription {
  exchange: string;
  routingKey: string;
  handler: (payload: unknown) => void;
}

/** What every replica should hear of at once and nobody minds missing: positions, wake-ups. */
@Injectable()
export class Live {
  private readonly logger = new Logger(Live.name);
  private readonly subscriptions = new Set<Subscription>();
  private readonly publishing: KeptChannel;
  private readonly consuming: KeptChannel;
  private queue = '';
  /** The socket takes no more for now. */
  private full = false;

  constructor(
    private readonly settings: MessagingSettings,
    private readonly publishConnection: PublishConnection,
    consumeConnection: ConsumeConnection,
  ) {
    this.publishing = publishConnection.keep('live publish', (channel) => {
      this.full = false;
      channel.on('drain', () => (this.full = false));
      return Promise.resolve();
    });
    this.consuming = consumeConnection.keep('live', (channel) => this.open(channel));
  }

  /** To every replica of every service that subscribed; dropped while disconnected. */
  publish(routingKey: string, payload: object): void {
    const { channel } = this.publishing;
    if (!channel || this.full || this.publishConnection.blocked) return;
    const event = this.settings.events.find(({ type, delivery }) => type === routingKey && delivery === 'live');
    const body = JSON.stringify(event ? event.schema.parse(payload) : payload);
    const options = { contentType: 'application/json', type: routingKey, persistent: false };
    try {
      this.full = !channel.publish(liveExchange(this.settings.service), routingKey, Buffer.from(body), options);
    } catch {
      // The channel was closed a moment ago: as good as disconnected.
    }
  }

  /** Hears the publisher's live messages with this routing key, across reconnections. Returns how to stop. */
  subscribe(publisher: ServiceName, routingKey: string, handler: (payload: unknown) => void): () => void {
    const subscription = { exchange: liveExchange(publisher), routingKey, handler };
    this.subscriptions.add(subscription);
    const { channel } = this.consuming;
    if (channel) void this.bind(channel, subscription).catch((error) => this.logger.error(outline(error)));
    // The binding stays until the next connection: without a handler its messages are dropped here.
    return () => void this.subscriptions.delete(subscription);
  }

  private async open(channel: Channel): Promise<void> {
    // A new name each time: after a cut connection the broker may still hold the old queue for the dead one.
    this.queue = `${this.settings.service}.live.${randomUUID()}`;
    await channel.assertQueue(this.queue, {
      exclusive: true,
      autoDelete: true,
      durable: false,
      arguments: QUEUE_ARGUMENTS,
    });
    await channel.consume(this.queue, (message) => this.receive(channel, message), { noAck: true });
    for (const subscription of [...this.subscriptions]) await this.bind(channel, subscription);
  }

  private async bind(channel: Channel, { exchange, routingKey }: Subscription): Promise<void> {
    await channel.bindQueue(this.queue, exchange, routingKey);
  }

  private receive(channel: Channel, message: ConsumeMessage | null): void {
    if (!message) return void channel.close().catch(() => undefined);
    const { exchange, routingKey } = message.fields;
    let payload: unknown;
    try {
      payload = JSON.parse(message.content.toString());
      const event = this.settings.events.find(({ type, delivery }) => type === routingKey && delivery === 'live');
      if (event) payload = event.schema.parse(payload);
    } catch {
      return this.logger.warn(`dropped a malformed live message ${routingKey}`);
    }
    for (const subscription of this.subscriptions) {
      if (subscription.exchange !== exchange || subscription.routingKey !== routingKey) continue;
      try {
        subscription.handler(payload);
      } catch (error) {
        this.logger.error(`live handler of ${routingKey}: ${outline(error)}`);
      }
    }
  }
}
