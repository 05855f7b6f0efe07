import { deadQueue } from '@cabstand/contracts';
import { Injectable, Logger } from '@nestjs/common';
import type { Channel, ConsumeMessage } from 'amqplib';
import { DataSource } from 'typeorm';
import { ConsumeConnection, type KeptChannel } from './broker-connection.ts';
import { failPoint } from './fail-point.ts';
import { CLOUD_EVENTS, deadLetterId, failuresOf, HEADERS } from './message.ts';
import { MessagingSettings } from './options.ts';
import { queuesOf } from './subscriptions.ts';
import { Backoff, outline } from './waiting.ts';

const PREFETCH = 10;

/**
 * Moves what arrives in the dead queues into the table `dead_letters`, where an operator can look at it
 * without using up its delivery limit. While the database is down the messages stay in the queue.
 */
@Injectable()
export class DeadLetters {
  private readonly logger = new Logger(DeadLetters.name);
  private readonly moving = new Set<Promise<void>>();
  private kept: KeptChannel[] = [];

  constructor(
    private readonly settings: MessagingSettings,
    private readonly dataSource: DataSource,
    private readonly connection: ConsumeConnection,
  ) {}

  start(): void {
    this.kept = queuesOf(this.settings).map(({ queue }) =>
      this.connection.consume(deadQueue(queue), PREFETCH, (message, channel, closed) => {
        const work = this.move(queue, message, channel, closed).finally(() => this.moving.delete(work));
        this.moving.add(work);
      }),
    );
  }

  async stop(): Promise<void> {
    // Given up on when the channel closes: moving a message twice makes one row.
    const closing = this.kept.map((kept) => kept.close());
    await Promise.all([...closing, ...this.moving]);
  }

  private async move(queue: string, message: ConsumeMessage, channel: Channel, closed: AbortSignal): Promise<void> {
    const backoff = new Backoff(closed, 500);
    while (!closed.aborted) {
      try {
        await this.store(queue, message);
        failPoint('dead-letter.before-ack');
        channel.ack(message);
        return;
      } catch (error) {
        if (closed.aborted) return;
        this.logger.error({ event: 'dead-letter.not-moved', queue, reason: outline(error) });
        await backoff.wait();
      }
    }
  }

  private async store(queue: string, message: ConsumeMessage): Promise<void> {
    const { properties, content } = message;
    const headers = properties.headers ?? {};
    const { attempt, history } = failuresOf(headers);
    const id = deadLetterId(queue, message);
    const { keys } = this.settings;
    const reason = headers[HEADERS.reason] ?? brokersReason(headers);
    // The row may be there: moved twice, or about to be deleted by the replay that brought the message back. Unlike
    // DO NOTHING, an update waits for that transaction, and inserts when the row is gone.
    await this.dataSource.query(
      `INSERT INTO dead_letters (id, queue, message_id, type, reason, detail, attempts, history, properties, body, sealed)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
       ON CONFLICT (id) DO UPDATE SET reason = EXCLUDED.reason, detail = EXCLUDED.detail, history = EXCLUDED.history`,
      [
        id,
        queue,
        storable(properties.messageId ?? null),
        storable(headers[`${CLOUD_EVENTS}type`] ?? properties.type ?? null),
        storable(reason),
        storable(headers[HEADERS.detail] ?? null),
        attempt,
        JSON.stringify(storable(history)),
        JSON.stringify(storable(properties)),
        keys ? keys.seal(content, placeOfBody(id)) : content,
        keys !== undefined,
      ],
    );
  }
}

/** What a sealed body is bound to. */
export const placeOfBody = (id: string) => `dead_letters.body ${id}`;

/** Set aside by the broker itself, because the message took the process down too often. */
function brokersReason(headers: Record<string, unknown>): string {
  const deaths = headers['x-death'];
  const [last] = Array.isArray(deaths) ? (deaths as { reason?: unknown }[]) : [];
  return last?.reason === 'delivery_limit' ? 'delivery-limit' : String(last?.reason ?? 'unknown');
}

/** Neither text nor jsonb takes NUL or half a surrogate pair, and a bad message may have them anywhere. */
function storable(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll('\0', '\uFFFD').toWellFormed();
  if (Buffer.isBuffer(value)) return value.toString('base64');
  if (Array.isArray(value)) return value.map(storable);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [storable(name), storable(inner)]));
  }
  return value;
}
