import { randomUUIDv7 } from 'node:crypto';
import { eventsExchange, type EventDefinition, type PayloadOf } from '@cabstand/contracts';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { MessagingSettings } from './options.ts';
import { activeTraceparent } from './trace-context.ts';
import { partitionOf } from './outbox-reader.ts';
import { Relay } from './relay.ts';
import { Transactions } from './transactions.ts';

/** Where events go in the transaction that causes them. */
@Injectable()
export class Outbox {
  constructor(
    private readonly settings: MessagingSettings,
    private readonly transactions: Transactions,
    private readonly relay: Relay,
  ) {}

  /**
   * Adds the event to the transaction: it is published if and only if that commits.
   * `sequence` counts the aggregate's events from 1, incremented under the aggregate's row lock by the caller.
   * @throws ZodError, Error when the payload or the event isn't this service's to publish: a programmer's error
   */
  async add<E extends EventDefinition>(
    tx: EntityManager,
    event: E,
    payload: PayloadOf<E>,
    sequence: number,
  ): Promise<void> {
    const { service, maxBodyBytes } = this.settings;
    if (event.delivery !== 'durable' || !event.publishers.includes(service)) {
      throw new Error(`${service} does not publish ${event.type} through the outbox`);
    }
    const parsed = event.schema.parse(payload);
    const body = JSON.stringify(parsed);
    if (Buffer.byteLength(body) > maxBodyBytes) throw new Error(`${event.type} is over ${maxBodyBytes} bytes`);
    const subject = String((parsed as Record<string, unknown>)[event.subject]);
    const partition = partitionOf(subject);
    await tx.query(
      `INSERT INTO outbox (id, partition, exchange, type, subject, sequence, payload, traceparent, occurred_at, mandatory)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
      [
        randomUUIDv7(),
        partition,
        eventsExchange(service),
        event.type,
        subject,
        sequence,
        body,
        activeTraceparent(),
        new Date(),
        event.consumers.length > 0,
      ],
    );
    this.transactions.afterCommit(this.relay.wakeFor(partition));
  }
}
