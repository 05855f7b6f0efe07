import 'reflect-metadata';
import { authEntities, authMigrations, AuthModule, type AuthOptions } from '@cabstand/auth';
import { messagingEntities, messagingMigrations, MessagingModule } from '@cabstand/messaging';
import { Controller, Get, Module, type DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { AddressInfo } from 'node:net';
import pg from 'pg';
import { DataSource } from 'typeorm';
import { serve, type Commands } from '../../harness/worker.ts';
import type { Settings } from '../../harness/service-runtime.ts';
import { NoopController } from './noop.controller.ts';

/** Behind Nest's router and nothing else: not even a guard. */
@Controller('noop')
class BareController {
  @Get()
  noop() {
    return { ok: true };
  }
}

@Module({ controllers: [BareController] })
class RouterModule {}

@Module({})
class GuardedModule {
  static with(dataSource: DataSource, { amqpUrl, trustedIssuers }: Settings): DynamicModule {
    return {
      module: GuardedModule,
      global: true,
      imports: [
        MessagingModule.forRoot({ service: 'trip', amqpUrl }),
        AuthModule.forRoot({ audience: 'trip', trustedIssuers: trustedIssuers as AuthOptions['trustedIssuers'] }),
      ],
      controllers: [NoopController],
      providers: [{ provide: DataSource, useValue: dataSource }],
      exports: [DataSource],
    };
  }
}

/** Nest on Fastify, alone and with our guard before every route: none of what a service has around it besides. */
serve(async (settings: Settings): Promise<Commands> => {
  const dataSource = await new DataSource({
    type: 'postgres',
    driver: pg,
    url: settings.databaseUrl,
    entities: [...authEntities, ...messagingEntities],
    migrations: [...messagingMigrations, ...authMigrations],
    installExtensions: false,
  }).initialize();
  const listen = async (module: DynamicModule | (new () => object)) => {
    const app = await NestFactory.create<NestFastifyApplication>(module, new FastifyAdapter(), {
      logger: ['error', 'warn'],
    });
    await app.listen(0, '127.0.0.1');
    return (app.getHttpServer().address() as AddressInfo).port;
  };
  const router = await listen(RouterModule);
  const guarded = await listen(GuardedModule.with(dataSource, settings));
  return { ports: () => ({ router, guarded }) };
});
