import type { Role } from '@cabstand/contracts';
import { personal } from '@cabstand/service-defaults';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** What one side of a trip thought of the other; the key lets each side say it once. */
@Entity('ratings')
export class Rating {
  @PrimaryColumn('uuid', { name: 'trip_id' }) tripId!: string;
  @PrimaryColumn('text', { name: 'rater_role' }) raterRole!: Role;
  @Column('uuid', { name: 'rater_id' }) raterId!: string;
  @Column('text', { name: 'ratee_role' }) rateeRole!: Role;
  @Column('uuid', { name: 'ratee_id' }) rateeId!: string;
  @Column('int') stars!: number;
  @Column('bytea', { nullable: true, ...personal }) comment!: string | null;
  /** Opens the comment; destroyed when either side is erased. */
  @Column('bytea', { name: 'data_key', nullable: true }) dataKey!: Buffer | null;
  @Column('timestamptz', { name: 'rated_at' }) ratedAt!: Date;
}
