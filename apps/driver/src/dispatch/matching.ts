import type { GeoPoint } from '@cabstand/contracts';
import { Injectable } from '@nestjs/common';
import { QueryFailedError, type EntityManager } from 'typeorm';
import { DispatchSettings } from './dispatch-settings.ts';
import { boundingBox } from './geo.ts';
import { rank, type Candidate, type Ranked } from './ranking.ts';

/** Circles searched in turn, as parts of the largest: where drivers are dense, few rows are read. */
const RINGS = [1 / 16, 1 / 4, 1];
/** Transactions that hold a driver are over in milliseconds; behind a stuck one nobody queues for long. */
const WAIT_FOR_DRIVER_MS = 100;
const LOCK_NOT_AVAILABLE = '55P03';

interface Sought {
  tripId: string;
  pickup: GeoPoint;
}

/** Finds the drivers who could take a trip, and reserves the best. */
@Injectable()
export class Matching {
  constructor(private readonly settings: DispatchSettings) {}

  /**
   * Reserves the best driver who is free, near enough and was never offered this trip; null when there is none.
   * The caller holds the trip's dispatch; of other rows, only availability is locked.
   */
  async reserve(tx: EntityManager, sought: Sought): Promise<Ranked | null> {
    const asked = new Set<string>();
    for (const part of RINGS) {
      const radiusM = this.settings.maxPickupM * part;
      // Whoever is within the circle is within its box, so nobody nearer is missed by looking no farther.
      const candidates = (await this.candidates(tx, sought, radiusM)).filter(({ driverId }) => !asked.has(driverId));
      for (const ranked of rank(sought.pickup, candidates, radiusM)) {
        asked.add(ranked.driverId);
        if (await this.claim(tx, ranked.driverId, sought.tripId)) return ranked;
      }
    }
    return null;
  }

  /** Free online drivers with a fresh position in the circle's box, unlocked: `claim` asks again under the lock. */
  private async candidates(tx: EntityManager, { tripId, pickup }: Sought, radiusM: number): Promise<Candidate[]> {
    const box = boundingBox(pickup, radiusM);
    const [first, second = first] = box.lngs;
    const rows: { driverId: string; lat: number; lng: number }[] = await tx.query(
      `SELECT a.driver_id AS "driverId", p.lat, p.lng
         FROM positions p JOIN availability a ON a.driver_id = p.driver_id
        WHERE p.lat BETWEEN $1 AND $2 AND (p.lng BETWEEN $3 AND $4 OR p.lng BETWEEN $5 AND $6)
          AND p.at > clock_timestamp() - make_interval(secs => $7)
          AND a.status = 'online' AND NOT a.suspended AND a.reserved_trip_id IS NULL
          AND NOT EXISTS (SELECT 1 FROM offers o WHERE o.trip_id = $8 AND o.driver_id = a.driver_id)`,
      [
        ...[box.south, box.north, first!.from, first!.to, second!.from, second!.to],
        this.settings.positionMaxAgeMs / 1_000,
        tripId,
      ],
    );
    return rows.map(({ driverId, lat, lng }) => ({ driverId, position: { lat, lng } }));
  }

  /** Takes the driver if that is possible at once, or after the moment that another transaction may need. */
  private async claim(tx: EntityManager, driverId: string, tripId: string): Promise<boolean> {
    const reserve = (whose: string) =>
      tx.query<[unknown[], number]>(
        `UPDATE availability SET reserved_trip_id = $2, reserved_as = 'offer'
          WHERE driver_id = ${whose} AND status = 'online' AND NOT suspended AND reserved_trip_id IS NULL`,
        [driverId, tripId],
      );
    const [, atOnce] = await reserve(
      `(SELECT driver_id FROM availability
         WHERE driver_id = $1 AND status = 'online' AND NOT suspended AND reserved_trip_id IS NULL
           FOR UPDATE SKIP LOCKED)`,
    );
    if (atOnce > 0) return true;
    // Free a moment ago, and skipped: whoever has the lock takes the driver, or is about to let go. Passing on
    // without knowing would offer the trip to somebody farther away, or to nobody. Waiting is bounded, which also
    // undoes the rare circle of two trips that pass their drivers on to each other.
    await tx.query('SAVEPOINT waiting_for_driver');
    try {
      await tx.query(`SET LOCAL lock_timeout = ${WAIT_FOR_DRIVER_MS}`);
      const [, afterAll] = await reserve('$1');
      await tx.query('SET LOCAL lock_timeout TO DEFAULT');
      return afterAll > 0;
    } catch (error) {
      if (!(error instanceof QueryFailedError) || error.driverError.code !== LOCK_NOT_AVAILABLE) throw error;
      await tx.query('ROLLBACK TO SAVEPOINT waiting_for_driver');
      return false;
    }
  }
}
