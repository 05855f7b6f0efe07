import { randomUUIDv7 } from 'node:crypto';
import { eventsExchange, type EventDefinition, type PayloadOf } from '@cabstand/contracts';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { MessagingSettings } from './options.ts';
import { activeTraceparent } from './trace-context.ts';
import { Transactions } from './transactions.ts';
import { Wake } from './wake.ts';

/**
 * Relays work on partitions, one relay on each at a time. Written into the rows: changing it takes an empty
 * outbox and no old replica left.
 */
export const PARTITIONS = 4;

/** The end of a UUID is random in every version that a service would make. */
export const partitionOf = (subject: string) => parseInt(subject.slice(-4), 16) % PARTITIONS;

@Injectable()
export class Outbox {
  constructor(
    private readonly settings: MessagingSettings,
    private readonly transactions: Transactions,
    private readonly wake: Wake,
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
    this.transactions.afterCommit(this.wake.forPartition(partition));
  }
}
