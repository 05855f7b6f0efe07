import { randomUUID, randomUUIDv7 } from 'node:crypto';
import { SERVICES, type ServiceName } from '@cabstand/contracts';
import pg from 'pg';
import {
  acceptedTrip,
  drive,
  newDriver,
  newPassenger,
  requestTrip,
  type NewDriver,
  type NewPassenger,
} from '../../apps/e2e/src/people.ts';
import { freshPlace } from '../../apps/e2e/src/places.ts';
import { Platform } from '../../apps/e2e/src/platform.ts';
import { operationsOf, type OpenApi, type Operation } from './openapi.ts';
import { sample } from './sample.ts';
import { send, type Answer } from './wire.ts';

export type Role = 'passenger' | 'driver' | 'operator';

/** Whose call it is, where that isn't its service's own kind of user. */
const CALLERS: [RegExp, Role][] = [
  [/\/v1\/ops\/|\/suspend$|\/reinstate$|GET \/v1\/drivers\/positions$/, 'operator'],
  [/^trip POST .*\/(arrive|start|complete)$/, 'driver'],
  [/^trip /, 'passenger'],
  [/^passenger /, 'passenger'],
  [/^driver /, 'driver'],
];

/** The platform under attack, and everybody in it. */
export class World {
  readonly platform: Platform;
  readonly operations: Operation[];
  passenger: NewPassenger;
  driver: NewDriver;
  readonly #operatorToken: string;
  readonly #tripId: string;
  readonly #pools: Record<ServiceName, pg.Pool>;

  private constructor(
    platform: Platform,
    operations: Operation[],
    people: { passenger: NewPassenger; driver: NewDriver; operatorToken: string; tripId: string },
  ) {
    this.platform = platform;
    this.operations = operations;
    this.passenger = people.passenger;
    this.driver = people.driver;
    this.#operatorToken = people.operatorToken;
    this.#tripId = people.tripId;
    this.#pools = Object.fromEntries(
      SERVICES.map((service) => [service, new pg.Pool({ connectionString: platform.databases[service].url, max: 1 })]),
    ) as Record<ServiceName, pg.Pool>;
  }

  static async start(env: Record<string, string> = {}): Promise<World> {
    const platform = await Platform.start({
      // Nothing is written by the clock, so that any row that changes was changed by a call.
      env: { LOG_LEVEL: 'info', LOG_FORMAT: 'json', SUPPLY_EVERY: '24h', ...env },
    });
    try {
      const documents = SERVICES.map(async (service) => {
        const { text } = await send({ method: 'GET', url: `${platform.urls[service]}/openapi.json` });
        return operationsOf(service, JSON.parse(text) as OpenApi);
      });
      const operations = (await Promise.all(documents)).flat();
      const place = freshPlace();
      const passenger = await newPassenger(platform.urls);
      const driver = await newDriver(platform.urls, place.pickup);
      // Long enough for a whole run.
      const operatorToken = await platform.operators.token('operator', randomUUID(), {
        exp: Math.floor(Date.now() / 1_000) + 3_000,
      });
      const { id: tripId } = await acceptedTrip(passenger.api, driver.api, place);
      await drive(driver.api, tripId);
      return new World(platform, operations, { passenger, driver, operatorToken, tripId });
    } catch (error) {
      await platform.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await Promise.all(Object.values(this.#pools).map((pool) => pool.end()));
    await this.platform.stop();
  }

  async rows<Row extends object>(service: ServiceName, sql: string, values: unknown[] = []): Promise<Row[]> {
    return (await this.#pools[service].query<Row>(sql, values)).rows;
  }

  /** Undefined where anybody may call. */
  async tokenFor(operation: Operation): Promise<string | undefined> {
    if (operation.isPublic) return undefined;
    const role = CALLERS.find(([calls]) => calls.test(operation.name))![1];
    return role === 'operator' ? this.#operatorToken : this[role].api.session.token();
  }

  /** New sessions for everybody, after what ended the old ones. */
  async signIn(): Promise<void> {
    for (const { api } of [this.passenger, this.driver]) await api.session.signIn();
  }

  /** Somebody else, after what was done to the one before. */
  async replace(role: 'passenger' | 'driver'): Promise<void> {
    if (role === 'passenger') this.passenger = await newPassenger(this.platform.urls);
    else this.driver = await newDriver(this.platform.urls);
  }

  /** A body and path that the call would accept from its caller at this moment; makes what has to be there for it. */
  async goodCall(operation: Operation): Promise<{ body: unknown; url: string }> {
    let id: string = randomUUIDv7();
    if (operation.name === 'trip POST /v1/trips/{id}/cancel') id = await this.#requestedTrip();
    else if (operation.name === 'trip POST /v1/trips/{id}/rating') id = await this.#completedTrip();
    const body = operation.body ? sample(operation.body) : undefined;
    return { body, url: this.urlOf(operation, { id, offerId: id }) };
  }

  urlOf(operation: Operation, parameters: Record<string, string>): string {
    const path = operation.path.replace(/\{(\w+)\}/g, (_all, name: string) =>
      encodeURIComponent(parameters[name] ?? ''),
    );
    return this.platform.urls[operation.service] + path;
  }

  async call(operation: Operation, url: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return send({
      ...{ method: operation.method, url, headers, token: await this.tokenFor(operation) },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  }

  /** A trip that waits for a driver, the passenger's only one. */
  async #requestedTrip(): Promise<string> {
    const { items } = await this.passenger.api.trips('?limit=1');
    if (items[0]?.status === 'requested') return items[0].id;
    return (await requestTrip(this.passenger.api, freshPlace())).id;
  }

  /** Copied in the database from one that was driven: driving each would take the time of the whole suite. */
  async #completedTrip(): Promise<string> {
    const id = randomUUIDv7();
    await this.rows(
      'trip',
      `INSERT INTO trips SELECT (jsonb_populate_record(t, jsonb_build_object('id', $1::text, 'passenger_id', $3::text))).*
         FROM trips t WHERE id = $2`,
      [id, this.#tripId, this.passenger.id],
    );
    return id;
  }
}
