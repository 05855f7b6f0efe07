import type { EventDefinition, PayloadOf } from '@cabstand/contracts';
import { Database, startService } from '@cabstand/service-defaults';
import {
  createTestBroker,
  createTestDatabase,
  createTestIssuer,
  eventually,
  openMessages,
  request,
  type RequestOptions,
  type TestBroker,
} from '@cabstand/testing';
import { randomBytes, randomUUID, randomUUIDv7 } from 'node:crypto';
import pg from 'pg';
import { AppModule, databaseOptions } from '../src/app.module.ts';
import { Config } from '../src/config.ts';

export const PASSWORD = 'correct horse';

export interface Tokens {
  accessToken: string;
  refreshToken: string;
}

/** A registered passenger who has signed in. */
export interface Person extends Tokens {
  id: string;
  email: string;
}

export type Platform = Awaited<ReturnType<typeof startPlatform>>;

/** The passenger service over a database and a virtual host of its own; the trip service is played by the test. */
export async function startPlatform() {
  const [database, broker, issuer] = await Promise.all([
    createTestDatabase('passenger'),
    createTestBroker(),
    createTestIssuer('https://operators.test'),
  ]);
  const config = Config.parse({
    PORT: '0',
    MANAGEMENT_PORT: '0',
    LOG_LEVEL: process.env.LOG_LEVEL ?? 'silent',
    DATABASE_URL: database.url,
    AMQP_URL: broker.urlFor('passenger'),
    PUBLIC_URL: 'https://passenger.test',
    TRUSTED_ISSUERS: JSON.stringify([issuer.trustedIssuer('operator')]),
    KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    BLIND_INDEX_KEY: randomBytes(32).toString('base64'),
    REFRESH_TOKEN_KEY: randomBytes(32).toString('base64'),
  });
  const schema = new Database(databaseOptions(config));
  await schema.migrate();
  await schema.close();
  const service = await startService(AppModule.forRoot, config, { service: 'passenger', title: 'Passengers' });
  const pool = new pg.Pool({ connectionString: database.url, max: 4 });
  pool.on('error', () => undefined);
  const messages = await playTrip(broker);
  const operator = await issuer.token('operator', randomUUIDv7());

  const call = <Body>(method: string, path: string, options: RequestOptions = {}) =>
    request<Body>(service.url, method, path, options);
  const signIn = (email: string, password = PASSWORD) =>
    call<Tokens & { code?: string }>('POST', '/v1/sessions', { body: { email, password } });

  return {
    url: service.url,
    broker,
    issuer,
    operator,
    messages,
    call,
    signIn,
    register: async (changes: { name?: string } = {}): Promise<Person> => {
      const email = `${randomUUID()}@example.com`;
      const body = { email, password: PASSWORD, name: 'Ann Lee', phone: '+49 151 2345678', ...changes };
      const { status, body: passenger } = await call<{ id: string }>('POST', '/v1/passengers', {
        body,
        headers: { 'idempotency-key': email },
      });
      expect(status).toBe(201);
      return { id: passenger.id, email, ...(await signIn(email)).body };
    },
    rows: async <Row extends object>(sql: string, values: unknown[] = []) => (await pool.query<Row>(sql, values)).rows,
    stop: async () => {
      await service.stop();
      await messages.close();
      await pool.end();
      await Promise.all([broker.drop(), database.drop()]);
      issuer.drop();
    },
  };
}

/** Publishes as the trip service, and sees everything that the passenger service publishes. */
async function playTrip(broker: TestBroker) {
  const messages = await openMessages(broker, 'passenger');
  const sent = new Set<string>();
  return {
    ...messages,
    /** Ids of the messages that the trip service has sent. */
    sent,
    /** The subject's events so far, once there are as many. */
    untilCount: (subject: string, count: number) =>
      eventually(() => {
        expect(messages.of(subject)).toHaveLength(count);
        return messages.of(subject);
      }),
    publish: async <E extends EventDefinition>(
      event: E,
      payload: PayloadOf<E>,
      { sequence = 1, id = randomUUIDv7() as string } = {},
    ) => {
      await messages.publish('trip', event, payload, { sequence, id });
      sent.add(id);
    },
  };
}
