import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Delivery } from './delivery.ts';
import { Transactions } from './transactions.ts';

/** Makes at-least-once delivery have its effect once. */
@Injectable()
export class Inbox {
  constructor(private readonly transactions: Transactions) {}

  /**
   * Runs `fn` in the same transaction that records the message's id; does nothing when the id is recorded.
   * Once for each handler: a second call for the same delivery would find the id of the first.
   */
  async once(delivery: Delivery, fn: (tx: EntityManager) => Promise<void>): Promise<void> {
    await this.transactions.run(
      async (tx) => {
        // The same message handled in parallel waits here until the other transaction has ended.
        const recorded: unknown[] = await tx.query(
          'INSERT INTO inbox (message_id) VALUES ($1) ON CONFLICT DO NOTHING RETURNING message_id',
          [delivery.envelope.id],
        );
        if (recorded.length > 0) await fn(tx);
      },
      { signal: delivery.signal },
    );
  }
}
