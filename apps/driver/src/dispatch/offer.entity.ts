import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { OfferStatus } from './offer.machine.ts';

/** A trip offered to a driver, once ever. What may happen to it is in offer.machine.ts. */
@Entity('offers')
export class Offer {
  @PrimaryColumn('uuid') id!: string;
  @Column('uuid', { name: 'trip_id' }) tripId!: string;
  @Column('text', { name: 'driver_issuer' }) driverIssuer!: string;
  @Column('uuid', { name: 'driver_id' }) driverId!: string;
  @Column('text') status!: OfferStatus;
  @Column('int', { name: 'pickup_distance_m' }) pickupDistanceM!: number;
  @Column('timestamptz', { name: 'offered_at' }) offeredAt!: Date;
  @Column('timestamptz', { name: 'expires_at' }) expiresAt!: Date;
  @Column('timestamptz', { name: 'settled_at', nullable: true }) settledAt!: Date | null;
}
