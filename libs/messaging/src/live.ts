import { randomUUID } from 'node:crypto';
import { liveExchange, type ServiceName } from '@cabstand/contracts';
import { Injectable, Logger } from '@nestjs/common';
import type { Channel, ConsumeMessage } from 'amqplib';
import { ConsumeConnection, PublishConnection, type KeptChannel } from './broker-connection.ts';
import { MessagingSettings } from './options.ts';
import { outline } from './waiting.ts';

/** A replica that can't keep up hears the latest and misses the rest. */
const QUEUE_ARGUMENTS = { 'x-max-length': 10_000, 'x-message-ttl': 10_000 };

type Handler = (payload: unknown) => void;
interface Topic {
  exchange: string;
  routingKey: string;
  handlers: Set<Handler>;
}

/** What every replica should hear of at once and nobody minds missing: positions, wake-ups. */
@Injectable()
export class Live {
  private readonly logger = new Logger(Live.name);
  private readonly topics = new Map<string, Topic>();
  private readonly publishing: KeptChannel;
  private readonly consuming: KeptChannel;
  private readonly replica = randomUUID();
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

  /** To every replica of every service that subscribed: to this one at once, to others unless it is disconnected. */
  publish(routingKey: string, payload: object): void {
    const exchange = liveExchange(this.settings.service);
    const message = this.parse(routingKey, payload);
    this.hand(exchange, routingKey, message);
    const { channel } = this.publishing;
    if (!channel || this.full || this.publishConnection.blocked) return;
    const body = Buffer.from(JSON.stringify(message));
    const options = { contentType: 'application/json', type: routingKey, persistent: false, appId: this.replica };
    try {
      this.full = !channel.publish(exchange, routingKey, body, options);
    } catch {
      // The channel was closed a moment ago: as good as disconnected.
    }
  }

  /** Hears the publisher's live messages with this routing key, across reconnections. Returns how to stop. */
  subscribe(publisher: ServiceName, routingKey: string, handler: Handler): () => void {
    const exchange = liveExchange(publisher);
    let topic = this.topics.get(`${exchange} ${routingKey}`);
    if (!topic) {
      topic = { exchange, routingKey, handlers: new Set() };
      this.topics.set(`${exchange} ${routingKey}`, topic);
      const { channel } = this.consuming;
      if (channel)
        this.bind(channel, topic).catch((error: unknown) =>
          this.logger.error({ event: 'live.not-bound', routingKey, reason: outline(error) }),
        );
    }
    const { handlers } = topic;
    // One function may be subscribed twice, and each subscription ends by itself.
    const own: Handler = (payload) => handler(payload);
    handlers.add(own);
    // The binding stays: without a handler its messages are dropped here.
    return () => void handlers.delete(own);
  }

  private async open(channel: Channel): Promise<void> {
    // A new name each time: after a cut connection the broker may still hold the old queue for the dead one.
    this.queue = `${this.settings.service}.live.${randomUUID()}`;
    const options = { exclusive: true, autoDelete: true, durable: false, arguments: QUEUE_ARGUMENTS };
    await channel.assertQueue(this.queue, options);
    await channel.consume(this.queue, (message) => this.receive(channel, message), { noAck: true });
    for (const topic of this.topics.values()) await this.bind(channel, topic);
  }

  private async bind(channel: Channel, { exchange, routingKey }: Topic): Promise<void> {
    await channel.bindQueue(this.queue, exchange, routingKey);
  }

  private receive(channel: Channel, message: ConsumeMessage | null): void {
    if (!message) return void channel.close().catch(() => undefined);
    // What this replica published, it has heard.
    if (message.properties.appId === this.replica) return;
    const { exchange, routingKey } = message.fields;
    let payload: unknown;
    try {
      payload = this.parse(routingKey, JSON.parse(message.content.toString()));
    } catch {
      return this.logger.warn({ event: 'live.malformed', routingKey });
    }
    this.hand(exchange, routingKey, payload);
  }

  private hand(exchange: string, routingKey: string, payload: unknown): void {
    for (const handle of this.topics.get(`${exchange} ${routingKey}`)?.handlers ?? []) {
      try {
        handle(payload);
      } catch (error) {
        this.logger.error({ event: 'live.handler-failed', routingKey, reason: outline(error) });
      }
    }
  }

  /** Wake-ups have no contract, and pass as they are. */
  private parse(routingKey: string, payload: unknown): unknown {
    const event = this.settings.events.find(({ type, delivery }) => type === routingKey && delivery === 'live');
    return event ? event.schema.parse(payload) : payload;
  }
}
