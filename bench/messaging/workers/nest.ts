import 'reflect-metadata';
import { randomUUIDv7 } from 'node:crypto';
import { Controller, Logger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ClientProxyFactory,
  Ctx,
  EventPattern,
  Payload,
  RmqContext,
  Transport,
  type RmqOptions,
} from '@nestjs/microservices';
import type { Channel, Message } from 'amqplib';
import { lastValueFrom } from 'rxjs';
import { nowMs } from '../../harness/machine.ts';
import { serve, type Commands } from '../../harness/worker.ts';
import { rideNoted, type RideNoted } from '../event.ts';
import { Handling, PREFETCH } from './handling.ts';
import { pipelined, usage, WINDOW } from './measuring.ts';
import type { ReferenceSettings } from './raw.ts';

const PATTERN = 'ride.noted';

/** https://docs.nestjs.com/microservices/rabbitmq: `noAck: false`, acknowledged by the handler, durable, persistent. */
serve(async ({ amqpUrl, databaseUrl, role, queueArguments }: ReferenceSettings): Promise<Commands> => {
  const options = (own: RmqOptions['options']): RmqOptions => ({
    transport: Transport.RMQ,
    options: { urls: [amqpUrl], queue: 'nest', queueOptions: { durable: true, arguments: queueArguments }, ...own },
  });
  // The client says that it is connected.
  Logger.overrideLogger(['error', 'warn']);
  if (role === 'publisher') {
    const client = ClientProxyFactory.create(options({ persistent: true }));
    await client.connect();
    return {
      publish: async ({ count, bodyBytes }: { count: number; bodyBytes: number }) => {
        const startedAt = nowMs();
        // Completes when the broker has confirmed.
        const emit = () =>
          lastValueFrom(client.emit(PATTERN, rideNoted(randomUUIDv7(), bodyBytes)), { defaultValue: null });
        await pipelined(count, WINDOW, emit);
        return startedAt;
      },
      usage,
    };
  }
  const handling = await Handling.open(databaseUrl);

  @Controller()
  class RideController {
    @EventPattern<string>(PATTERN)
    async onRideNoted(@Payload() ride: RideNoted, @Ctx() context: RmqContext): Promise<void> {
      await handling.handle(ride);
      (context.getChannelRef() as Channel).ack(context.getMessage() as unknown as Message);
    }
  }

  @Module({ controllers: [RideController] })
  class AppModule {}

  const app = await NestFactory.createMicroservice(AppModule, {
    ...options({ noAck: false, prefetchCount: PREFETCH }),
    logger: ['error', 'warn'],
  });
  await app.listen();
  return { ...handling.commands };
});
