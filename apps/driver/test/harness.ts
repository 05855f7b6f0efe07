import { randomBytes, randomUUIDv7 } from 'node:crypto';
import { TripRequested, type EventDefinition, type GeoPoint, type PayloadOf } from '@cabstand/contracts';
import { Database, startService, type RunningService } from '@cabstand/service-defaults';
import {
  createTestBroker,
  createTestDatabase,
  createTestIssuer,
  eventually,
  openMessages,
  request,
  type Answer,
  type RequestOptions,
  type TestBroker,
} from '@cabstand/testing';
import pg from 'pg';
import { appModule, databaseOptions } from '../src/app.module.ts';
import { Config } from '../src/config.ts';
import { KnownPositions } from '../src/dispatch/known-positions.ts';
import type { AnswerView, OfferView } from '../src/dispatch/offer.dto.ts';
import type { DriverView } from '../src/driver/driver.dto.ts';
import type { ReportView } from '../src/position/position.dto.ts';

export const PICKUP = { lat: 52.52, lng: 13.405 };
export const DROPOFF = { lat: 52.5, lng: 13.45 };
export const PASSWORD = 'correct horse battery staple';
/** About so many metres north of the pickup. */
export const north = (metres: number): GeoPoint => ({ lat: PICKUP.lat + metres / 111_195, lng: PICKUP.lng });

export interface Problem {
  code: string;
}

/** Somebody with an access token. */
export interface Person {
  id: string;
  token: string;
}

export interface CallOptions extends RequestOptions {
  replica?: number;
}

export type Platform = Awaited<ReturnType<typeof startPlatform>>;

