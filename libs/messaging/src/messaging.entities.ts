import { Column, Entity, Index, PrimaryColumn, PrimaryGeneratedColumn } from 'typeorm';

/** An event that was committed and not yet confirmed by the broker. Written by Outbox, read by the relay. */
@Entity('outbox')
@Index('outbox_fresh', ['partition', 'position'], { where: 'refused_at IS NULL' })
@Index('outbox_refused', ['partition', 'refusedAt'], { where: 'refused_at IS NOT NULL' })
@Index('outbox_subject', ['subject'])
export class OutboxMessage {
  @PrimaryGeneratedColumn('identity', { type: 'bigint', generatedIdentity: 'ALWAYS' }) position!: string;
  /** CloudEvents `id`, and the message's id in the broker. */
  @Column('uuid') id!: string;
  /** Which relay publishes it: a hash of the subject. */
  @Column('smallint') partition!: number;
  @Column('text') exchange!: string;
  @Column('text') type!: string;
  @Column('uuid') subject!: string;
  @Column('int') sequence!: number;
  /** JSON, as it goes over the wire. */
  @Column('text') payload!: string;
  @Column('text', { nullable: true }) traceparent!: string | null;
  @Column('timestamptz', { name: 'occurred_at' }) occurredAt!: Date;
  /** The type has consumers, so reaching no queue at all is an error. */
  @Column('boolean') mandatory!: boolean;
  /**
   * When the broker last returned or refused it; null for never. `infinity` for one that waits behind a
   * refused event of its aggregate.
   */
  @Column('timestamptz', { name: 'refused_at', nullable: true }) refusedAt!: Date | null;
}

/** A message whose effect is committed. */
@Entity('inbox')
@Index('inbox_received_at', ['receivedAt'])
export class InboxMessage {
  @PrimaryColumn('uuid', { name: 'message_id' }) messageId!: string;
  @Column('timestamptz', { name: 'received_at', default: () => 'now()' }) receivedAt!: Date;
}

/** A message that was given up on, exactly as it came. */
@Entity('dead_letters')
@Index('dead_letters_queue_dead_at', ['queue', 'deadAt'])
export class DeadLetter {
  /** Derived from the message, so that moving it twice makes one row. */
  @PrimaryColumn('uuid') id!: string;
  @Column('text') queue!: string;
  /** As the message says: it may be no UUID, or missing. */
  @Column('text', { name: 'message_id', nullable: true }) messageId!: string | null;
  @Column('text', { nullable: true }) type!: string | null;
  /** `malformed`, `unknown-type`, `handler-failed`, `delivery-limit`, … */
  @Column('text') reason!: string;
  @Column('text', { nullable: true }) detail!: string | null;
  @Column('int') attempts!: number;
  /** One entry for each failed attempt. */
  @Column('jsonb') history!: { at: string; error: string }[];
  /** AMQP properties, headers among them. */
  @Column('jsonb') properties!: Record<string, unknown>;
  /** The original bytes; sealed in the database where there are keys. */
  @Column('bytea') body!: Buffer;
  @Column('boolean', { default: false }) sealed!: boolean;
  @Column('timestamptz', { name: 'dead_at', default: () => 'now()' }) deadAt!: Date;
}

/** For the service's DataSource, next to its own entities. */
export const messagingEntities = [OutboxMessage, InboxMessage, DeadLetter];
