import { Column, Entity, PrimaryColumn } from 'typeorm';

/** What a driver was told, kept a while so that any replica can resume a stream. */
@Entity('driver_stream')
export class DriverEvent {
  @PrimaryColumn('uuid', { name: 'driver_id' }) driverId!: string;
  /** Counts the driver's events without gaps, in the order of their commits: see `Availability.streamSequence`. */
  @PrimaryColumn('bigint') sequence!: string;
  @Column('text') event!: 'offer' | 'offer-withdrawn' | 'trip';
  @Column('jsonb') data!: object;
  @Column('timestamptz', { name: 'created_at' }) createdAt!: Date;
}
