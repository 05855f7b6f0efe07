import { Column, Entity, PrimaryColumn } from 'typeorm';

/** Where a driver was last. A table of its own, which changes all the time and which matching never locks. */
@Entity('positions')
export class Position {
  @PrimaryColumn('uuid', { name: 'driver_id' }) driverId!: string;
  @Column('double precision') lat!: number;
  @Column('double precision') lng!: number;
  /** Degrees clockwise from true north. */
  @Column('real', { name: 'heading_deg', nullable: true }) headingDeg!: number | null;
  @Column('real', { name: 'speed_mps', nullable: true }) speedMps!: number | null;
  /** By the device's clock, to the millisecond. */
  @Column('timestamptz') at!: Date;
  /** A newer point that was not believed, see track.ts. */
  @Column('double precision', { name: 'suspect_lat', nullable: true }) suspectLat!: number | null;
  @Column('double precision', { name: 'suspect_lng', nullable: true }) suspectLng!: number | null;
  @Column('timestamptz', { name: 'suspect_at', nullable: true }) suspectAt!: Date | null;
  /** By the database's clock. */
  @Column('timestamptz', { name: 'stored_at' }) storedAt!: Date;
}
