import type { Currency, TripStatus } from '@cabstand/contracts';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { DispatchStatus } from './dispatch.machine.ts';

/** Safe integers in a bigint column, which pg hands over as text. */
export const integers = { to: (value: number | null) => value, from: (value: string | null) => value && Number(value) };

/**
 * One row per trip, kept after its end: it remembers that the trip is over, whatever else is still to arrive. The columns
 * of the request are null while only later facts of the trip are known. What may happen is in dispatch.machine.ts.
 */
@Entity('dispatches')
export class Dispatch {
  @PrimaryColumn('uuid', { name: 'trip_id' }) tripId!: string;
  @Column('text') status!: DispatchStatus;
  @Column('double precision', { name: 'pickup_lat', nullable: true }) pickupLat!: number | null;
  @Column('double precision', { name: 'pickup_lng', nullable: true }) pickupLng!: number | null;
  @Column('double precision', { name: 'dropoff_lat', nullable: true }) dropoffLat!: number | null;
  @Column('double precision', { name: 'dropoff_lng', nullable: true }) dropoffLng!: number | null;
  /** Minor units of `currency`. */
  @Column('bigint', { name: 'fare_minor', nullable: true, transformer: integers }) fareMinor!: number | null;
  @Column('text', { nullable: true }) currency!: Currency | null;
  /** Declined and expired offers. */
  @Column('int') refusals!: number;
  /** Counts the dispatch's events; incremented under this row's lock. */
  @Column('int') sequence!: number;
  /** The newest fact known of the trip, and its number. */
  @Column('text', { name: 'trip_status' }) tripStatus!: TripStatus;
  @Column('int', { name: 'trip_sequence' }) tripSequence!: number;
  @Column('timestamptz', { name: 'deadline_at' }) deadlineAt!: Date;
  /** While searching or offered: when a sweep has something to do here. */
  @Column('timestamptz', { name: 'look_at' }) lookAt!: Date;
}
