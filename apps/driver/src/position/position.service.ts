import { Sessions, type Principal } from '@cabstand/auth';
import { DriverMoved } from '@cabstand/contracts';
import { Live } from '@cabstand/messaging';
import { Injectable } from '@nestjs/common';
import { metrics } from '@opentelemetry/api';
import { DataSource } from 'typeorm';
import { DispatchSettings } from '../dispatch/dispatch-settings.ts';
import { Availability } from '../dispatch/availability.entity.ts';
import { DriversFreed } from '../dispatch/drivers-freed.ts';
import { workPolicy } from '../driver/driver.policy.ts';
import type { PositionReport, ReportView } from './position.dto.ts';
import { Position } from './position.entity.ts';
import { followAll, type Point, type Track } from './track.ts';

/** Where drivers are. */
@Injectable()
export class PositionService {
  private readonly droppedPoints = metrics
    .getMeter('driver')
    .createCounter('positions_dropped', { description: 'Reported points that were not believed, by reason' });

  constructor(
    private readonly dataSource: DataSource,
    private readonly sessions: Sessions,
    private readonly live: Live,
    private readonly freed: DriversFreed,
    private readonly settings: DispatchSettings,
  ) {}

  /** Keeps the newest believable point; whoever follows the driver's trip is told of it. */
  async report(me: Principal, { points }: PositionReport): Promise<ReportView> {
    const driverId = this.sessions.accountIdOf(me);
    const { manager } = this.dataSource;
    const availability = await manager.findOneBy(Availability, { driverId });
    workPolicy.check(me, 'work', availability);
    const before = toTrack(await manager.findOneBy(Position, { driverId }));
    const { track, dropped } = followAll(before, points.map(toPoint), new Date());
    for (const reason of dropped) this.droppedPoints.add(1, { reason });
    if (track !== before) await this.store(driverId, track);
    if (track.last !== before.last) this.announce(availability, before, track);
    return { accepted: points.length - dropped.length, dropped: dropped.length };
  }

  private announce(
    { driverId, status, reservedAs, reservedTripId }: Availability,
    before: Track,
    { last }: Track,
  ): void {
    if (reservedAs === 'trip') {
      const { lat, lng, at, headingDeg, speedMps } = last!;
      this.live.publish(DriverMoved.type, {
        ...{ driverId, tripId: reservedTripId, position: { lat, lng }, at: at.toISOString() },
        ...(headingDeg === null ? {} : { headingDeg }),
        ...(speedMps === null ? {} : { speedMps }),
      });
    }
    // A driver who can be found again may be the one that a trip waits for. Who only moves is seen by the next sweep.
    const wasFresh = before.last && before.last.at.getTime() > Date.now() - this.settings.positionMaxAgeMs;
    if (status === 'online' && !reservedAs && !wasFresh) this.freed.announce();
  }

  /** One statement without a lock before it: of two reports at once the newer wins, and an erased driver has no row. */
  private async store(driverId: string, { last, suspect }: Track): Promise<void> {
    const { lat, lng, headingDeg, speedMps, at } = last!;
    await this.dataSource.query(
      `INSERT INTO positions (driver_id, lat, lng, heading_deg, speed_mps, at, suspect_lat, suspect_lng, suspect_at, stored_at)
       SELECT driver_id, $2, $3, $4, $5, $6, $7, $8, $9, clock_timestamp() FROM availability WHERE driver_id = $1
       ON CONFLICT (driver_id) DO UPDATE
         SET lat = excluded.lat, lng = excluded.lng, heading_deg = excluded.heading_deg, speed_mps = excluded.speed_mps,
             at = excluded.at, suspect_lat = excluded.suspect_lat, suspect_lng = excluded.suspect_lng,
             suspect_at = excluded.suspect_at, stored_at = excluded.stored_at
       WHERE positions.at <= excluded.at`,
      [driverId, lat, lng, headingDeg, speedMps, at, suspect?.lat ?? null, suspect?.lng ?? null, suspect?.at ?? null],
    );
  }
}

const toPoint = ({ lat, lng, at, headingDeg, speedMps }: PositionReport['points'][number]): Point => ({
  ...{ lat, lng, at: new Date(at) },
  headingDeg: single(headingDeg),
  speedMps: single(speedMps),
});

/** As exact as its column: PostgreSQL refuses what it would have to round to nothing. */
const single = (value: number | undefined): number | null => (value === undefined ? null : Math.fround(value));

function toTrack(row: Position | null): Track {
  if (!row) return { last: null, suspect: null };
  const { suspectLat: lat, suspectLng: lng, suspectAt: at } = row;
  const isSuspect = lat !== null && lng !== null && at !== null;
  return { last: row, suspect: isSuspect ? { lat, lng, at, headingDeg: null, speedMps: null } : null };
}
