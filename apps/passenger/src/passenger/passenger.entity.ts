import { personal } from '@cabstand/service-defaults';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** One row per passenger account; erasing the account deletes it. */
@Entity('passengers')
export class Passenger {
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
  /** Opens what of the person is sealed; gone with the row. */
  @Column('bytea', { name: 'data_key' }) dataKey?: Buffer;
  @Column('int', { name: 'stars_total', default: 0 }) starsTotal!: number;
  @Column('int', { name: 'ratings_count', default: 0 }) ratingsCount!: number;
  @Column('timestamptz', { name: 'suspended_at', nullable: true }) suspendedAt!: Date | null;
  /** Counts the account's events; incremented under this row's lock. */
  @Column('int') sequence!: number;
  @Column('timestamptz', { name: 'created_at' }) createdAt!: Date;
}
