import {
  authEntities,
  authMigrations,
  AuthModule,
  ownIssuer,
  sessionEntities,
  sessionMigrations,
  SessionsModule,
} from '@cabstand/auth';
import { messagingEntities, messagingMigrations, MessagingModule } from '@cabstand/messaging';
import {
  DatabaseModule,
  idempotencyEntities,
  idempotencyMigrations,
  type DatabaseOptions,
} from '@cabstand/service-defaults';
import { Module, type DynamicModule } from '@nestjs/common';
import type { Config } from './config.ts';
import { CreatePassengers1760000000000 } from './migrations/1760000000000-create-passengers.ts';
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
          managementUrl: config.AMQP_MANAGEMENT_URL,
        }),
        AuthModule.forRoot({
          audience: 'passenger',
          trustedIssuers: [ownIssuer(config.PUBLIC_URL, 'passenger'), ...config.TRUSTED_ISSUERS],
        }),
        SessionsModule.forRoot({
          issuer: config.PUBLIC_URL,
          role: 'passenger',
          audience: ['passenger', 'trip'],
          keyEncryptionKey: config.KEY_ENCRYPTION_KEY,
          refreshTokenKey: config.REFRESH_TOKEN_KEY,
          accessTokenTtlMs: config.ACCESS_TOKEN_TTL,
          refreshTokenTtlMs: config.REFRESH_TOKEN_TTL,
          accounts: PassengerDirectory,
        }),
        PassengerModule,
      ],
    };
  }
}

/** What this service keeps in its database, and how the tables came to be. */
export const databaseOptions = (config: Pick<Config, 'DATABASE_URL' | 'DATABASE_POOL_SIZE'>): DatabaseOptions => ({
  url: config.DATABASE_URL,
  poolSize: config.DATABASE_POOL_SIZE,
  entities: [
    Passenger,
    PassengerTrip,
    ...sessionEntities,
    ...authEntities,
    ...messagingEntities,
    ...idempotencyEntities,
  ],
  migrations: [
    ...messagingMigrations,
    ...idempotencyMigrations,
    ...authMigrations,
    ...sessionMigrations,
    CreatePassengers1760000000000,
  ],
});
