import 'reflect-metadata';
import { randomUUIDv7 } from 'node:crypto';
import { AmqpConnection, RabbitMQModule, RabbitSubscribe } from '@golevelup/nestjs-rabbitmq';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { nowMs } from '../../harness/machine.ts';
import { serve, type Commands } from '../../harness/worker.ts';
import { rideNoted, type RideNoted } from '../event.ts';
import { Handling, PREFETCH } from './handling.ts';
import { pipelined, usage, WINDOW } from './measuring.ts';
import type { ReferenceSettings } from './raw.ts';

const EXCHANGE = 'golevelup.events';
const ROUTING_KEY = 'ride.noted';

/** https://golevelup.github.io/nestjs/modules/rabbitmq.html; acknowledges when the handler's promise resolves. */
serve(async ({ amqpUrl, databaseUrl, role, queueArguments }: ReferenceSettings): Promise<Commands> => {
  const rabbit = RabbitMQModule.forRoot({
    exchanges: [{ name: EXCHANGE, type: 'topic', options: { durable: true } }],
    uri: amqpUrl,
    prefetchCount: PREFETCH,
    defaultPublishOptions: { persistent: true },
  });
  if (role === 'publisher') {
    @Module({ imports: [rabbit] })
    class PublisherModule {}

    const app = await NestFactory.createApplicationContext(PublisherModule, { logger: ['error', 'warn'] });
    const connection = app.get(AmqpConnection);
    return {
      publish: async ({ count, bodyBytes }: { count: number; bodyBytes: number }) => {
        const startedAt = nowMs();
        // Its channel has confirms: the promise resolves with the broker's.
        const publish = () => connection.publish(EXCHANGE, ROUTING_KEY, rideNoted(randomUUIDv7(), bodyBytes));
        await pipelined(count, WINDOW, publish);
        return startedAt;
      },
      usage,
    };
  }
  const handling = await Handling.open(databaseUrl);

  @Injectable()
  class RideSubscriber {
    @RabbitSubscribe({
      exchange: EXCHANGE,
      routingKey: ROUTING_KEY,
      queue: 'golevelup',
      queueOptions: { durable: true, arguments: queueArguments },
    })
    onRideNoted(ride: RideNoted): Promise<void> {
      return handling.handle(ride);
    }
  }

  @Module({ imports: [rabbit], providers: [RideSubscriber] })
  class ConsumerModule {}

  const app = await NestFactory.createApplicationContext(ConsumerModule, { logger: ['error', 'warn'] });
  await app.init();
  return { ...handling.commands };
});
