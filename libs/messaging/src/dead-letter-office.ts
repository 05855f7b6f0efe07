import { DomainError, retryExchange } from '@cabstand/contracts';
import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { DataSource, Raw, type EntityManager, type FindOptionsWhere } from 'typeorm';
import { PublishConnection } from './broker-connection.ts';
import { ConfirmedPublisher, type Outcome } from './confirmed-publisher.ts';
import { placeOfBody } from './dead-letters.ts';
import { CLOUD_EVENTS, replayOf } from './message.ts';
import { DeadLetter } from './messaging.entities.ts';
import { MessagingSettings } from './options.ts';
import { Transactions } from './transactions.ts';
import { sleep } from './waiting.ts';

/** Bodies may be large, and each batch is held in memory. */
const REPLAYED_AT_ONCE = 20;
/** Somebody waits for the answer, and the rows are locked. */
const CONFIRM_MS = 5_000;
const RETRY_AFTER_S = 2;

/** A dead letter without its content. */
export interface DeadLetterSummary {
  id: string;
  queue: string;
  messageId: string | null;
  type: string | null;
  reason: string;
  detail: string | null;
  attempts: number;
  sizeBytes: number;
  /** RFC 3339 in microseconds, as PostgreSQL orders by. */
  deadAt: string;
}

/** A place in the list of dead letters: that of this one. */
export type DeadLetterPosition = Pick<DeadLetterSummary, 'deadAt' | 'id'>;

type Affected = Pick<DeadLetter, 'id' | 'queue'>;
/** Writes down what is done, in the transaction that does it. */
export type Recording = (tx: EntityManager, letters: Affected[]) => Promise<void>;

export interface ReplayFilter {
  queue: string;
  type?: string;
  /** RFC 3339; what died later stays. */
  before?: string;
}

/** Version of the key, nonce and tag. */
const SEAL_BYTES = 29;

const SUMMARY = `id, queue, message_id AS "messageId", type, reason, detail, attempts, octet_length(body) - CASE WHEN sealed THEN ${SEAL_BYTES} ELSE 0 END AS "sizeBytes",
  to_char(dead_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "deadAt"`;

/** Where an operator looks through the dead letters, sends them again or throws them away. */
@Injectable()
export class DeadLetterOffice implements OnModuleDestroy {
  private readonly publisher: ConfirmedPublisher;

  constructor(
    private readonly settings: MessagingSettings,
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    connection: PublishConnection,
  ) {
    this.publisher = new ConfirmedPublisher('replay', connection, settings.confirmTimeoutMs);
  }

  onModuleDestroy(): void {
    this.publisher.stop();
  }

  /** Newest first. */
  list(limit: number, queue?: string, after?: DeadLetterPosition): Promise<DeadLetterSummary[]> {
    return this.dataSource.query(
      `SELECT ${SUMMARY} FROM dead_letters
       WHERE ($1::text IS NULL OR queue = $1) AND ($2::timestamptz IS NULL OR (dead_at, id) < ($2, $3::uuid))
       ORDER BY dead_letters.dead_at DESC, id DESC LIMIT $4`,
      [queue ?? null, after?.deadAt ?? null, after?.id ?? null, limit],
    );
  }

  async get(id: string): Promise<DeadLetter | null> {
    const letter = await this.dataSource.manager.findOneBy(DeadLetter, { id });
    if (letter) letter.body = this.bodyOf(letter);
    return letter;
  }

  /** Deletes what was said of somebody who is being erased: the dead events whose subject they are. */
  async forget(tx: EntityManager, subject: string): Promise<void> {
    await tx.query(`DELETE FROM dead_letters WHERE properties -> 'headers' ->> '${CLOUD_EVENTS}subject' = $1`, [
      subject,
    ]);
  }

  /** @throws DomainError NOT_FOUND; BROKER_UNAVAILABLE, and then it is still here */
  async replay(id: string, record: Recording): Promise<void> {
    const { found, replayed } = await this.replayBatch({ id }, record);
    if (found === 0) throw new DomainError('NOT_FOUND');
    if (replayed === 0) throw unavailable(0);
  }

  /**
   * Those that are here when it begins, oldest first; what fails again meanwhile is not sent twice.
   * @throws DomainError BROKER_UNAVAILABLE when the broker stops taking them: the others are still here
   */
  async replayAll(filter: ReplayFilter, record: Recording): Promise<number> {
    const { queue, type, before = await this.now() } = filter;
    const chosen = type === undefined ? { queue } : { queue, type };
    let count = 0;
    for (;;) {
      const until = Raw<Date>((deadAt) => `${deadAt} <= :before`, { before });
      const { found, replayed } = await this.replayBatch({ ...chosen, deadAt: until }, record);
      count += replayed;
      if (replayed < found) throw unavailable(count);
      if (found < REPLAYED_AT_ONCE) return count;
    }
  }

  /** @throws DomainError NOT_FOUND */
  async discard(id: string, record: Recording): Promise<void> {
    await this.transactions.run(async (tx) => {
      const [discarded] = await tx.query<[Affected[], number]>(
        'DELETE FROM dead_letters WHERE id = $1 RETURNING id, queue',
        [id],
      );
      if (discarded.length === 0) throw new DomainError('NOT_FOUND');
      await record(tx, discarded);
    });
  }

  private replayBatch(
    where: FindOptionsWhere<DeadLetter>,
    record: Recording,
  ): Promise<{ found: number; replayed: number }> {
    return this.transactions.run(async (tx) => {
      // Locked until the commit: one that fails again at once has the same id, and waits until its old row is gone.
      const letters = await tx.find(DeadLetter, {
        where,
        order: { deadAt: 'ASC', id: 'ASC' },
        take: REPLAYED_AT_ONCE,
        lock: { mode: 'pessimistic_write' },
      });
      const outcomes = await Promise.all(letters.map((letter) => this.publish(letter)));
      const replayed = letters.filter((_, index) => outcomes[index] === 'confirmed');
      if (replayed.length > 0) {
        const ids = replayed.map(({ id }) => id);
        await tx.delete(DeadLetter, ids);
        await record(tx, replayed);
      }
      return { found: letters.length, replayed: replayed.length };
    });
  }

  /** To this service's own queue and no other consumer's. */
  private async publish(letter: DeadLetter): Promise<Outcome> {
    // A blocked broker takes the bytes and handles them some time later: better not to begin.
    if (!this.publisher.ready) return 'lost';
    const exchange = retryExchange(this.settings.service);
    const sent = this.publisher.publish(exchange, letter.queue, this.bodyOf(letter), replayOf(letter));
    return Promise.race([sent, sleep(CONFIRM_MS).then((): Outcome => 'lost')]);
  }

  private bodyOf({ id, body, sealed }: DeadLetter): Buffer {
    if (!sealed) return body;
    if (!this.settings.keys) throw new Error('a dead letter is sealed, and there are no keys');
    return this.settings.keys.open(body, placeOfBody(id));
  }

  /** To the microsecond: a Date would leave out what died in this millisecond. */
  private async now(): Promise<string> {
    const [row] = await this.dataSource.query<{ now: string }[]>('SELECT now()::text AS now');
    return row!.now;
  }
}

const unavailable = (replayed: number) =>
  new DomainError('BROKER_UNAVAILABLE', `replayed before the broker stopped taking messages: ${replayed}`, {
    retryAfterS: RETRY_AFTER_S,
  });
