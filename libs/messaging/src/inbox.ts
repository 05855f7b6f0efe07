import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { Delivery } from './delivery.ts';
import { failPoint } from './fail-point.ts';
import { MessagingSettings } from './options.ts';
import { Transactions } from './transactions.ts';

const PRUNED_AT_ONCE = 1_000;

/** Makes at-least-once delivery have its effect once. */
@Injectable()
export class Inbox {
  constructor(
    private readonly transactions: Transactions,
    private readonly dataSource: DataSource,
    private readonly settings: MessagingSettings,
  ) {}

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
        failPoint('handler.before-commit');
      },
      { signal: delivery.signal },
    );
  }

  /** Forgets old ids, a few at a time: no statement holds many locks, and replicas don't wait for each other. */
  async prune(): Promise<void> {
    const before = new Date(Date.now() - this.settings.inboxKeepMs);
    let pruned: number;
    do {
      [, pruned] = await this.dataSource.query<[unknown, number]>(
        `DELETE FROM inbox WHERE message_id = ANY(ARRAY(
           SELECT message_id FROM inbox WHERE received_at < $1 ORDER BY received_at LIMIT $2 FOR UPDATE SKIP LOCKED))`,
        [before, PRUNED_AT_ONCE],
      );
    } while (pruned === PRUNED_AT_ONCE);
  }
}
