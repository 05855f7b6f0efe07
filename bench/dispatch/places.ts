import type { GeoPoint } from '@cabstand/contracts';
import type { DataSource, EntityManager } from 'typeorm';
import { nearby, NEAREST, somewhere } from './city.ts';

interface Driver {
  id: string;
  at: GeoPoint;
}

/** Enough to keep two cores busy. */
const SEARCHES_AT_ONCE = 4;
/** Moves are told in statements of so many, which suits the server best. */
const MOVES_AT_ONCE = 100;
const PLACE = 'ST_SetSRID(ST_MakePoint(lng, lat), 4326)::geography';
const PICKUP = 'ST_SetSRID(ST_MakePoint($1, $2), 4326)::geography';
const DRIVERS = 'unnest($1::uuid[], $2::float8[], $3::float8[]) AS driver (id, lng, lat)';
const asColumns = (drivers: readonly Driver[]) => [
  drivers.map(({ id }) => id),
  drivers.map(({ at }) => at.lng),
  drivers.map(({ at }) => at.lat),
];

/** The reference: positions in PostGIS, the nearest found by its index (`<->`), as its manual has it. */
export class Places {
  readonly #dataSource: DataSource;
  readonly #drivers: readonly Driver[];
  readonly #random: () => number;
  #searches = 0;

  private constructor(dataSource: DataSource, drivers: readonly Driver[], random: () => number) {
    this.#dataSource = dataSource;
    this.#drivers = drivers;
    this.#random = random;
  }

  static async of(dataSource: DataSource, drivers: readonly Driver[], random: () => number): Promise<Places> {
    await dataSource.query('CREATE EXTENSION postgis');
    await dataSource.query('CREATE TABLE places (driver_id uuid PRIMARY KEY, place geography(Point, 4326) NOT NULL)');
    await dataSource.query(`INSERT INTO places SELECT id, ${PLACE} FROM ${DRIVERS}`, asColumns(drivers));
    await dataSource.query('CREATE INDEX places_place ON places USING gist (place)');
    await dataSource.query('VACUUM ANALYZE places, availability');
    return new Places(dataSource, drivers, random);
  }

  /** With one move for each search. */
  async searchesPerS(durationMs: number): Promise<number> {
    const [startedAt, before] = [performance.now(), this.#searches];
    const searchOn = async () => {
      while (performance.now() < startedAt + durationMs) {
        const { lat, lng } = somewhere(this.#random);
        const nearest = `SELECT driver_id FROM places ORDER BY place <-> ${PICKUP} LIMIT ${NEAREST}`;
        await this.#dataSource.query(nearest, [lng, lat]);
        if (++this.#searches % MOVES_AT_ONCE === 0) await this.#move();
      }
    };
    await Promise.all(Array.from({ length: SEARCHES_AT_ONCE }, searchOn));
    return ((this.#searches - before) * 1_000) / (performance.now() - startedAt);
  }

  /** Reserves the nearest who is free, in one statement. False when nobody is. */
  async reserve(tx: EntityManager, tripId: string, { lat, lng }: GeoPoint): Promise<boolean> {
    const [, reserved] = await tx.query<[unknown[], number]>(
      `WITH best AS (
         SELECT a.driver_id FROM places p JOIN availability a USING (driver_id)
          WHERE a.status = 'online' AND NOT a.suspended AND a.reserved_trip_id IS NULL
            AND NOT EXISTS (SELECT 1 FROM offers o WHERE o.trip_id = $3 AND o.driver_id = a.driver_id)
          ORDER BY p.place <-> ${PICKUP} LIMIT 1
            FOR UPDATE OF a SKIP LOCKED)
       UPDATE availability a SET reserved_trip_id = $3, reserved_as = 'offer' FROM best
        WHERE a.driver_id = best.driver_id`,
      [lng, lat, tripId],
    );
    return reserved === 1;
  }

  async #move(): Promise<void> {
    const from = this.#searches % this.#drivers.length;
    const moved = this.#drivers
      .slice(from, from + MOVES_AT_ONCE)
      .map(({ id, at }) => ({ id, at: nearby(at, this.#random) }));
    await this.#dataSource.query(
      `UPDATE places SET place = ${PLACE} FROM ${DRIVERS} WHERE driver_id = driver.id`,
      asColumns(moved),
    );
  }
}
