import type { GeoPoint } from '@cabstand/contracts';
import { Injectable } from '@nestjs/common';
import type { ClientBase } from 'pg';
import { QueryFailedError, type EntityManager } from 'typeorm';
import { DispatchSettings } from './dispatch-settings.ts';
import { KnownPositions } from './known-positions.ts';
import { rank, type Ranked } from './ranking.ts';

/** How many of the nearest are asked for, in turn: where most are busy, more; at last everybody within reach. */
const COUNTS = [16, 256, Infinity];
/** Transactions that hold a driver are over in milliseconds; behind a stuck one nobody queues for long. */
const WAIT_FOR_DRIVER_MS = 100;
const LOCK_NOT_AVAILABLE = '55P03';

const IS_FREE = `a.status = 'online' AND NOT a.suspended AND a.reserved_trip_id IS NULL`;

const RESERVE_BEST = {
  name: 'reserve the best driver',
  text: `WITH best AS (
    SELECT a.driver_id
      FROM unnest($1::uuid[]) WITH ORDINALITY AS candidate (driver_id, place) JOIN availability a USING (driver_id)
     WHERE ${IS_FREE}
       AND NOT EXISTS (SELECT 1 FROM offers o WHERE o.trip_id = $2 AND o.driver_id = a.driver_id)
     ORDER BY place LIMIT 1),
  reserved AS (
    UPDATE availability a SET reserved_trip_id = $2, reserved_as = 'offer'
     WHERE ${IS_FREE} AND a.driver_id = (
       SELECT a.driver_id FROM availability a WHERE ${IS_FREE} AND a.driver_id = (SELECT driver_id FROM best)
          FOR UPDATE SKIP LOCKED)
    RETURNING a.driver_id)
  SELECT driver_id AS "driverId", EXISTS (SELECT 1 FROM reserved) AS "isReserved" FROM best`,
};
interface Best {
  driverId: string;
  isReserved: boolean;
}

interface Sought {
  tripId: string;
  pickup: GeoPoint;
}

/** Finds the drivers who could take a trip, and reserves the best. */
@Injectable()
export class Matching {
  constructor(
    private readonly settings: DispatchSettings,
    private readonly known: KnownPositions,
  ) {}

  /**
   * Reserves the best driver who is free, near enough and was never offered this trip; null when there is none.
   * The caller holds the trip's dispatch; of other rows, only availability is locked.
   */
  async reserve(tx: EntityManager, { tripId, pickup }: Sought): Promise<Ranked | null> {
    const asked = new Set<string>();
    for (const count of COUNTS) {
      const candidates = this.known.nearest(pickup, count);
      const ranked = rank(pickup, candidates, this.settings.maxPickupM).filter(({ driverId }) => !asked.has(driverId));
      const driverId = await this.reserveBest(
        tx,
        ranked.map((each) => each.driverId),
        tripId,
      );
      if (driverId) return ranked.find((each) => each.driverId === driverId)!;
      if (candidates.length < count) return null;
      for (const each of ranked) asked.add(each.driverId);
    }
    return null;
  }

  /** Takes the first of them who is free. In one statement, unless another transaction is at that very driver. */
  private async reserveBest(tx: EntityManager, ranked: readonly string[], tripId: string): Promise<string | null> {
    const heldByOthers = new Set<string>();
    for (;;) {
      const left = ranked.filter((driverId) => !heldByOthers.has(driverId));
      if (left.length === 0) return null;
      // By name, which TypeORM has no place for: PostgreSQL plans it once for each connection, and planning took longer.
      const client = (await tx.queryRunner!.connect()) as ClientBase;
      const { rows } = await client.query<Best>({ ...RESERVE_BEST, values: [left, tripId] });
      const [best] = rows;
      if (!best) return null;
      if (best.isReserved || (await this.waitFor(tx, best.driverId, tripId))) return best.driverId;
      heldByOthers.add(best.driverId);
    }
  }

  /**
   * Takes a driver who was free a moment ago, and skipped: whoever has the lock takes the driver, or is about to let go.
   * Passing on without knowing would offer the trip to somebody farther away, or to nobody. Waiting is bounded, which
   * also undoes the rare circle of two trips that pass their drivers on to each other.
   */
  private async waitFor(tx: EntityManager, driverId: string, tripId: string): Promise<boolean> {
    await tx.query('SAVEPOINT waiting_for_driver');
    try {
      await tx.query(`SET LOCAL lock_timeout = ${WAIT_FOR_DRIVER_MS}`);
      const [, reserved] = await tx.query<[unknown[], number]>(
        `UPDATE availability a SET reserved_trip_id = $2, reserved_as = 'offer' WHERE a.driver_id = $1 AND ${IS_FREE}`,
        [driverId, tripId],
      );
      await tx.query('SET LOCAL lock_timeout TO DEFAULT');
      return reserved > 0;
    } catch (error) {
      if (!(error instanceof QueryFailedError) || error.driverError.code !== LOCK_NOT_AVAILABLE) throw error;
      await tx.query('ROLLBACK TO SAVEPOINT waiting_for_driver');
      return false;
    }
  }
}
