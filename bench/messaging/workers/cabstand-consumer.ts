import 'reflect-metadata';
import { connectMessaging, Delivery, Inbox, MessagingModule, SET_BASED, Transactions } from '@cabstand/messaging';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { serve } from '../../harness/worker.ts';
import { EVENTS, RideMarked, RideNoted } from '../event.ts';
import { INSERT_SEEN_RIDE, INSERT_SEEN_RIDES } from '../tables.ts';
import type { ServiceSettings } from './cabstand-publisher.ts';
import { DatabaseModule, openDatabase } from './database.ts';
import { Tally } from './measuring.ts';

const tally = new Tally();

@Controller()
class RideEventsController {
  constructor(
    private readonly inbox: Inbox,
    private readonly transactions: Transactions,
  ) {}

  @EventPattern<string>(RideMarked.type)
  onRideMarked(@Payload() ride: RideNoted, @Ctx() delivery: Delivery): Promise<void> {
    return this.inbox.once(delivery, async (tx) => {
      this.transactions.afterCommit(() => tally.handled(ride.rideId));
      await tx.query(INSERT_SEEN_RIDE, [delivery.envelope.id, ride.rideId, ride.note]);
    });
  }

  @EventPattern<string>(RideNoted.type, SET_BASED)
  onRidesNoted(@Ctx() deliveries: Delivery<RideNoted>[]): Promise<void> {
    return this.inbox.onceEach(deliveries, async (tx, fresh) => {
      this.transactions.afterCommit(() => fresh.forEach(({ payload }) => tally.handled(payload.rideId)));
      await tx.query(INSERT_SEEN_RIDES, [
        fresh.map(({ envelope }) => envelope.id),
        fresh.map(({ payload }) => payload.rideId),
        fresh.map(({ payload }) => payload.note),
      ]);
    });
  }
}

/** The consuming service as in production, without its HTTP side. */
serve(async ({ databaseUrl, amqpUrl, managementUrl, options }: ServiceSettings) => {
  const dataSource = await openDatabase(databaseUrl);
  await dataSource.runMigrations();

  @Module({
    imports: [
      DatabaseModule.with(dataSource),
      MessagingModule.forRoot({ service: 'passenger', amqpUrl, managementUrl, events: EVENTS, ...options }),
    ],
    controllers: [RideEventsController],
  })
  class AppModule {}

  const app = await NestFactory.create(AppModule, new FastifyAdapter(), { logger: ['error', 'warn'] });
  connectMessaging(app);
  await app.init();
  await app.startAllMicroservices();
  return { ...tally.commands };
});
