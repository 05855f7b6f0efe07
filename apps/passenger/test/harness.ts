import { eventsExchange, type EventDefinition, type PayloadOf } from '@cabstand/contracts';
import { Database, startService } from '@cabstand/service-defaults';
import { createTestBroker, createTestDatabase, createTestIssuer, eventually } from '@cabstand/testing';
import amqp from 'amqplib';
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

export interface Published {
  type: string;
  subject: string;
  sequence: number;
  payload: Record<string, unknown>;
}

export interface CallOptions {
  token?: string;
  body?: unknown;
  headers?: Record<string, string>;
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
    REFRESH_TOKEN_KEY: randomBytes(32).toString('base64'),
  });
  const schema = new Database(databaseOptions(config));
  await schema.migrate();
  await schema.close();
  const service = await startService(AppModule.forRoot, config, { service: 'passenger', title: 'Passengers' });
  const pool = new pg.Pool({ connectionString: database.url, max: 4 });
  pool.on('error', () => undefined);
  const messages = await openMessages(broker);
  const operator = await issuer.token('operator', randomUUIDv7());

  const call = <Body>(method: string, path: string, options: CallOptions = {}) =>
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

async function request<Body>(url: string, method: string, path: string, options: CallOptions) {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: {
      ...(options.token ? { authorization: `Bearer ${options.token}` } : {}),
      ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...options.headers,
    },
    body: options.body === undefined ? null : JSON.stringify(options.body),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: (text === '' ? undefined : JSON.parse(text)) as Body,
  };
}

/** Publishes as the trip service, with its own user, and sees everything that the passenger service publishes. */
async function openMessages(broker: Awaited<ReturnType<typeof createTestBroker>>) {
  const published: Published[] = [];
  const admin = await amqp.connect(broker.adminUrl);
  const listening = await admin.createChannel();
  const { queue } = await listening.assertQueue('', { exclusive: true });
  await listening.bindQueue(queue, eventsExchange('passenger'), '#');
  await listening.consume(
    queue,
    (message) => {
      if (!message) return;
      const headers = message.properties.headers as Record<string, string>;
      published.push({
        type: message.fields.routingKey,
        subject: headers['cloudEvents:subject']!,
        sequence: Number(headers['cloudEvents:sequence']),
        payload: JSON.parse(message.content.toString()) as Record<string, unknown>,
      });
    },
    { noAck: true },
  );
  const trip = await amqp.connect(broker.urlFor('trip'));
  const channel = await trip.createConfirmChannel();
  const sent = new Set<string>();
  const of = (subject: string) => published.filter((event) => event.subject === subject);

  return {
    of,
    /** Ids of the messages that the trip service has sent. */
    sent,
    /** The subject's events so far, once there are as many. */
    untilCount: (subject: string, count: number) =>
      eventually(() => {
        expect(of(subject)).toHaveLength(count);
        return of(subject);
      }),
    publish: async <E extends EventDefinition>(
      event: E,
      payload: PayloadOf<E>,
      { sequence = 1, id = randomUUIDv7() } = {},
    ) => {
      const attributes = {
        specversion: '1.0',
        id,
        source: '/cabstand/trip',
        type: event.type,
        time: new Date().toISOString(),
        subject: String(payload[event.subject]),
        sequence,
      };
      channel.publish(eventsExchange('trip'), event.type, Buffer.from(JSON.stringify(payload)), {
        messageId: id,
        contentType: 'application/json',
        persistent: true,
        mandatory: true,
        headers: Object.fromEntries(Object.entries(attributes).map(([name, value]) => [`cloudEvents:${name}`, value])),
      });
      await channel.waitForConfirms();
      sent.add(id);
    },
    close: async () => {
      await trip.close();
      await admin.close();
    },
  };
}
