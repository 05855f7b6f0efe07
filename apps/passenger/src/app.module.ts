import { sessionEntities, sessionMigrations } from '@cabstand/auth';
import { MessagingModule } from '@cabstand/messaging';
import {
  accountModules,
  DatabaseModule,
  serviceDatabase,
  tlsOf,
  type DatabaseConfig,
} from '@cabstand/service-defaults';
import { Module, type DynamicModule } from '@nestjs/common';
import type { Config } from './config.ts';
import { CreatePassengers1760000000000 } from './migrations/1760000000000-create-passengers.ts';
import { SealPassengers1770000000000 } from './migrations/1770000000000-seal-passengers.ts';
import { PassengerTrip } from './passenger/passenger-trip.entity.ts';
import { PassengerDirectory } from './passenger/passenger.directory.ts';
import { Passenger } from './passenger/passenger.entity.ts';
import { PassengerModule } from './passenger/passenger.module.ts';

/** The passenger service, put together. */
@Module({})
export class AppModule {
  static forRoot(config: Config): DynamicModule {
    return {
      module: AppModule,
      imports: [
        DatabaseModule.forRoot(databaseOptions(config)),
        MessagingModule.forRoot({
          service: 'passenger',
          amqpUrl: config.AMQP_URL,
          tls: tlsOf(config)?.to(config.AMQP_TLS_NAME),
          managementUrl: config.AMQP_MANAGEMENT_URL,
          keys: config.KEY_ENCRYPTION_KEY,
        }),
        ...accountModules(config, 'passenger', PassengerDirectory),
        PassengerModule,
      ],
    };
  }
}

export const databaseOptions = (config: DatabaseConfig) =>
  serviceDatabase(config, {
    entities: [Passenger, PassengerTrip, ...sessionEntities],
    migrations: [...sessionMigrations, CreatePassengers1760000000000, SealPassengers1770000000000],
  });
