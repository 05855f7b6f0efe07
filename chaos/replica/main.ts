/**
 * One replica of a service that has nothing but messaging, as a process that the run can kill. The trip side commits
 * rows with events, the passenger side gives each event one effect. Told what to do by CHAOS_REPLICA.
 */
import { randomUUID } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { EVENTS, subscriptions, TripRequested } from '@cabstand/contracts';
import {
  connectMessaging,
  Delivery,
  Inbox,
  messagingEntities,
  messagingMigrations,
  MessagingModule,
  Outbox,
  Transactions,
} from '@cabstand/messaging';
import { Database, DatabaseModule } from '@cabstand/service-defaults';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Random } from '../src/random.ts';
import { FLAKY_FARE, POISON_FARE, type ReplicaOptions } from '../src/replica-options.ts';

const options = JSON.parse(process.env.CHAOS_REPLICA ?? '{}') as ReplicaOptions;
const random = new Random(options.seed);

const types = subscriptions(EVENTS)
  .filter(({ consumer, publisher }) => consumer === 'passenger' && publisher === 'trip')
  .flatMap((subscription) => subscription.types);

@Controller()
class EffectsController {
  constructor(private readonly inbox: Inbox) {}

  @EventPattern(types)
  on(@Payload() payload: TripRequested, @Ctx() delivery: Delivery): Promise<void> {
    return this.inbox.once(delivery, async (tx) => {
      await tx.query('INSERT INTO effects (token) VALUES ($1)', [payload.passengerId]);
      // After the effect: what has failed must leave nothing behind.
      if (payload.fareMinor === POISON_FARE) throw new Error('poison');
      if (payload.fareMinor === FLAKY_FARE && delivery.attempt === 1) throw new Error('fails at first');
    });
  }
}

const database = {
  url: options.databaseUrl,
  poolSize: 12,
  entities: messagingEntities,
  migrations: messagingMigrations,
};

@Module({
  imports: [
    DatabaseModule.forRoot(database),
    MessagingModule.forRoot({
      service: options.service,
      amqpUrl: options.amqpUrl,
      retryDelaysMs: [50, 50],
      confirmTimeoutMs: 5_000,
      heartbeatS: 2,
    }),
  ],
  controllers: options.service === 'passenger' ? [EffectsController] : [],
})
class ReplicaModule {}

class Rollback extends Error {}

/** One writer: a row and its event in one transaction, over and over, each with a token that nobody else has. */
async function write(transactions: Transactions, outbox: Outbox, over: AbortSignal): Promise<void> {
  let subject = randomUUID();
  while (!over.aborted) {
    if (random.next() < 0.05) subject = randomUUID();
    const token = randomUUID();
    const fareMinor = random.next() < 0.02 ? POISON_FARE : random.next() < 0.03 ? FLAKY_FARE : 1_000;
    const isRolledBack = random.next() < 0.05;
    note('attempted', token);
    try {
      await transactions.run(async (tx) => {
        const [{ sequence }] = await tx.query<[{ sequence: number }]>(
          `INSERT INTO subjects (id, sequence) VALUES ($1, 1)
           ON CONFLICT (id) DO UPDATE SET sequence = subjects.sequence + 1 RETURNING sequence`,
          [subject],
        );
        await tx.query('INSERT INTO facts (token, poison) VALUES ($1, $2)', [token, fareMinor === POISON_FARE]);
        const place = { lat: 52.5, lng: 13.4 };
        const trip = { tripId: subject, passengerId: token, pickup: place, dropoff: place, fareMinor, currency: 'EUR' };
        await outbox.add(tx, TripRequested, trip, sequence);
        if (isRolledBack) throw new Rollback();
      });
      note('acknowledged', token);
    } catch (error) {
      // Nobody knows what became of it: the table will tell.
      if (!(error instanceof Rollback)) await pause(100);
    }
    await pause(options.pauseMs * (0.5 + random.next()));
  }
}

/** Written by the kernel even when the process is killed right after. */
const note = (what: string, token: string) => appendFileSync(options.journal, `${what} ${token}\n`);

async function run(): Promise<void> {
  const app = await NestFactory.create(ReplicaModule, new FastifyAdapter(), { logger: ['warn', 'error'] });
  if (options.service === 'passenger') connectMessaging(app);
  await app.init();
  await app.startAllMicroservices();
  const over = new AbortController();
  const writers = Array.from({ length: options.writers }, () =>
    write(app.get(Transactions), app.get(Outbox), over.signal),
  );
  process.on('message', (message) => {
    if (message === 'quiet') over.abort();
  });
  process.on('SIGTERM', () => {
    over.abort();
    void Promise.all(writers)
      .then(() => app.close())
      .then(() => process.exit(0));
  });
  process.send?.('ready');
}

// Without whoever started it there is nobody to stop it.
process.on('disconnect', () => process.exit(1));
if (options.migrate) {
  await new Database(database).migrate();
  process.exit(0);
}
await run();
