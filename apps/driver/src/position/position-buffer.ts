import { Jobs } from '@cabstand/service-defaults';
import { Injectable, Logger, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { Availability } from '../dispatch/availability.entity.ts';
import type { Point, Track } from './track.ts';

const FLUSH_EVERY_MS = 100;
const ROWS_AT_ONCE = 5_000;
const FORGET_EVERY_MS = 60_000;
/** Somebody who comes back after that is read from the database again. */
const REMEMBER_MS = 5 * 60_000;

/** A driver who reports to this replica. */
export interface Reporter extends Pick<Availability, 'driverIssuer' | 'driverId'> {
  track: Track;
  heardAtMs: number;
}

/** What the database says of a driver whose position was stored. */
export interface Stored extends Pick<Availability, 'driverId' | 'reservedTripId' | 'reservedAs'> {
  point: Point;
}

/**
 * What this replica has heard and not stored yet: one point for each driver, however often they report, so that the
 * database being down costs no more memory. A process that dies takes a tenth of a second of positions with it.
 */
@Injectable()
export class PositionBuffer implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(PositionBuffer.name);
  private readonly reporters = new Map<string, Reporter>();
  private unsaved = new Set<Reporter>();
  private isFailing = false;
  private onStored: (stored: Stored) => void = () => undefined;

  constructor(
    private readonly dataSource: DataSource,
    private readonly jobs: Jobs,
  ) {}

  onApplicationBootstrap(): void {
    this.jobs.every(FLUSH_EVERY_MS, 'positions-flush', () => this.flush());
    this.jobs.every(FORGET_EVERY_MS, 'positions-forget', () => this.forget());
  }

  /** No request is under way any more, and no other flush. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.flush();
    if (this.unsaved.size > 0) this.logger.error({ event: 'positions.lost', drivers: this.unsaved.size });
  }

  /** `handle` is told of each driver's newest point once it is stored, if it is the newest of all replicas. */
  listen(handle: (stored: Stored) => void): void {
    this.onStored = handle;
  }

  get(driverId: string): Reporter | undefined {
    return this.reporters.get(driverId);
  }

  /** Remembers somebody who was read from the database; whoever was remembered meanwhile stays. */
  admit(reporter: Reporter): Reporter {
    const known = this.reporters.get(reporter.driverId);
    if (known) return known;
    this.reporters.set(reporter.driverId, reporter);
    return reporter;
  }

  put(reporter: Reporter, track: Track): void {
    reporter.track = track;
    reporter.heardAtMs = Date.now();
    this.unsaved.add(reporter);
  }

  private async flush(): Promise<void> {
    const waiting = [...this.unsaved];
    for (let from = 0; from < waiting.length; from += ROWS_AT_ONCE) {
      const batch = waiting.slice(from, from + ROWS_AT_ONCE);
      for (const reporter of batch) this.unsaved.delete(reporter);
      try {
        await this.save(batch);
        this.isFailing = false;
      } catch (error) {
        // Kept, with whatever they report meanwhile; said once, not ten times a second.
        for (const reporter of batch) this.unsaved.add(reporter);
        if (!this.isFailing) this.logger.warn({ event: 'positions.not-stored', drivers: batch.length, err: error });
        this.isFailing = true;
        return;
      }
    }
  }

  private async save(batch: readonly Reporter[]): Promise<void> {
    const points = new Map(batch.map(({ driverId, track }) => [driverId, track.last!]));
    const rows = await this.write(batch);
    const known = new Set(rows.map(({ driverId }) => driverId));
    // The account is gone: nothing of it was stored, and nothing is remembered.
    for (const { driverId } of batch) if (!known.has(driverId)) this.reporters.delete(driverId);
    for (const { isNewest, ...row } of rows) if (isNewest) this.onStored({ ...row, point: points.get(row.driverId)! });
  }

  /**
   * One statement, without a lock on availability. In the order of ids, so that two replicas with the same drivers
   * wait for each other instead of deadlocking; of two points the newer stays; an erased driver has no row.
   */
  private write(batch: readonly Reporter[]): Promise<(Omit<Stored, 'point'> & { isNewest: boolean })[]> {
    const tracks = batch.map(({ track }) => track);
    const last = tracks.map((track) => track.last!);
    const suspect = tracks.map((track) => track.suspect);
    return this.dataSource.query(
      `WITH reported AS (
         SELECT * FROM unnest($1::uuid[], $2::float8[], $3::float8[], $4::real[], $5::real[], $6::timestamptz[],
                              $7::float8[], $8::float8[], $9::timestamptz[])
           AS r (driver_id, lat, lng, heading_deg, speed_mps, at, suspect_lat, suspect_lng, suspect_at)),
       stored AS (
         INSERT INTO positions (driver_id, lat, lng, heading_deg, speed_mps, at, suspect_lat, suspect_lng, suspect_at, stored_at)
         SELECT r.*, clock_timestamp() FROM reported r JOIN availability USING (driver_id) ORDER BY driver_id
         ON CONFLICT (driver_id) DO UPDATE
           SET lat = excluded.lat, lng = excluded.lng, heading_deg = excluded.heading_deg, speed_mps = excluded.speed_mps,
               at = excluded.at, suspect_lat = excluded.suspect_lat, suspect_lng = excluded.suspect_lng,
               suspect_at = excluded.suspect_at, stored_at = excluded.stored_at
         WHERE positions.at <= excluded.at
         RETURNING driver_id)
       SELECT a.driver_id AS "driverId", reserved_trip_id AS "reservedTripId", reserved_as AS "reservedAs",
              stored.driver_id IS NOT NULL AS "isNewest"
         FROM reported JOIN availability a USING (driver_id) LEFT JOIN stored USING (driver_id)`,
      [
        batch.map(({ driverId }) => driverId),
        ...[last.map(({ lat }) => lat), last.map(({ lng }) => lng)],
        ...[last.map(({ headingDeg }) => headingDeg), last.map(({ speedMps }) => speedMps), last.map(({ at }) => at)],
        ...[suspect.map((point) => point?.lat ?? null), suspect.map((point) => point?.lng ?? null)],
        suspect.map((point) => point?.at ?? null),
      ],
    );
  }

  /** Whoever is silent; and what was being stored of an account at the moment when it was erased. */
  private async forget(): Promise<void> {
    const before = Date.now() - REMEMBER_MS;
    for (const [driverId, reporter] of this.reporters)
      if (reporter.heardAtMs < before && !this.unsaved.has(reporter)) this.reporters.delete(driverId);
    await this.dataSource.query(
      'DELETE FROM positions p WHERE NOT EXISTS (SELECT 1 FROM availability a WHERE a.driver_id = p.driver_id)',
    );
  }
}
