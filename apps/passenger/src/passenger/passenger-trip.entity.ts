import { Column, Entity, PrimaryColumn } from 'typeorm';

/** Read model: whether a passenger is on a trip, from trip.events. A trip that is over stays as a tombstone for a while. */
@Entity('passenger_trips')
export class PassengerTrip {
  @PrimaryColumn('uuid', { name: 'trip_id' }) tripId!: string;
  @Column('uuid', { name: 'passenger_id' }) passengerId!: string;
  @Column('boolean', { name: 'under_way' }) underWay!: boolean;
  /** Of the newest event heard of the trip; older ones change nothing. */
  @Column('int') sequence!: number;
  @Column('timestamptz', { name: 'updated_at', default: () => 'now()' }) updatedAt!: Date;
}
