import { Column, Entity, PrimaryColumn } from 'typeorm';

/** One row per passenger account; erasing the account deletes it. */
@Entity('passengers')
export class Passenger {
  @PrimaryColumn('uuid') id!: string;
  /** `iss` of the account's tokens: ownership compares issuer and id. */
  @Column('text') issuer!: string;
  /** Normalised; unique. */
  @Column('text') email!: string;
  @Column('text', { name: 'password_hash' }) passwordHash!: string;
  @Column('text') name!: string;
  @Column('text') phone!: string;
  @Column('int', { name: 'stars_total', default: 0 }) starsTotal!: number;
  @Column('int', { name: 'ratings_count', default: 0 }) ratingsCount!: number;
  @Column('timestamptz', { name: 'suspended_at', nullable: true }) suspendedAt!: Date | null;
  /** Counts the account's events; incremented under this row's lock. */
  @Column('int') sequence!: number;
  @Column('timestamptz', { name: 'created_at' }) createdAt!: Date;
}
