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
    await this.onceEach([delivery], fn);
  }

  /** The same for a set-based handler: `fn` gets the deliveries that have had no effect yet, and isn't called for none. */
  async onceEach<Payload>(
    deliveries: readonly Delivery<Payload>[],
    fn: (tx: EntityManager, fresh: Delivery<Payload>[]) => Promise<void>,
  ): Promise<void> {
    const batch = this.batch.getStore();
    const work = async (tx: EntityManager) => {
      const ids = batch ?? (await this.record(tx, deliveries.map(idOf)));
      const fresh = deliveries.filter((delivery) => ids.delete(idOf(delivery)));
      if (fresh.length > 0) await fn(tx, fresh);
      if (!batch) failPoint('handler.before-commit');
    };
    await this.transactions.run(work, { signal: deliveries[0]?.signal });
  }

  /**
   * Records many ids at once and handles the messages in that one transaction, which their `once()` joins.
   * `handle` returns the ids that it left for later. Nothing is tried again here: any error undoes all of it.
   */
  async together(ids: string[], handle: () => Promise<string[]>, signal: AbortSignal): Promise<void> {
    const work = async (tx: EntityManager) => {
      const fresh = await this.record(tx, ids, BATCH_LOCK_TIMEOUT);
      const left = (await this.batch.run(fresh, handle)).filter((id) => fresh.has(id.toLowerCase()));
      if (left.length > 0) await tx.query('DELETE FROM inbox WHERE message_id = ANY($1::uuid[])', [left]);
      failPoint('handler.before-commit');
    };
    await this.transactions.run(work, { signal, retries: 0 });
  }

  /** Answers those that weren't recorded before. Waits for whoever is recording one of them, for so long at most. */
  private async record(tx: EntityManager, ids: string[], lockTimeout: string | null = null): Promise<Set<string>> {
    // Sorted, so that replicas with copies of the same messages wait for each other and don't deadlock.
    const recorded: { message_id: string }[] = await tx.query(
      `INSERT INTO inbox (message_id) SELECT id FROM unnest($1::uuid[]) AS id,
         set_config('lock_timeout', coalesce($2, current_setting('lock_timeout')), true)
       ON CONFLICT DO NOTHING RETURNING message_id`,
      [ids.toSorted(), lockTimeout],
    );
    return new Set(recorded.map((row) => row.message_id));
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

/** As PostgreSQL writes it. */
const idOf = ({ envelope }: Delivery) => envelope.id.toLowerCase();
