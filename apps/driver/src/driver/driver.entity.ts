import type { Vehicle } from '@cabstand/contracts';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** One row per driver account. Whether the driver may work, and is free to, is in `availability`. */
@Entity('drivers')
export class Driver {
  @PrimaryColumn('uuid') id!: string;
  /** `iss` of the account's tokens: ownership compares issuer and id. */
  @Column('text') issuer!: string;
  /** Normalised; unique. */
  @Column('text') email!: string;
  @Column('text', { name: 'password_hash' }) passwordHash!: string;
  @Column('text') name!: string;
  @Column('text') phone!: string;
  @Column('text', { name: 'licence_number' }) licenceNumber!: string;
  @Column('jsonb') vehicle!: Vehicle;
  @Column('int', { name: 'stars_total' }) starsTotal!: number;
  @Column('int', { name: 'ratings_count' }) ratingsCount!: number;
  /** Counts the account's events; incremented under this row's lock. */
  @Column('int') sequence!: number;
  @Column('timestamptz', { name: 'created_at' }) createdAt!: Date;
}
