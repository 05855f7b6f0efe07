import { sessionEntities, sessionMigrations } from '@cabstand/auth';
import { MessagingModule } from '@cabstand/messaging';
import {
  accountModules,
  DatabaseModule,
  serviceDatabase,
  tlsOf,
  type DatabaseConfig,
} from '@cabstand/service-defaults';
import { Global, Module, type DynamicModule } from '@nestjs/common';
import type { Config } from './config.ts';
import { Availability } from './dispatch/availability.entity.ts';
import { DispatchSettings } from './dispatch/dispatch-settings.ts';
import { Dispatch } from './dispatch/dispatch.entity.ts';
import { Offer } from './dispatch/offer.entity.ts';
import { DriverDirectory } from './driver/driver.directory.ts';
import { Driver } from './driver/driver.entity.ts';
import { DriverModule } from './driver/driver.module.ts';
import { CreateDrivers1760000000000 } from './migrations/1760000000000-create-drivers.ts';
import { SealDrivers1770000000000 } from './migrations/1770000000000-seal-drivers.ts';
import { BufferPositions1780000000000 } from './migrations/1780000000000-buffer-positions.ts';
import { CountSupply1780000000001 } from './migrations/1780000000001-count-supply.ts';
import { Position } from './position/position.entity.ts';
import { PositionModule } from './position/position.module.ts';
import { DriverEvent } from './stream/driver-event.entity.ts';

@Global()
@Module({})
class DriverAppModule {}

/** The composition root. */
export const appModule = (config: Config): DynamicModule => ({
  module: DriverAppModule,
  imports: [
    DatabaseModule.forRoot(databaseOptions(config)),
    MessagingModule.forRoot({
      service: 'driver',
      amqpUrl: config.AMQP_URL,
      tls: tlsOf(config)?.to(config.AMQP_TLS_NAME),
      managementUrl: config.AMQP_MANAGEMENT_URL,
      keys: config.KEY_ENCRYPTION_KEY,
    }),
    ...accountModules(config, 'driver', DriverDirectory),
    DriverModule,
    PositionModule,
  ],
  providers: [{ provide: DispatchSettings, useValue: new DispatchSettings(config) }],
  exports: [DispatchSettings],
});

export const databaseOptions = (config: DatabaseConfig) =>
  serviceDatabase(config, {
    entities: [Driver, Availability, Dispatch, Offer, Position, DriverEvent, ...sessionEntities],
    migrations: [
      ...sessionMigrations,
      CreateDrivers1760000000000,
      SealDrivers1770000000000,
      BufferPositions1780000000000,
      CountSupply1780000000001,
    ],
  });
