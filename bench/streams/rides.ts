import { randomUUIDv7 } from 'node:crypto';
import type { GeoPoint } from '@cabstand/contracts';
import { createTestIssuer, type TestIssuer } from '@cabstand/testing';
import pg from 'pg';
import type { Platform } from '../../apps/e2e/src/platform.ts';

/** A trip that was accepted, and those who may follow it. */
export interface RideUnderWay {
  tripId: string;
  driverId: string;
  passengerToken: string;
  driverToken: string;
}

export const HOME: GeoPoint = { lat: 52.52, lng: 13.405 };
const TOKEN_LIFE_S = 3_600;

/** Of the people: thousands of them sign in faster where nobody checks a password. */
export const createPeoplesIssuer = (): Promise<TestIssuer> => createTestIssuer('https://people.example');

/**
 * Puts trips under way into the trip service's database, as their events would have left them. Asked for one by one
 * through the API, thousands of them would take longer than what is measured.
 */
export async function startRides(platform: Platform, issuer: TestIssuer, count: number): Promise<RideUnderWay[]> {
  const rows = Array.from({ length: count }, () => ({
    ...{ id: randomUUIDv7(), passenger_id: randomUUIDv7(), driver_id: randomUUIDv7(), quote_id: randomUUIDv7() },
  }));
  const db = new pg.Client({ connectionString: platform.databases.trip.url });
  await db.connect();
  try {
    const people = `SELECT p.id FROM json_populate_recordset(NULL::passengers, $1) AS p`;
    for (const [table, id] of [['passengers', 'passenger_id'] as const, ['drivers', 'driver_id'] as const])
      await db.query(`INSERT INTO ${table} (id) ${people}`, [JSON.stringify(rows.map((row) => ({ id: row[id] })))]);
    for (const table of ['trips', 'trip_history'])
      await db.query(
        `INSERT INTO ${table} (id, sequence, status, quote_id, passenger_issuer, passenger_id, driver_issuer, driver_id,
                               pickup, dropoff, fare_minor, currency, distance_m, duration_s, requested_at, accepted_at)
         SELECT id, 2, 'accepted', quote_id, $2, passenger_id, $2, driver_id, $3, $3, 700, 'EUR', 2000, 300, now(), now()
           FROM json_populate_recordset(NULL::trips, $1)`,
        [JSON.stringify(rows), issuer.issuer, JSON.stringify(HOME)],
      );
  } finally {
    await db.end();
  }
  const exp = Math.floor(Date.now() / 1_000) + TOKEN_LIFE_S;
  return Promise.all(
    rows.map(async ({ id, passenger_id: passengerId, driver_id: driverId }) => ({
      ...{ tripId: id, driverId },
      passengerToken: await issuer.token('passenger', passengerId, { exp }),
      driverToken: await issuer.token('driver', driverId, { exp }),
    })),
  );
}
