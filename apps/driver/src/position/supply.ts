import { DriverSupplyChanged, SUPPLY_RESOLUTION, type GeoPoint } from '@cabstand/contracts';
import { Outbox, Transactions } from '@cabstand/messaging';
import { Jobs } from '@cabstand/service-defaults';
import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { latLngToCell } from 'h3-js';
import { randomUUIDv7 } from 'node:crypto';
import type { EntityManager } from 'typeorm';
import { DispatchSettings } from '../dispatch/dispatch-settings.ts';

/** Any number that no other program in this database uses. */
const SUPPLY_LOCK = 7_226_318_002;
/** A count that stays is said again: whoever relies on it can tell that it isn't a memory. */
const REPEAT_AFTER_S = 300;

interface Changed {
  id: string;
  cell: string;
  freeDrivers: number;
  sequence: number;
}

/** Tells the platform how many drivers are free, and where. One replica at a time counts. */
@Injectable()
export class Supply implements OnApplicationBootstrap {
  constructor(
    private readonly transactions: Transactions,
    private readonly outbox: Outbox,
    private readonly settings: DispatchSettings,
    private readonly jobs: Jobs,
  ) {}

  onApplicationBootstrap(): void {
    this.jobs.every(this.settings.supplyEveryMs, 'supply', () => this.transactions.run((tx) => this.tell(tx)));
  }

  private async tell(tx: EntityManager): Promise<void> {
    const [{ isOurs }] = await tx.query<[{ isOurs: boolean }]>('SELECT pg_try_advisory_xact_lock($1) AS "isOurs"', [
      SUPPLY_LOCK,
    ]);
    if (!isOurs) return;
    for (const { id: supplyId, cell, freeDrivers, sequence } of await this.store(tx, await this.count(tx)))
      await this.outbox.add(tx, DriverSupplyChanged, { supplyId, cell, freeDrivers }, sequence);
  }

  /** Free drivers by cell; a cell that had some and has none counts, too. */
  private async count(tx: EntityManager): Promise<Map<string, number>> {
    const free = await tx.query<GeoPoint[]>(
      `SELECT p.lat, p.lng FROM availability a JOIN positions p USING (driver_id)
        WHERE a.status = 'online' AND NOT a.suspended AND a.reserved_trip_id IS NULL
          AND p.at > clock_timestamp() - make_interval(secs => $1)`,
      [this.settings.positionMaxAgeMs / 1_000],
    );
    const left = await tx.query<{ cell: string }[]>('SELECT cell FROM supply WHERE free_drivers > 0');
    const counts = new Map(left.map(({ cell }) => [cell, 0]));
    for (const { lat, lng } of free) {
      const cell = latLngToCell(lat, lng, SUPPLY_RESOLUTION);
      counts.set(cell, (counts.get(cell) ?? 0) + 1);
    }
    return counts;
  }

  /** Answers what is news, and was not told of a moment ago by another replica. */
  private store(tx: EntityManager, counts: Map<string, number>): Promise<Changed[]> {
    const cells = [...counts.keys()];
    return tx.query(
      `INSERT INTO supply (cell, id, free_drivers, sequence, published_at)
       SELECT *, 1, clock_timestamp() FROM unnest($1::text[], $2::uuid[], $3::int[])
       ON CONFLICT (cell) DO UPDATE
         SET free_drivers = excluded.free_drivers, sequence = supply.sequence + 1, published_at = excluded.published_at
       WHERE (supply.free_drivers <> excluded.free_drivers AND supply.published_at <= clock_timestamp() - make_interval(secs => $4))
          OR (excluded.free_drivers > 0 AND supply.published_at <= clock_timestamp() - make_interval(secs => ${REPEAT_AFTER_S}))
       RETURNING id, cell, free_drivers AS "freeDrivers", sequence`,
      [
        cells,
        cells.map(() => randomUUIDv7()),
        [...counts.values()],
        // A little less than the time between two counts, which are never quite punctual.
        (0.9 * this.settings.supplyEveryMs) / 1_000,
      ],
    );
  }
}