/** The driver service over a database and a virtual host of its own; the trip service is played by the test. */
export async function startPlatform(settings: Record<string, string> = {}, replicas = 1) {
  const database = await createTestDatabase('driver');
  const broker = await createTestBroker();
  const issuer = await createTestIssuer();
  const config = Config.parse({
    PORT: '0',
    MANAGEMENT_PORT: '0',
    LOG_LEVEL: process.env.LOG_LEVEL ?? 'silent',
    DATABASE_URL: database.url,
    AMQP_URL: broker.urlFor('driver'),
    PUBLIC_URL: 'https://driver.test',
    TRUSTED_ISSUERS: JSON.stringify([issuer.trustedIssuer('driver', 'operator', 'passenger')]),
    KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    BLIND_INDEX_KEY: randomBytes(32).toString('base64'),
    REFRESH_TOKEN_KEY: randomBytes(32).toString('base64'),
    DISPATCH_SWEEP_EVERY: '50ms',
    // Drivers of a test stand still, and the machine may be slow.
    DISPATCH_POSITION_MAX_AGE: '5m',
    // Where nobody looks for them, counts of drivers are only in the way.
    SUPPLY_EVERY: '1h',
    ...settings,
  });
  const schema = new Database(databaseOptions(config));
  await schema.migrate();
  await schema.close();
  const services: RunningService[] = [];
  for (let i = 0; i < replicas; i++) {
    services.push(await startService(appModule, config, { service: 'driver', title: 'Drivers' }));
  }
  const pool = new pg.Pool({ connectionString: database.url, max: 8 });
  pool.on('error', () => undefined);
  const rows = async <Row extends object>(sql: string, values: unknown[] = []) =>
    (await pool.query<Row>(sql, values)).rows;
  const messages = await playTrip(broker);
  const call = <Body = Problem>(method: string, path: string, options: CallOptions = {}) =>
    request<Body>(services[options.replica ?? 0]!.url, method, path, options);

  return {
    ...{ database, broker, issuer, services, pool, rows, messages, call },
    ...driving(call, async (driverId, sinceMs) => {
      for (const { app } of services)
        await eventually(() => expect(app.get(KnownPositions).last(driverId)?.atMs).toBeGreaterThanOrEqual(sinceMs));
    }),
    /** Publishes `trip.requested` and returns its id. */
    request: async (pickup = PICKUP) => {
      const tripId = randomUUIDv7();
      await messages.publish(TripRequested, tripRequest(tripId, pickup));
      return tripId;
    },
    untilOffers: (tripId: string, statuses: string[]) =>
      eventually(async () => {
        const found = await rows<{ id: string; driverId: string; status: string }>(
          'SELECT id, driver_id AS "driverId", status FROM offers WHERE trip_id = $1 ORDER BY id',
          [tripId],
        );
        expect(found.map(({ status }) => status)).toEqual(statuses);
        return found;
      }),
    untilDispatch: (tripId: string, status: string) =>
      eventually(async () => {
        expect(await rows('SELECT status FROM dispatches WHERE trip_id = $1', [tripId])).toEqual([{ status }]);
      }),
    /** P6: whoever is reserved is so for a trip that is offered to, or driven by, exactly that driver. */
    expectNobodyStuck: async () => {
      const stuck = await rows(
        `SELECT a.driver_id, a.reserved_trip_id, a.reserved_as, d.status FROM availability a
           LEFT JOIN dispatches d ON d.trip_id = a.reserved_trip_id
           LEFT JOIN offers o ON o.trip_id = a.reserved_trip_id AND o.driver_id = a.driver_id
          WHERE a.reserved_trip_id IS NOT NULL
            AND (d.status, o.status, a.reserved_as) NOT IN (('offered', 'open', 'offer'), ('accepted', 'accepted', 'trip'))`,
      );
      expect(stuck).toEqual([]);
      const unreserved = await rows(
        `SELECT o.id FROM offers o JOIN dispatches d ON d.trip_id = o.trip_id JOIN availability a ON a.driver_id = o.driver_id
          WHERE (o.status = 'open' OR (o.status = 'accepted' AND d.status = 'accepted'))
            AND a.reserved_trip_id IS DISTINCT FROM o.trip_id`,
      );
      expect(unreserved).toEqual([]);
    },
    reserved: () =>
      rows<{ driverId: string; tripId: string }>(
        `SELECT driver_id AS "driverId", reserved_trip_id AS "tripId" FROM availability WHERE reserved_trip_id IS NOT NULL`,
      ),
    /** Forgets everybody and every trip, for the next test. */
    clear: async () => {
      // Again after a deadlock: the sweep and the relay lock these tables too.
      await eventually(() =>
        rows('TRUNCATE inbox, dispatches, offers, availability, drivers, positions, driver_stream'),
      );
      messages.published.length = 0;
    },
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

/** Until exactly so many statements wait for locks. */
export const untilWaiting = ({ rows }: Platform, count: number) =>
  eventually(
    async () =>
      expect(
        await rows(`SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`),
      ).toHaveLength(count),
    { everyMs: 2 },
  );

export const tripRequest = (tripId: string, pickup: GeoPoint = PICKUP): TripRequested => ({
  ...{ tripId, passengerId: randomUUIDv7(), pickup, dropoff: DROPOFF },
  ...{ fareMinor: 1_052, currency: 'EUR' },
});

let registrations = 0;
export const registration = () => ({
  email: `driver${++registrations}-${randomBytes(4).toString('hex')}@example.org`,
  password: PASSWORD,
  name: 'Grace Hopper',
  phone: '+49 30 1234567',
  licenceNumber: 'B-072/42',
  vehicle: { make: 'Skoda', model: 'Octavia', colour: 'cream', plate: 'B TX 204' },
});

type Call = <Body = Problem>(method: string, path: string, options?: CallOptions) => Promise<Answer<Body>>;

/** What drivers do, over HTTP. */
function driving(call: Call, untilKnown: (driverId: string, sinceMs: number) => Promise<void>) {
  const signUp = async (): Promise<Person & { email: string; refreshToken: string }> => {
    const profile = registration();
    const { status, body } = await call<DriverView>('POST', '/v1/drivers', { body: profile });
    expect(status).toBe(201);
    const credentials = { email: profile.email, password: PASSWORD };
    const session = await call<{ accessToken: string; refreshToken: string }>('POST', '/v1/sessions', {
      body: credentials,
    });
    const { accessToken: token, refreshToken } = session.body;
    return { id: body.id, email: profile.email, token, refreshToken };
  };
  /** Says where the driver is, and waits until every replica knows. */
  const stand = async (as: Person, at: GeoPoint) => {
    const now = new Date();
    const points = [{ ...at, at: now.toISOString() }];
    const answer = await call<ReportView>('POST', '/v1/drivers/me/positions', { as, body: { points } });
    if (answer.body.accepted === 1) await untilKnown(as.id, now.getTime());
    return answer;
  };
  const go = (as: Person, status: 'online' | 'offline', replica = 0) =>
    call('PUT', '/v1/drivers/me/availability', { as, body: { status }, replica });
  return {
    signUp,
    stand,
    go,
    /** A new driver who is online and stands there. */
    hire: async (at: GeoPoint = PICKUP) => {
      const driver = await signUp();
      expect((await stand(driver, at)).status).toBe(202);
      expect((await go(driver, 'online')).status).toBe(200);
      return driver;
    },
    offer: (as: Person, replica = 0) => call<OfferView>('GET', '/v1/drivers/me/offer', { as, replica }),
    untilOffered: (as: Person) =>
      eventually(async () => {
        const { status, body } = await call<OfferView>('GET', '/v1/drivers/me/offer', { as });
        expect(status).toBe(200);
        return body;
      }),
    answer: (as: Person, offerId: string, action: 'accept' | 'decline', replica = 0) =>
      call<AnswerView & Problem>('POST', `/v1/offers/${offerId}/${action}`, { as, replica }),
  };
}

/** Publishes as the trip service, and sees everything that the driver service publishes. */
async function playTrip(broker: TestBroker) {
  const messages = await openMessages(broker, 'driver');
  return {
    ...messages,
    publish: <E extends EventDefinition>(
      event: E,
      payload: PayloadOf<E>,
      options?: { sequence?: number; id?: string },
    ) => messages.publish('trip', event, payload, options),
  };
}
