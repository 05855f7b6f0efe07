import { AsyncLocalStorage } from 'node:async_hooks';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { Delivery } from './delivery.ts';
import { failPoint } from './fail-point.ts';
import { MessagingSettings } from './options.ts';
import { Transactions } from './transactions.ts';

const PRUNED_AT_ONCE = 1_000;
/** Whoever holds a row for longer isn't waited for with the rows of a whole batch in our hands. */
const BATCH_LOCK_TIMEOUT = '250ms';

/** Makes at-least-once delivery have its effect once. */
@Injectable()
export class Inbox {
  /** The ids that the batch around recorded, and that nobody has acted on yet. */
  private readonly batch = new AsyncLocalStorage<Set<string>>();

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
    const batch = this.batch.getStore();
    await this.transactions.run(
      async (tx) => {
        if (batch) return batch.delete(delivery.envelope.id.toLowerCase()) ? fn(tx) : undefined;
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

  /**
   * Records many ids at once and handles the messages in that one transaction, which their `once()` joins.
   * `handle` returns the ids that it left for later. Nothing is tried again here: any error undoes all of it.
   */
  async together(ids: string[], handle: () => Promise<string[]>, signal: AbortSignal): Promise<void> {
    const work = async (tx: EntityManager) => {
      // Sorted, so that replicas with copies of the same messages wait for each other and don't deadlock.
      const recorded: { message_id: string }[] = await tx.query(
        `INSERT INTO inbox (message_id) SELECT id FROM set_config('lock_timeout', $2, true), unnest($1::uuid[]) AS id
         ON CONFLICT DO NOTHING RETURNING message_id`,
        [ids.toSorted(), BATCH_LOCK_TIMEOUT],
      );
      const fresh = new Set(recorded.map((row) => row.message_id));
      const left = (await this.batch.run(fresh, handle)).filter((id) => fresh.has(id.toLowerCase()));
      if (left.length > 0) await tx.query('DELETE FROM inbox WHERE message_id = ANY($1::uuid[])', [left]);
      failPoint('handler.before-commit');
    };
    await this.transactions.run(work, { signal, retries: 0 });
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
