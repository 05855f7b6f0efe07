import { isNativeError } from 'node:util/types';
import type { Message, MessagePropertyHeaders, Options } from 'amqplib';
import type { KeptChannel, PublishConnection } from './broker-connection.ts';
import { tagOf } from './message.ts';

/**
 * - `confirmed`: the broker has it on disk in every queue it belongs to.
 * - `returned`: no queue is bound for it.
 * - `refused`: a queue would not take it (it is full).
 * - `lost`: nobody knows, because the channel was closed before the answer.
 */
export type Outcome = 'confirmed' | 'returned' | 'refused' | 'lost';

const WATCH_EVERY_MS = 1_000;

/** Publishes with pipelined confirms on one channel, and notices when confirms stop coming. */
export class ConfirmedPublisher {
  private readonly kept: KeptChannel;
  /** How often each publication was returned whose confirm is still to come. */
  private readonly returned = new Map<string, number>();
  private readonly watch: NodeJS.Timeout;
  private unconfirmed = 0;
  private progressAt = 0;

  constructor(
    name: string,
    private readonly connection: PublishConnection,
    private readonly confirmTimeoutMs: number,
    onReady: () => void = () => undefined,
  ) {
    this.kept = connection.keep(name, (channel) => {
      this.returned.clear();
      this.unconfirmed = 0;
      channel.on('return', (message) => this.onReturn(message));
      // Only once `ready` answers true.
      setImmediate(onReady);
      return Promise.resolve();
    });
    this.watch = setInterval(() => this.checkProgress(), WATCH_EVERY_MS).unref();
  }

  get ready(): boolean {
    return this.kept.channel !== null && !this.connection.blocked;
  }

  /** Never rejects for what the broker or the network does. Either a message id or our tag tells messages apart. */
  publish(exchange: string, routingKey: string, body: Buffer, options: Options.Publish): Promise<Outcome> {
    const channel = this.kept.channel;
    if (!channel) return Promise.resolve('lost');
    if (this.unconfirmed === 0) this.progressAt = Date.now();
    const tag = nameOf(options);
    return new Promise((resolve, reject) => {
      const settle = (error: Error | null) => {
        this.progressAt = Date.now();
        this.unconfirmed--;
        if (error) return resolve(error.message === 'message nacked' ? 'refused' : 'lost');
        // The broker returns a message before it confirms it.
        const returns = this.returned.get(tag) ?? 0;
        if (returns === 0) return resolve('confirmed');
        if (returns === 1) this.returned.delete(tag);
        else this.returned.set(tag, returns - 1);
        resolve('returned');
      };
      try {
        channel.publish(exchange, routingKey, body, options, settle);
        this.unconfirmed++;
      } catch (error) {
        if (isNativeError(error) && error.name === 'IllegalOperationError') resolve('lost');
        else reject(error as Error);
      }
    });
  }

  stop(): void {
    clearInterval(this.watch);
  }

  private onReturn({ properties }: Message): void {
    const tag = nameOf(properties);
    this.returned.set(tag, (this.returned.get(tag) ?? 0) + 1);
  }

  private checkProgress(): void {
    const stalled = this.unconfirmed > 0 && Date.now() - this.progressAt > this.confirmTimeoutMs;
    if (stalled && this.kept.channel && !this.connection.blocked) this.connection.drop('confirms have stalled');
  }
}

const nameOf = ({ messageId, headers }: { messageId?: unknown; headers?: unknown }) =>
  String(messageId || tagOf(headers as MessagePropertyHeaders));
