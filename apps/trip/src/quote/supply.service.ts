import { SUPPLY_RESOLUTION, type DriverSupplyChanged, type GeoPoint } from '@cabstand/contracts';
import { Injectable } from '@nestjs/common';
import { latLngToCell } from 'h3-js';
import { DataSource, type EntityManager } from 'typeorm';
import { Pricing } from './pricing.ts';
import { surgeOf, type Surge } from './surge.ts';

/** The driver service repeats a count every five minutes: an older one says nothing of now. */
const BELIEVED_FOR = `interval '10 minutes'`;
/** More than a cell is across, in degrees of latitude; and of longitude as far as cities are from the poles. */
const AROUND_DEG = { lat: 0.05, lng: 0.15 };

/** Where drivers are free, as the driver service says, and passengers wait. */
@Injectable()
export class SupplyService {
  constructor(
    private readonly dataSource: DataSource,
    private readonly pricing: Pricing,
  ) {}

  /** Keeps the newest count, in whatever order they come. */
  async heard(tx: EntityManager, { cell, freeDrivers }: DriverSupplyChanged, sequence: number): Promise<void> {
    await tx.query(
      `INSERT INTO supply AS known (cell, free_drivers, sequence, heard_at) VALUES ($1, $2, $3, now())
       ON CONFLICT (cell) DO UPDATE
         SET free_drivers = excluded.free_drivers, sequence = excluded.sequence, heard_at = excluded.heard_at
       WHERE known.sequence < excluded.sequence`,
      [cell, freeDrivers, sequence],
    );
  }

  /** What a ride from there is multiplied by. Null where nothing is known, and when surges are switched off. */
  async surgeAt(pickup: GeoPoint): Promise<Surge | null> {
    if (this.pricing.maxSurge <= 1) return null;
    const cell = latLngToCell(pickup.lat, pickup.lng, SUPPLY_RESOLUTION);
    const [supply] = await this.dataSource.query<{ freeDrivers: number }[]>(
      `SELECT free_drivers AS "freeDrivers" FROM supply WHERE cell = $1 AND heard_at > now() - ${BELIEVED_FOR}`,
      [cell],
    );
    if (!supply) return null;
    const waiting = await this.dataSource.query<{ pickup: GeoPoint }[]>(
      `SELECT pickup FROM trips WHERE status = 'requested'
          AND abs((pickup->>'lat')::float8 - $1) < $2 AND abs((pickup->>'lng')::float8 - $3) < $4`,
      [pickup.lat, AROUND_DEG.lat, pickup.lng, AROUND_DEG.lng],
    );
    const here = waiting.filter(({ pickup: at }) => latLngToCell(at.lat, at.lng, SUPPLY_RESOLUTION) === cell);
    return surgeOf(here.length + 1, supply.freeDrivers, this.pricing.maxSurge);
  }
}
