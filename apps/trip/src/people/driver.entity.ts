import type { Vehicle } from '@cabstand/contracts';
import { personal } from '@cabstand/service-defaults';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** Read model: what this service knows of a driver, from driver.events, and how its passengers rated them. */
@Entity('drivers')
export class Driver {
  @PrimaryColumn('uuid') id!: string;
  /** Both null while no profile has arrived, and after erasure. */
  @Column('bytea', { name: 'first_name', nullable: true, ...personal }) firstName!: string | null;
  @Column('bytea', { nullable: true, ...personal }) vehicle!: Vehicle | null;
  /** Opens what of the person is sealed; destroyed by erasure. */
  @Column('bytea', { name: 'data_key', nullable: true }) dataKey!: Buffer | null;
  @Column('boolean', { default: false }) suspended!: boolean;
  /** Sequence of the newest event that told the profile, and of the newest that told the standing. */
  @Column('int', { name: 'profile_sequence', default: 0 }) profileSequence!: number;
  @Column('int', { name: 'standing_sequence', default: 0 }) standingSequence!: number;
  @Column('int', { name: 'stars_total', default: 0 }) starsTotal!: number;
  @Column('int', { name: 'ratings_count', default: 0 }) ratingsCount!: number;
}
