import { once } from 'node:events';
import type { Socket } from 'node:net';
import { isNativeError } from 'node:util/types';
import { Injectable, Logger } from '@nestjs/common';
import {
  connect,
  credentials,
  type Channel,
  type ChannelModel,
  type ConfirmChannel,
  type ConsumeMessage,
} from 'amqplib';
import { MessagingMetrics } from './metrics.ts';
import { MessagingSettings } from './options.ts';
import { Backoff, outline, within } from './waiting.ts';

/** For a broker that accepts TCP connections and then says nothing. */
const HANDSHAKE_TIMEOUT_MS = 10_000;
const CLOSE_TIMEOUT_MS = 1_000;
/** A channel that held so long is no failing one. */
const STABLE_MS = 10_000;

/** A connection that comes back by itself, and with it every channel that was asked for. */
abstract class BrokerConnection {
  private readonly logger: Logger;
  private readonly stopping = new AbortController();
  private readonly channels: KeptChannel[] = [];
  private running: Promise<void> | undefined;
  private model: ChannelModel | null = null;
  private lost: AbortSignal | undefined;
  /** The broker has no memory or disk left and reads nothing more from here until it has. */
  blocked = false;

  constructor(
    private readonly settings: MessagingSettings,
    private readonly metrics: MessagingMetrics,
    private readonly role: 'publish' | 'consume',
  ) {
    this.logger = new Logger(`Messaging ${role}`);
  }

  get connected(): boolean {
    return this.model !== null;
  }

  /** Returns at once; connects in the background, however long that takes. */
  start(): void {
    this.running ??= this.run();
  }

  /**
   * Keeps a channel open for as long as the connection is: `open` prepares it, and is called again with the
   * next one whenever it was closed. A failing channel is retried alone and disturbs no other.
   */
  keep(name: string, open: (channel: ConfirmChannel, closed: AbortSignal) => Promise<void>): KeptChannel {
    const kept = new KeptChannel(name, this.logger, open);
    this.channels.push(kept);
    if (this.model && this.lost) void kept.run(this.model, this.lost);
    return kept;
  }

  /** Keeps a consumer. The signal tells that the message isn't ours any more. */
  consume(
    queue: string,
    prefetch: number,
    receive: (message: ConsumeMessage, channel: Channel, closed: AbortSignal) => void,
  ): KeptChannel {
    return this.keep(queue, async (channel, closed) => {
      await channel.prefetch(prefetch);
      await channel.consume(
        queue,
        (message) => {
          if (message) return receive(message, channel, closed);
          // The broker cancelled the consumer: the queue was moved or deleted. The next channel subscribes again.
          channel.close().catch(() => undefined);
        },
        { consumerTag: queue },
      );
    });
  }

  /** Gives up on a connection that is open in name only. */
  drop(reason: string): void {
    this.logger.warn({ event: 'broker.dropped', reason });
    if (this.model) destroy(this.model, reason);
  }

  async close(): Promise<void> {
    this.stopping.abort();
    const model = this.model;
    if (model) {
      await within(
        CLOSE_TIMEOUT_MS,
        model.close().catch(() => undefined),
      );
      destroy(model);
    }
    await this.running;
  }

  private async run(): Promise<void> {
    const backoff = new Backoff(this.stopping.signal);
    while (!this.stopping.signal.aborted) {
      try {
        const model = await this.connect();
        backoff.reset();
        await this.serve(model);
      } catch (error) {
        this.logger.warn({ event: 'broker.unreachable', reason: describe(error) });
      }
      if (!this.stopping.signal.aborted) await backoff.wait();
    }
  }

  private connect(): Promise<ChannelModel> {
    const url = new URL(this.settings.amqpUrl);
    if (!url.searchParams.has('heartbeat')) url.searchParams.set('heartbeat', String(this.settings.heartbeatS));
    const { tls } = this.settings;
    return connect(url.href, {
      ...(tls && { ...tls, credentials: credentials.external() }),
      timeout: HANDSHAKE_TIMEOUT_MS,
      noDelay: true,
      keepAlive: true,
      clientProperties: { connection_name: `${this.settings.service} ${this.role}` },
    });
  }

