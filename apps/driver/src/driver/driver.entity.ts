import type { Vehicle } from '@cabstand/contracts';
import { personal } from '@cabstand/service-defaults';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** One row per driver account. Whether the driver may work, and is free to, is in `availability`. */
@Entity('drivers')
export class Driver {
  @PrimaryColumn('uuid') id!: string;
  /** `iss` of the account's tokens: ownership compares issuer and id. */
  @Column('text') issuer!: string;
  /** Normalised. */
  @Column('bytea', personal) email!: string;
  /** Of the e-mail address; unique. */
  @Column('bytea', { name: 'email_index' }) emailIndex!: Buffer;
  @Column('text', { name: 'password_hash' }) passwordHash!: string;
  @Column('bytea', personal) name!: string;
  @Column('bytea', personal) phone!: string;
  @Column('bytea', { name: 'licence_number', ...personal }) licenceNumber!: string;
  @Column('bytea', personal) vehicle!: Vehicle;
  /** Opens what of the person is sealed; gone with the row. */
  @Column('bytea', { name: 'data_key' }) dataKey?: Buffer;
  @Column('int', { name: 'stars_total' }) starsTotal!: number;
  @Column('int', { name: 'ratings_count' }) ratingsCount!: number;
  /** Counts the account's events; incremented under this row's lock. */
  @Column('int') sequence!: number;
  @Column('timestamptz', { name: 'created_at' }) createdAt!: Date;
}
