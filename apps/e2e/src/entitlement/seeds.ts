import type { TripStatus } from '@cabstand/contracts';
import pg from 'pg';
import { goodMessage, SOURCES } from '../messages.ts';
import type { Platform } from '../platform.ts';
import type { Cast } from './cast.ts';

export const WAY = { pickup: { lat: 52.52437, lng: 13.41053 }, dropoff: { lat: 52.50618, lng: 13.45221 } };
const UNDER_WAY = ['accepted', 'arrived', 'in_progress'];
const OVER_AN_HOUR_AGO = 61 * 60_000;

/** Puts what the calls are about into the state that they are to find. Faster than living through it for each cell. */
export class Seeds {
  readonly #databases: Record<'passenger' | 'driver' | 'trip', pg.Pool>;

  constructor(platform: Platform) {
    const pool = (service: 'passenger' | 'driver' | 'trip') =>
      new pg.Pool({ connectionString: platform.databases[service].url, max: 1 });
    this.#databases = { passenger: pool('passenger'), driver: pool('driver'), trip: pool('trip') };
  }

  async close(): Promise<void> {
    await Promise.all(Object.values(this.#databases).map((pool) => pool.end()));
  }

  /**
   * The trip of the cast's passenger and, where it has come so far, driver; it is the only one of the two.
   * `state` is a status, or `completed over an hour ago`.
   */
  async trip(state: string, { passenger, driver }: Cast, issuers: Record<'passenger' | 'driver', string>) {
    const isOld = state.endsWith('over an hour ago');
    const status = state.split(' ')[0] as TripStatus;
    const endedAt = new Date(Date.now() - (isOld ? OVER_AN_HOUR_AGO : 1_000));
    const at = new Date(endedAt.getTime() - 60_000);
    const isAccepted = [...UNDER_WAY, 'completed'].includes(status) || state.startsWith('cancelled after');
    const id = crypto.randomUUID();
    const columns = {
      ...{ id, sequence: 2, status, quote_id: crypto.randomUUID() },
      ...{ passenger_issuer: issuers.passenger, passenger_id: passenger.id },
      ...{ driver_issuer: isAccepted ? issuers.driver : null, driver_id: isAccepted ? driver.id : null },
      ...{ pickup: WAY.pickup, dropoff: WAY.dropoff, fare_minor: 1_000, currency: 'EUR', distance_m: 3_000 },
      ...{ duration_s: 600, requested_at: at, accepted_at: isAccepted ? at : null },
      completed_at: status === 'completed' ? endedAt : null,
      cancelled_at: status === 'cancelled' ? endedAt : null,
      cancelled_by: status === 'cancelled' ? 'passenger' : null,
    };
    const { trip } = this.#databases;
    await trip.query('DELETE FROM trips WHERE passenger_id = $1', [passenger.id]);
    await insert(trip, 'trips', columns);
    await insert(trip, 'trip_history', columns);
    return id;
  }

  /** An offer of the cast's driver for a trip that the former driver has declined. */
  async offer(status: string, { driver, 'former driver': former }: Cast, driverIssuer: string) {
    const [tripId, id] = [crypto.randomUUID(), crypto.randomUUID()];
    const pool = this.#databases.driver;
    const soon = new Date(Date.now() + 60_000);
    await pool.query(`UPDATE offers SET status = 'withdrawn' WHERE driver_id = $1 AND status = 'open'`, [driver.id]);
    await pool.query('UPDATE availability SET reserved_trip_id = NULL, reserved_as = NULL WHERE driver_id = $1', [
      driver.id,
    ]);
    await insert(pool, 'dispatches', {
      ...{ trip_id: tripId, status: status === 'open' ? 'offered' : 'closed', trip_status: 'requested' },
      ...{ pickup_lat: 52.5, pickup_lng: 13.4, dropoff_lat: 52.6, dropoff_lng: 13.4, fare_minor: 1_000 },
      ...{ currency: 'EUR', trip_sequence: 0, deadline_at: soon, look_at: soon },
    });
    const offer = { trip_id: tripId, driver_issuer: driverIssuer, pickup_distance_m: 1, offered_at: new Date() };
    const declined = { id: crypto.randomUUID(), driver_id: former.id, status: 'declined' };
    await insert(pool, 'offers', { ...offer, ...declined, expires_at: soon, settled_at: new Date() });
    await insert(pool, 'offers', { ...offer, id, driver_id: driver.id, status, expires_at: soon });
    if (status === 'open')
      await pool.query(`UPDATE availability SET reserved_trip_id = $2, reserved_as = 'offer' WHERE driver_id = $1`, [
        driver.id,
        tripId,
      ]);
    return id;
  }

  /** What nobody could read, about somebody. */
  async deadLetter(service: 'passenger' | 'driver' | 'trip') {
    const source = SOURCES.find(({ queues }) => queues.some(({ consumer }) => consumer === service))!;
    const { queue } = source.queues.find(({ consumer }) => consumer === service)!;
    const { options } = goodMessage(source);
    const id = crypto.randomUUID();
    await insert(this.#databases[service], 'dead_letters', {
      ...{ id, queue, message_id: options.messageId, type: source.type, reason: 'malformed', attempts: 1 },
      ...{ history: '[]', properties: JSON.stringify(options), body: Buffer.from('{"firstName":"Ada"}') },
    });
    return id;
  }
}

async function insert(pool: pg.Pool, table: string, row: Record<string, unknown>): Promise<void> {
  const names = Object.keys(row);
  const values = names.map((_, i) => `$${i + 1}`);
  await pool.query(`INSERT INTO ${table} (${names.join(', ')}) VALUES (${values.join(', ')})`, Object.values(row));
}
