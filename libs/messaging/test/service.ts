import { randomUUID } from 'node:crypto';
import {
  TripCancelled,
  TripCompleted,
  TripRated,
  TripRequested,
  TripUnfulfilled,
  type ServiceName,
} from '@cabstand/contracts';
import { createTestBroker, createTestDatabase, type TestBroker, type TestDatabase } from '@cabstand/testing';
import { Controller, Global, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { connect } from 'amqplib';
import pg from 'pg';
import { DataSource, type EntityManager } from 'typeorm';
import {
  connectMessaging,
  Delivery,
  Inbox,
  Live,
  messagingEntities,
  messagingMigrations,
  MessagingModule,
  MessagingStatus,
  Outbox,
  Transactions,
  type MessagingOptions,
} from '../src/index.ts';

export const dataSourceOf = ({ url }: TestDatabase) =>
  new DataSource({
    type: 'postgres',
    driver: pg,
    url,
    entities: messagingEntities,
    migrations: messagingMigrations,
  });

async function migrate(database: TestDatabase): Promise<void> {
  const dataSource = await dataSourceOf(database).initialize();
  await dataSource.runMigrations();
  await dataSource.query('CREATE TABLE effects (message_id uuid NOT NULL, type text NOT NULL)');
  await dataSource.destroy();
}

/** One application with messaging: a replica of a service. */
async function startService(
  service: ServiceName,
  broker: TestBroker,
  database: TestDatabase,
  { controllers = [], ...options }: Partial<MessagingOptions> & { controllers?: Type[] } = {},
) {
  const dataSource = await dataSourceOf(database).initialize();

  @Global()
  @Module({ providers: [{ provide: DataSource, useValue: dataSource }], exports: [DataSource] })
  class DatabaseModule {}

  @Module({
    imports: [
      DatabaseModule,
      MessagingModule.forRoot({
        service,
        amqpUrl: broker.urlFor(service),
        managementUrl: broker.managementUrlFor(service),
        retryDelaysMs: [50, 50],
        ...options,
      }),
    ],
    controllers,
  })
  class AppModule {}

  const app = await NestFactory.create(AppModule, new FastifyAdapter(), {
    logger: process.env.LOG ? undefined : false,
    abortOnError: false,
  });
  const stop = async () => {
    if (!dataSource.isInitialized) return;
    await app.close();
    await dataSource.destroy();
  };
  try {
    if (controllers.length > 0) connectMessaging(app);
    await app.init();
    await app.startAllMicroservices();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    app,
    dataSource,
    outbox: app.get(Outbox),
    transactions: app.get(Transactions),
    live: app.get(Live),
    status: app.get(MessagingStatus),
    stop,
  };
}
export type Service = Awaited<ReturnType<typeof startService>>;

export type Handle = (delivery: Delivery, tx: EntityManager) => Promise<void>;

/** Message ids in the order in which they came to any handler. */
export const deliveries: string[] = [];

/** The passenger service's handlers, which do what the test says, once for each message. */
export function passengerHandlers(handle: Handle = () => Promise.resolve()): Type {
  @Controller()
  class TripEventsController {
    constructor(private readonly inbox: Inbox) {}

    @EventPattern([TripRequested, TripCompleted, TripCancelled, TripUnfulfilled, TripRated].map(({ type }) => type))
    on(@Payload() _payload: unknown, @Ctx() delivery: Delivery): Promise<void> {
      deliveries.push(delivery.envelope.id);
      return this.inbox.once(delivery, async (tx) => {
        const { id, type } = delivery.envelope;
        await tx.query('INSERT INTO effects VALUES ($1, $2)', [id, type]);
        await handle(delivery, tx);
      });
    }
  }
  return TripEventsController;
}

export const tripRequested = (tripId: string = randomUUID()): TripRequested => ({
  tripId,
  passengerId: randomUUID(),
  pickup: { lat: 52.5, lng: 13.4 },
  dropoff: { lat: 52.6, lng: 13.5 },
  fareMinor: 1_000,
  currency: 'EUR',
});

/** Commits one event and returns its message id. */
export async function publish(from: Service, payload = tripRequested(), sequence = 1): Promise<string> {
  return from.transactions.run(async (tx) => {
    await from.outbox.add(tx, TripRequested, payload, sequence);
    const [row]: { id: string }[] = await tx.query('SELECT id FROM outbox WHERE subject = $1 AND sequence = $2', [
      payload.tripId,
      sequence,
    ]);
    return row!.id;
  });
}

export const effectsOf = async ({ dataSource }: Service): Promise<string[]> =>
  (await dataSource.query<{ message_id: string }[]>('SELECT message_id FROM effects')).map((row) => row.message_id);

export const outboxOf = ({ dataSource }: Service): Promise<{ id: string; refused_at: Date | number | null }[]> =>
  dataSource.query('SELECT id, refused_at FROM outbox ORDER BY position');

export interface DeadLetterRow {
  message_id: string | null;
  queue: string;
  type: string | null;
  reason: string;
  detail: string | null;
  attempts: number;
  history: { at: string; error: string }[];
  properties: { headers: Record<string, unknown> };
  body: Buffer;
}

export const deadLettersOf = ({ dataSource }: Service): Promise<DeadLetterRow[]> =>
  dataSource.query('SELECT * FROM dead_letters ORDER BY dead_at');

/** How many messages wait in the queue, not counting those that a consumer has in its hands. */
export async function queueDepth(broker: TestBroker, queue: string): Promise<number> {
  // Over AMQP: the management API's figures are seconds old.
  const admin = await connect(broker.adminUrl);
  try {
    const channel = await admin.createChannel();
    return (await channel.checkQueue(queue)).messageCount;
  } finally {
    await admin.close();
  }
}

/** Two services that talk: trip publishes, passenger consumes. */
export async function createPair() {
  const [broker, tripDatabase, passengerDatabase] = await Promise.all([
    createTestBroker(),
    createTestDatabase('trip'),
    createTestDatabase('passenger'),
  ]);
  await Promise.all([migrate(tripDatabase), migrate(passengerDatabase)]);
  const running: Service[] = [];
  const start = async (...args: Parameters<typeof startService>) => {
    const service = await startService(...args);
    running.push(service);
    return service;
  };
  return {
    broker,
    tripDatabase,
    passengerDatabase,
    startTrip: (options?: Partial<MessagingOptions>) => start('trip', broker, tripDatabase, options),
    startPassenger: (handle?: Handle, options?: Partial<MessagingOptions> & { controllers?: Type[] }) =>
      start('passenger', broker, passengerDatabase, { controllers: [passengerHandlers(handle)], ...options }),
    /** In the consumer's database while no consumer runs. */
    passengerQuery: async (sql: string, parameters: unknown[]) => {
      const dataSource = await dataSourceOf(passengerDatabase).initialize();
      await dataSource.query(sql, parameters);
      await dataSource.destroy();
    },
    drop: async () => {
      await Promise.all(running.map((service) => service.stop()));
      await Promise.all([broker.drop(), tripDatabase.drop(), passengerDatabase.drop()]);
    },
  };
}
export type Pair = Awaited<ReturnType<typeof createPair>>;
