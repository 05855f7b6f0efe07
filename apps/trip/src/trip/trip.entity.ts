import type { Currency, GeoPoint, TripStatus } from '@cabstand/contracts';
import { personal } from '@cabstand/service-defaults';
import { Column, Entity, JoinColumn, ManyToOne, PrimaryColumn } from 'typeorm';
import { Driver } from '../people/driver.entity.ts';
import { Passenger } from '../people/passenger.entity.ts';
import { minorUnits } from '../quote/quote.entity.ts';

// The read models are fed by events that may come later than the trip, so nothing in the database ties them.
const READ_MODEL = { nullable: true, createForeignKeyConstraints: false } as const;

/** What is known of a trip at one moment. It only maps columns; what may happen to a trip is in trip.machine.ts. */
export abstract class TripState {
  @PrimaryColumn('uuid') id!: string;
  /** Counts the trip's events; incremented under the lock of the trip's row. */
  abstract sequence: number;
  @Column('text') status!: TripStatus;
  @Column('uuid', { name: 'quote_id' }) quoteId!: string;
  @Column('text', { name: 'passenger_issuer' }) passengerIssuer!: string;
  @Column('uuid', { name: 'passenger_id' }) passengerId!: string;
  @Column('text', { name: 'driver_issuer', nullable: true }) driverIssuer!: string | null;
  @Column('uuid', { name: 'driver_id', nullable: true }) driverId!: string | null;
  @Column('jsonb') pickup!: GeoPoint;
  @Column('jsonb') dropoff!: GeoPoint;
  /** Minor units of `currency`; the quoted fare is final. */
  @Column('bigint', { name: 'fare_minor', ...minorUnits }) fareMinor!: number;
  @Column('text') currency!: Currency;
  @Column('int', { name: 'distance_m' }) distanceM!: number;
  @Column('int', { name: 'duration_s' }) durationS!: number;
  @Column('timestamptz', { name: 'requested_at' }) requestedAt!: Date;
  @Column('timestamptz', { name: 'accepted_at', nullable: true }) acceptedAt!: Date | null;
  @Column('timestamptz', { name: 'arrived_at', nullable: true }) arrivedAt!: Date | null;
  @Column('timestamptz', { name: 'started_at', nullable: true }) startedAt!: Date | null;
  @Column('timestamptz', { name: 'completed_at', nullable: true }) completedAt!: Date | null;
  @Column('timestamptz', { name: 'cancelled_at', nullable: true }) cancelledAt!: Date | null;
  @Column('text', { name: 'cancelled_by', nullable: true }) cancelledBy!: 'passenger' | 'driver' | null;

  @ManyToOne(() => Passenger, READ_MODEL)
  @JoinColumn({ name: 'passenger_id' })
  passenger?: Passenger | null;

  @ManyToOne(() => Driver, READ_MODEL)
  @JoinColumn({ name: 'driver_id' })
  driver?: Driver | null;
}

/** One row per trip, as it is now. */
@Entity('trips')
export class Trip extends TripState {
  @Column('int') sequence!: number;
  /** In the canceller's own words: theirs to have erased, and in no snapshot or event. */
  @Column('bytea', { name: 'cancel_reason', nullable: true, ...personal }) cancelReason!: string | null;
  /** Opens the reason; destroyed when either side is erased. */
  @Column('bytea', { name: 'data_key', nullable: true }) dataKey!: Buffer | null;
}

/** One row per change of a trip's status, as it was then: what streams resume from, on whichever replica. */
@Entity('trip_history')
export class TripSnapshot extends TripState {
  @PrimaryColumn('int') sequence!: number;
}
