import { DispatchAccepted, DispatchExhausted, DriverRegistered, PassengerRegistered } from '@cabstand/contracts';
import { Database, startService, type RunningService } from '@cabstand/service-defaults';
import {
  createTestBroker,
  createTestDatabase,
  createTestIssuer,
  eventually,
  openMessages,
  request,
  type RequestOptions,
} from '@cabstand/testing';
import { randomBytes, randomUUIDv7 } from 'node:crypto';
import pg from 'pg';
import { AppModule, databaseOptions } from '../src/app.module.ts';
import { Config } from '../src/config.ts';
import type { QuoteView } from '../src/quote/quote.dto.ts';
import type { TripView } from '../src/trip/trip.dto.ts';

export const PICKUP = { lat: 52.52, lng: 13.405 };
export const DROPOFF = { lat: 52.5, lng: 13.45 };
export const VEHICLE = { make: 'Skoda', model: 'Octavia', colour: 'cream', plate: 'B TX 204' };

/** Somebody with an access token. */
export interface Person {
  id: string;
  token: string;
}

export type Platform = Awaited<ReturnType<typeof startPlatform>>;

/**
 * The trip service over a database and a virtual host of its own; the other services are played by the test. One more
 * replica than `replicas` with `missedAfterMs`: it looks that often for what no wake-up told of, the others never.
 */
export async function startPlatform(settings: Record<string, string> = {}, replicas = 1, missedAfterMs?: number) {
  const database = await createTestDatabase('trip');
  const broker = await createTestBroker();
  const issuer = await createTestIssuer();
  const config = Config.parse({
    PORT: '0',
    MANAGEMENT_PORT: '0',
    LOG_LEVEL: process.env.LOG_LEVEL ?? 'silent',
    DATABASE_URL: database.url,
    AMQP_URL: broker.urlFor('trip'),
    KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    TRUSTED_ISSUERS: JSON.stringify([issuer.trustedIssuer('passenger', 'driver', 'operator')]),
    ...settings,
  });
  const schema = new Database(databaseOptions(config));
  await schema.migrate();
  await schema.close();
  const services: RunningService[] = [];
  // Streams that only poll would hide a wake-up that is missing.
  const pollMs = [...Array<number>(replicas).fill(600_000), ...(missedAfterMs === undefined ? [] : [missedAfterMs])];
  for (const each of pollMs) {
    const options = { service: 'trip', title: 'Trips', streams: { pollMs: each } } as const;
    services.push(await startService(AppModule.forRoot, config, options));
  }
  const pool = new pg.Pool({ connectionString: database.url, max: 4 });
  pool.on('error', () => undefined);
  const messages = await openMessages(broker, 'trip');

  const person = async (role: 'passenger' | 'driver' | 'operator'): Promise<Person> => {
    const id = randomUUIDv7();
    return { id, token: await issuer.token(role, id) };
  };
  /** A driver whom dispatch knows: `accept` is what it says when they took an offer. */
  const accept = (driver: Person, tripId: string) =>
    messages.publish('driver', DispatchAccepted, {
      tripId,
      offerId: randomUUIDv7(),
      driverId: driver.id,
      driverIssuer: issuer.issuer,
    });

  const call = <Body>(method: string, path: string, options: CallOptions = {}) =>
    request<Body>(services[options.replica ?? 0]!.url, method, path, options);
  const quote = (passenger: Person) =>
    call<QuoteView>('POST', '/v1/quotes', { as: passenger, body: { pickup: PICKUP, dropoff: DROPOFF } });

  return {
    database,
    broker,
    issuer,
    services,
    messages,
    person,
    accept,
    call,
    quote,
    exhaust: (tripId: string) => messages.publish('driver', DispatchExhausted, { tripId, reason: 'deadline' }),
    introduce: async (passenger: Person, driver: Person) => {
      const registered = { passengerId: passenger.id, firstName: 'Ada' };
      await messages.publish('passenger', PassengerRegistered, registered);
      const employed = { driverId: driver.id, firstName: 'Grace', vehicle: VEHICLE };
      await messages.publish('driver', DriverRegistered, employed);
    },
    /** Quotes and requests. */
    requestTrip: async (passenger: Person): Promise<TripView> => {
      const { body } = await quote(passenger);
      const trip = await call<TripView>('POST', '/v1/trips', { as: passenger, body: { quoteId: body.quoteId } });
      expect(trip.status).toBe(201);
      return trip.body;
    },
    get: async (as: Person, tripId: string) => (await call<TripView>('GET', `/v1/trips/${tripId}`, { as })).body,
    untilStatus: (as: Person, tripId: string, status: string) =>
      eventually(async () => {
        const { body } = await call<TripView>('GET', `/v1/trips/${tripId}`, { as });
        expect(body.status).toBe(status);
        return body;
      }),
    rows: async <Row extends object>(sql: string, values: unknown[] = []) => (await pool.query<Row>(sql, values)).rows,
    stop: async () => {
      await Promise.all(services.map((service) => service.stop()));
      await messages.close();
      await pool.end();
      await broker.drop();
      await database.drop();
      issuer.drop();
    },
  };
}

export interface CallOptions extends RequestOptions {
  replica?: number;
}