  /** Until the connection is lost or closed. */
  private async serve(model: ChannelModel): Promise<void> {
    // Whatever is wrong is followed by `close`; an `error` without listener would end the process.
    model.on('error', (error) => this.logger.warn({ event: 'broker.error', reason: describe(error) }));
    model.on('blocked', () => this.block(true));
    model.on('unblocked', () => this.block(false));
    const lost = new AbortController();
    const over = new Promise<void>((resolve) => model.once('close', resolve));
    if (this.stopping.signal.aborted) return model.close();
    this.model = model;
    this.lost = lost.signal;
    this.logger.log({ event: 'broker.connected' });
    for (const kept of this.channels) void kept.run(model, lost.signal);
    await over;
    this.model = null;
    this.blocked = false;
    lost.abort();
    destroy(model);
    if (!this.stopping.signal.aborted) {
      this.metrics.reconnects.add(1, { connection: this.role });
      this.logger.warn({ event: 'broker.lost' });
    }
  }

  private block(blocked: boolean): void {
    this.blocked = blocked;
    // Memory or disk is short there.
    this.logger.warn({ event: blocked ? 'broker.blocked' : 'broker.unblocked' });
  }
}

/**
 * For what is published. Apart from the consumers', because the broker stops reading a blocked connection,
 * and acknowledgements would get stuck with the publications.
 */
@Injectable()
export class PublishConnection extends BrokerConnection {
  constructor(settings: MessagingSettings, metrics: MessagingMetrics) {
    super(settings, metrics, 'publish');
  }
}

@Injectable()
export class ConsumeConnection extends BrokerConnection {
  constructor(settings: MessagingSettings, metrics: MessagingMetrics) {
    super(settings, metrics, 'consume');
  }
}

/** A channel that is reopened whenever it, its consumer or its connection was closed. */
export class KeptChannel {
  /** Null while there is none. */
  channel: ConfirmChannel | null = null;
  private readonly stopping = new AbortController();

  constructor(
    private readonly name: string,
    private readonly logger: Logger,
    private readonly open: (channel: ConfirmChannel, closed: AbortSignal) => Promise<void>,
  ) {}

  async run(model: ChannelModel, connectionLost: AbortSignal): Promise<void> {
    const over = AbortSignal.any([connectionLost, this.stopping.signal]);
    const backoff = new Backoff(over);
    while (!over.aborted) {
      const closed = new AbortController();
      const close = () => closed.abort();
      over.addEventListener('abort', close, { once: true });
      let channel: ConfirmChannel | undefined;
      try {
        channel = await model.createConfirmChannel();
        channel.once('close', close);
        channel.on('error', (error) =>
          this.logger.error({ event: 'channel.failed', channel: this.name, reason: describe(error) }),
        );
        await this.open(channel, closed.signal);
        this.channel = channel;
        const openedAt = Date.now();
        if (!closed.signal.aborted) await once(closed.signal, 'abort');
        if (Date.now() - openedAt > STABLE_MS) backoff.reset();
      } catch (error) {
        if (!over.aborted) this.logger.error({ event: 'channel.failed', channel: this.name, reason: describe(error) });
        // Closed already, as a rule; otherwise it would stay open beside its successor.
        await channel?.close().catch(() => undefined);
      }
      this.channel = null;
      close();
      over.removeEventListener('abort', close);
      if (!over.aborted) await backoff.wait();
    }
  }

  /** No further messages, while those under way can still be acknowledged. */
  async cancel(): Promise<void> {
    await this.channel?.cancel(this.name).catch(() => undefined);
  }

  /** Closes the channel for good: the broker hands out again what was not acknowledged. */
  async close(): Promise<void> {
    const { channel } = this;
    this.stopping.abort();
    if (channel)
      await within(
        CLOSE_TIMEOUT_MS,
        channel.close().catch(() => undefined),
      );
  }
}

/** `close()` would wait for an answer; typings leave the socket out. */
function destroy(model: ChannelModel, reason = 'closing'): void {
  // With an error, because amqplib takes no notice of a socket that is merely closed.
  (model.connection as unknown as { stream: Socket }).stream.destroy(new Error(reason));
}

/** The broker's own words are about names and codes; anything else is outlined. */
function describe(error: unknown): string {
  const ours =
    isNativeError(error) && (/closed|failed|connect|heartbeat|handshake/i.test(error.message) || 'code' in error);
  return ours ? error.message : outline(error);
}
