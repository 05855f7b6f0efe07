import { Jobs } from '@cabstand/service-defaults';
import type { GeoPoint } from '@cabstand/contracts';
import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { DispatchSettings } from './dispatch-settings.ts';
import { DriversFreed } from './drivers-freed.ts';
import { PositionIndex, type Located } from './position-index.ts';

const LOOK_EVERY_MS = 100;
/** Rows say when they were stored, and are seen when that is committed: how much later that is, as a rule. */
const OVERLAP_MS = 500;
/** Now and then as far back as a statement may last, for what was stored in a bad moment. */
const LONG_OVERLAP_MS = 10_000;
const LONG_LOOK_EVERY_MS = 5_000;

interface Row {
  driverId: string;
  lat: number;
  lng: number;
  atMs: number;
  storedAtMs: number;
}

/**
 * Where drivers are, as far as this replica knows: a cache of the table of positions, which it rebuilds when it starts and
 * then reads what has changed, so that a search costs no query. A tenth of a second behind what other replicas hear; who is
 * free is not known here.
 */
@Injectable()
export class KnownPositions implements OnApplicationBootstrap {
  private readonly index = new PositionIndex();
  /** The newest `stored_at` that was seen, by the database's clock. */
  private storedAtMs: number | null = null;
  private longLookAtMs = 0;

  constructor(
    private readonly dataSource: DataSource,
    private readonly settings: DispatchSettings,
    private readonly freed: DriversFreed,
    private readonly jobs: Jobs,
  ) {}

  /** Trips are heard of after this: the first one finds everybody already. */
  async onApplicationBootstrap(): Promise<void> {
    await this.look();
    this.jobs.every(LOOK_EVERY_MS, 'positions-look', () => this.look());
  }

  last(driverId: string): Located | undefined {
    return this.index.get(driverId);
  }

  /** What this replica heard itself it need not read first: the driver can be found at once. */
  heard(driverId: string, position: GeoPoint, at: Date): void {
    if (this.take(driverId, position, at.getTime())) this.freed.announce();
  }

  /** The nearest who were heard of lately: `count` of them, or all there are within `DISPATCH_MAX_PICKUP_M`. */
  nearest(pickup: GeoPoint, count: number): Located[] {
    return this.index.nearest(pickup, count, this.settings.maxPickupM, this.freshSinceMs());
  }

  private async look(): Promise<void> {
    const isLong = Date.now() - this.longLookAtMs > LONG_LOOK_EVERY_MS;
    const rows = await this.changed(isLong ? LONG_OVERLAP_MS : OVERLAP_MS);
    let hasNewcomer = false;
    for (const { driverId, lat, lng, atMs, storedAtMs } of rows) {
      if (this.take(driverId, { lat, lng }, atMs)) hasNewcomer = true;
      this.storedAtMs = Math.max(this.storedAtMs ?? 0, storedAtMs);
    }
    if (isLong) {
      this.longLookAtMs = Date.now();
      this.index.forgetBefore(this.freshSinceMs());
    }
    if (hasNewcomer) this.freed.announce();
  }

  /**
   * True for somebody who can be found again, and may be the one that a trip waits for. Who only moves is seen by the
   * next sweep.
   */
  private take(driverId: string, position: GeoPoint, atMs: number): boolean {
    const knownAtMs = this.index.get(driverId)?.atMs ?? 0;
    // What this replica heard itself may not be stored yet.
    if (atMs < knownAtMs) return false;
    this.index.set(driverId, position, atMs);
    const freshSinceMs = this.freshSinceMs();
    return atMs >= freshSinceMs && knownAtMs < freshSinceMs;
  }

  private changed(overlapMs: number): Promise<Row[]> {
    const since = this.storedAtMs === null ? null : (this.storedAtMs - overlapMs) / 1_000;
    // Numbers in place of dates: there are thousands of rows, and pg takes longer over a date than over all the rest.
    return this.dataSource.query(
      `SELECT driver_id AS "driverId", lat, lng, (extract(epoch FROM at) * 1000)::float8 AS "atMs",
              (extract(epoch FROM stored_at) * 1000)::float8 AS "storedAtMs"
         FROM positions WHERE stored_at > coalesce(to_timestamp($1), now() - make_interval(secs => $2))`,
      [since, this.settings.positionMaxAgeMs / 1_000],
    );
  }

  private freshSinceMs(): number {
    return Date.now() - this.settings.positionMaxAgeMs;
  }
}
