import type { Currency, GeoPoint } from '@cabstand/contracts';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { Surge } from './surge.ts';

/** Fares of currencies with many minor units pass 2³¹, and the driver hands out bigint as text. */
export const minorUnits = { transformer: { to: (minor: number) => minor, from: Number } };

export type DistanceSource = 'estimate' | 'route';

/** A fare promised to one passenger until `expiresAt`. */
@Entity('quotes')
export class Quote {
  @PrimaryColumn('uuid') id!: string;
  @Column('text', { name: 'passenger_issuer' }) passengerIssuer!: string;
  @Column('uuid', { name: 'passenger_id' }) passengerId!: string;
  @Column('jsonb') pickup!: GeoPoint;
  @Column('jsonb') dropoff!: GeoPoint;
  /** Minor units of `currency`. */
  @Column('bigint', { name: 'fare_minor', ...minorUnits }) fareMinor!: number;
  @Column('text') currency!: Currency;
  @Column('int', { name: 'distance_m' }) distanceM!: number;
  @Column('int', { name: 'duration_s' }) durationS!: number;
  @Column('text', { name: 'distance_source' }) distanceSource!: DistanceSource;
  /** What the fare was multiplied by, and why. */
  @Column('jsonb', { nullable: true }) surge!: Surge | null;
  @Column('timestamptz', { name: 'expires_at' }) expiresAt!: Date;
  /** When a trip was made of it: a quote is good for one. */
  @Column('timestamptz', { name: 'used_at', nullable: true }) usedAt!: Date | null;
}
