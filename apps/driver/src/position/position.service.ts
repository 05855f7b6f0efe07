import { Sessions, type Principal } from '@cabstand/auth';
import { DriverMoved } from '@cabstand/contracts';
import { Live } from '@cabstand/messaging';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { metrics } from '@opentelemetry/api';
import { DataSource } from 'typeorm';
import { Availability } from '../dispatch/availability.entity.ts';
import { KnownPositions } from '../dispatch/known-positions.ts';
import { workPolicy } from '../driver/driver.policy.ts';
import { PositionBuffer, type Reporter, type Stored } from './position-buffer.ts';
import type { PositionReport, ReportView } from './position.dto.ts';
import { Position } from './position.entity.ts';
import { followAll, type Point, type Track } from './track.ts';

/** Where drivers are. */
@Injectable()
export class PositionService implements OnModuleInit {
  private readonly droppedPoints = metrics
    .getMeter('driver')
    .createCounter('positions_dropped', { description: 'Reported points that were not believed, by reason' });

  constructor(
    private readonly dataSource: DataSource,
    private readonly sessions: Sessions,
    private readonly live: Live,
    private readonly buffer: PositionBuffer,
    private readonly known: KnownPositions,
  ) {}

  onModuleInit(): void {
    this.buffer.listen((stored) => this.announce(stored));
  }

  /** Keeps the newest believable point; whoever follows the driver's trip is told of it. */
  async report(me: Principal, { points }: PositionReport): Promise<ReportView> {
    const driverId = this.sessions.accountIdOf(me);
    // Only the first report of a driver reads the database. An account that goes takes its tokens with it.
    const reporter = this.buffer.get(driverId) ?? (await this.meet(me, driverId));
    workPolicy.check(me, 'work', reporter);
    const before = this.newest(reporter);
    const { track, dropped } = followAll(before, points.map(toPoint), new Date());
    for (const reason of dropped) this.droppedPoints.add(1, { reason });
    if (track !== before) this.buffer.put(reporter, track);
    if (track.last && track.last !== before.last) this.known.heard(driverId, track.last, track.last.at);
    return { accepted: points.length - dropped.length, dropped: dropped.length };
  }

  /** @throws DomainError NOT_FOUND */
  private async meet(me: Principal, driverId: string): Promise<Reporter> {
    const { manager } = this.dataSource;
    const availability = await manager.findOneBy(Availability, { driverId });
    workPolicy.check(me, 'work', availability);
    const track = toTrack(await manager.findOneBy(Position, { driverId }));
    const { driverIssuer } = availability;
    return this.buffer.admit({ driverIssuer, driverId, track, heardAtMs: Date.now() });
  }

  /** Points are judged by the newest that is known: it may have been reported to another replica. */
  private newest({ driverId, track }: Reporter): Track {
    const seen = this.known.last(driverId);
    if (!seen || (track.last && seen.atMs <= track.last.at.getTime())) return track;
    return { last: { ...seen.position, at: new Date(seen.atMs), headingDeg: null, speedMps: null }, suspect: null };
  }

  private announce({ driverId, reservedAs, reservedTripId, point }: Stored): void {
    if (reservedAs !== 'trip') return;
    const { lat, lng, at, headingDeg, speedMps } = point;
    this.live.publish(DriverMoved.type, {
      ...{ driverId, tripId: reservedTripId, position: { lat, lng }, at: at.toISOString() },
      ...(headingDeg === null ? {} : { headingDeg }),
      ...(speedMps === null ? {} : { speedMps }),
    });
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
