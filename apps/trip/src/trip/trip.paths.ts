import { DriverMoved, type TripPathRecorded } from '@cabstand/contracts';
import { Live } from '@cabstand/messaging';
import { Jobs } from '@cabstand/service-defaults';
import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';

/** One point for each ten seconds is kept: enough to draw a ride in a city. */
const SLOT_MS = 10_000;
const POINTS_AT_MOST = 1_000;
const SAVE_EVERY_MS = 1_000;
const REMEMBER_MS = 60_000;
/** Beyond that, points are lost: the database has been away for long, and paths are only informational. */
const WAITING_AT_MOST = 50_000;

type PathPoint = TripPathRecorded['points'][number];

/**
 * Where rides went, thinned out. Positions reach every replica, and each of them saves them: the first point of a slot
 * stays, so that they write down one path together. It is kept while the passenger is on board, then told and forgotten.
 */
@Injectable()
export class TripPaths implements OnApplicationBootstrap, OnModuleDestroy {
  private waiting: (DriverMoved & { slot: number })[] = [];
  /** The newest slot of each trip that is waiting or saved. */
  private readonly slots = new Map<string, number>();
  private unsubscribe: () => void = () => undefined;

  constructor(
    private readonly dataSource: DataSource,
    private readonly live: Live,
    private readonly jobs: Jobs,
  ) {}

  onApplicationBootstrap(): void {
    this.unsubscribe = this.live.subscribe('driver', DriverMoved.type, (message) =>
      this.moved(DriverMoved.schema.parse(message)),
    );
    this.jobs.every(SAVE_EVERY_MS, 'trip-paths', () => this.save());
  }

  onModuleDestroy(): void {
    this.unsubscribe();
  }

  /** The path of a ride that ends, oldest point first; it is not kept here any longer. */
  async take(tx: EntityManager, tripId: string): Promise<PathPoint[]> {
    const [rows] = await tx.query<[(Omit<PathPoint, 'at'> & { at: Date })[], number]>(
      'DELETE FROM trip_path WHERE trip_id = $1 RETURNING lat, lng, at',
      [tripId],
    );
    // A ride may take all day, and an event holds only so much.
    const step = Math.ceil(rows.length / POINTS_AT_MOST);
    return rows
      .toSorted((a, b) => a.at.getTime() - b.at.getTime())
      .filter((_, i) => i % step === 0)
      .map(({ at, ...point }) => ({ ...point, at: at.toISOString() }));
  }

  /** Forgets what was being saved of a ride while it ended. */
  async forgetEnded(): Promise<void> {
    const silentSince = (Date.now() - REMEMBER_MS) / SLOT_MS;
    for (const [tripId, slot] of this.slots) if (slot < silentSince) this.slots.delete(tripId);
    await this.dataSource.query(
      `DELETE FROM trip_path p WHERE NOT EXISTS (SELECT 1 FROM trips t WHERE t.id = p.trip_id AND t.status = 'in_progress')`,
    );
  }

  private moved(moved: DriverMoved): void {
    const slot = Math.floor(Date.parse(moved.at) / SLOT_MS);
    if (slot <= (this.slots.get(moved.tripId) ?? 0) || this.waiting.length >= WAITING_AT_MOST) return;
    this.slots.set(moved.tripId, slot);
    this.waiting.push({ ...moved, slot });
  }

  private async save(): Promise<void> {
    const points = this.waiting;
    if (points.length === 0) return;
    this.waiting = [];
    try {
      await this.write(points);
    } catch (error) {
      this.waiting.unshift(...points);
      throw error;
    }
  }

  private async write(points: TripPaths['waiting']): Promise<void> {
    // In one order, so that replicas wait for each other and don't deadlock.
    await this.dataSource.query(
      `INSERT INTO trip_path (trip_id, slot, lat, lng, at)
       SELECT trip_id, slot, lat, lng, moved.at
         FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::float8[], $5::float8[], $6::timestamptz[])
           AS moved (trip_id, driver_id, slot, lat, lng, at)
         JOIN trips t ON t.id = trip_id AND t.driver_id = moved.driver_id AND t.status = 'in_progress' AND moved.at >= t.started_at
        ORDER BY trip_id, slot
       ON CONFLICT DO NOTHING`,
      [
        ...[points.map(({ tripId }) => tripId), points.map(({ driverId }) => driverId), points.map(({ slot }) => slot)],
        ...[points.map(({ position }) => position.lat), points.map(({ position }) => position.lng)],
        points.map(({ at }) => at),
      ],
    );
  }
}
