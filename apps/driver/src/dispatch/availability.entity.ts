import { Column, Entity, PrimaryColumn } from 'typeorm';

export type AvailabilityStatus = 'offline' | 'online';

/**
 * One row per driver: may this driver be offered a trip now? Everything that decides it stands in this one row, so that
 * its lock decides who gets the driver. Positions and profiles are elsewhere: changing them must not lock it.
 */
@Entity('availability')
export class Availability {
  @PrimaryColumn('uuid', { name: 'driver_id' }) driverId!: string;
  @Column('text', { name: 'driver_issuer' }) driverIssuer!: string;
  @Column('text') status!: AvailabilityStatus;
  /** When the driver last went online, by the database's clock: whoever did so just now isn't silent yet. */
  @Column('timestamptz', { name: 'online_at', default: () => 'now()' }) onlineAt!: Date;
  @Column('boolean') suspended!: boolean;
  /** The trip that the driver holds an open offer for, or is on. Unique. */
  @Column('uuid', { name: 'reserved_trip_id', nullable: true }) reservedTripId!: string | null;
  @Column('text', { name: 'reserved_as', nullable: true }) reservedAs!: 'offer' | 'trip' | null;
  /** Counts the events of the driver's stream, in the order of their commits. */
  @Column('bigint', { name: 'stream_sequence' }) streamSequence!: string;
}
