import { randomUUIDv7 } from 'node:crypto';
import { Transactions } from '@cabstand/messaging';
import { Injectable, Logger } from '@nestjs/common';
import { Column, Entity, PrimaryColumn, type EntityManager } from 'typeorm';
import type { Principal } from './principal.ts';

/** Something that somebody did, or looked at, in the name of the company. Kept by the service whose data it was. */
@Entity('ops_audit')
export class OpsAuditEntry {
  /** Orders the entries by time. */
  @PrimaryColumn('uuid') id!: string;
  @Column('timestamptz') at!: Date;
  @Column('text') issuer!: string;
  @Column('text') subject!: string;
  @Column('text', { name: 'client_id' }) clientId!: string;
  /** As in the log: `ops.dead-letter-replayed`. */
  @Column('text') action!: string;
  /** The id of what it was done to; null where it was a list. */
  @Column('text', { nullable: true }) target!: string | null;
  /** What else tells which it was, such as a queue or a count. No personal data. */
  @Column('jsonb') details!: Record<string, string | number>;
  /** In the person's own words, where they had to give one. */
  @Column('text', { nullable: true }) reason!: string | null;
}

export type Audited = Pick<OpsAuditEntry, 'action'> & Partial<Pick<OpsAuditEntry, 'target' | 'details' | 'reason'>>;

/** For whatever operators do or see that isn't their own: dead letters, and people's data. */
@Injectable()
export class OpsAudit {
  private readonly logger = new Logger('Ops');

  constructor(private readonly transactions: Transactions) {}

  /** Goes into the transaction of its effect: neither is there without the other. The log has it once that commits. */
  async record(tx: EntityManager, me: Principal, audited: Audited[]): Promise<void> {
    if (audited.length === 0) return;
    const { issuer, subject, clientId } = me;
    const entries = audited.map(({ action, target = null, details = {}, reason = null }) => {
      const at = new Date();
      return { id: randomUUIDv7(), at, issuer, subject, clientId, action, target, details, reason };
    });
    await tx.insert(OpsAuditEntry, entries);
    this.transactions.afterCommit(() => {
      // Without the reason: whoever explains why they look at somebody may well name them.
      for (const { action, target, details } of entries)
        this.logger.log({ event: action, by: { issuer, subject, clientId }, target, ...details });
    });
  }
}
