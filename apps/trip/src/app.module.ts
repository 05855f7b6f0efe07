import { AuthModule } from '@cabstand/auth';
import { MessagingModule } from '@cabstand/messaging';
import { DatabaseModule, serviceDatabase, tlsOf, type DatabaseConfig } from '@cabstand/service-defaults';
import { Module, type DynamicModule } from '@nestjs/common';
import type { Config } from './config.ts';
import { CreateTrips1760000000000 } from './migrations/1760000000000-create-trips.ts';
import { SealPeople1770000000000 } from './migrations/1770000000000-seal-people.ts';
import { PriceSurges1780000000001 } from './migrations/1780000000001-price-surges.ts';
import { RecordPaths1780000000000 } from './migrations/1780000000000-record-paths.ts';
import { Driver } from './people/driver.entity.ts';
import { Passenger } from './people/passenger.entity.ts';
import { Quote } from './quote/quote.entity.ts';
import { Rating } from './trip/rating.entity.ts';
import { Trip, TripSnapshot } from './trip/trip.entity.ts';
import { TripModule } from './trip/trip.module.ts';

/** The trip service, put together. */
@Module({})
export class AppModule {
  static forRoot(config: Config): DynamicModule {
    return {
      module: AppModule,
      imports: [
        DatabaseModule.forRoot(databaseOptions(config)),
        MessagingModule.forRoot({
          service: 'trip',
          amqpUrl: config.AMQP_URL,
          tls: tlsOf(config)?.to(config.AMQP_TLS_NAME),
          managementUrl: config.AMQP_MANAGEMENT_URL,
          keys: config.KEY_ENCRYPTION_KEY,
        }),
        AuthModule.forRoot({ audience: 'trip', trustedIssuers: config.TRUSTED_ISSUERS }),
        TripModule.forRoot(config),
      ],
    };
  }
}

export const databaseOptions = (config: DatabaseConfig) =>
  serviceDatabase(config, {
    entities: [Trip, TripSnapshot, Rating, Quote, Passenger, Driver],
    migrations: [CreateTrips1760000000000, SealPeople1770000000000, RecordPaths1780000000000, PriceSurges1780000000001],
  });
