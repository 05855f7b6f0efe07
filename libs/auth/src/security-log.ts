import { randomUUIDv7 } from 'node:crypto';
import type { EventDefinition, PayloadOf } from '@cabstand/contracts';
import { Outbox } from '@cabstand/messaging';
import { Injectable } from '@nestjs/common';
import { Column, DataSource, Entity, LessThan, PrimaryColumn, type EntityManager } from 'typeorm';

/** Older ones are forgotten: attackers write these. */
const KEPT = 10_000;

/** A `security.*` event of this service, for operators to read. Where it came from is in the event only. */
@Entity('security_events')
export class SecurityEventEntry {
  /** Orders the entries by time. */
  @PrimaryColumn('uuid') id!: string;
  @Column('timestamptz') at!: Date;
  @Column('text') type!: string;
  /** How often, where it was counted before it was told. */
  @Column('int') count!: number;
  /** `iss` of whoever it was or whose account it is about; null where nobody had signed in. */
  @Column('text', { nullable: true }) issuer!: string | null;
  /** Their `sub`. */
  @Column('text', { nullable: true }) subject!: string | null;
}

/** Publishes security events, and remembers the newest: whoever watches `security.#` may not be there yet. */
@Injectable()
export class SecurityLog {
  constructor(
    private readonly outbox: Outbox,
    private readonly dataSource: DataSource,
  ) {}

  async add<E extends EventDefinition>(
    tx: EntityManager,
    event: E,
    payload: PayloadOf<E>,
    sequence: number,
  ): Promise<void> {
    const { count = 1, issuer, subject, accountId } = payload as Record<string, string | number | undefined>;
    const who = { issuer: issuer ?? null, subject: subject ?? accountId ?? null } as Pick<
      SecurityEventEntry,
      'issuer' | 'subject'
    >;
    await tx.insert(SecurityEventEntry, {
      ...{ id: randomUUIDv7(), at: new Date(), type: event.type, count: Number(count) },
      ...who,
    });
    await this.outbox.add(tx, event, payload, sequence);
  }

  /** Newest first, those older than `before`. */
  list(take: number, before?: string): Promise<SecurityEventEntry[]> {
    const where = before === undefined ? {} : { id: LessThan(before) };
    return this.dataSource.manager.find(SecurityEventEntry, { where, order: { id: 'DESC' }, take });
  }

  async prune(): Promise<void> {
    await this.dataSource.query(
      `DELETE FROM security_events WHERE id <= (SELECT id FROM security_events ORDER BY id DESC OFFSET $1 LIMIT 1)`,
      [KEPT],
    );
  }
}
