import { AuthModule } from '@cabstand/auth';
import { MessagingModule } from '@cabstand/messaging';
import { DatabaseModule } from '@cabstand/service-defaults';
import { Module, type DynamicModule } from '@nestjs/common';
import type { Config } from './config.ts';
import { entities, migrations } from './data-source.ts';
import { TripModule } from './trip/trip.module.ts';

/** The trip service, put together. */
@Module({})
export class AppModule {
  static forRoot(config: Config): DynamicModule {
    return {
      module: AppModule,
      imports: [
        DatabaseModule.forRoot({
          url: config.DATABASE_URL,
          poolSize: config.DATABASE_POOL_SIZE,
          entities,
          migrations,
        }),
        MessagingModule.forRoot({
          service: 'trip',
          amqpUrl: config.AMQP_URL,
          managementUrl: config.AMQP_MANAGEMENT_URL,
        }),
        AuthModule.forRoot({ audience: 'trip', trustedIssuers: config.TRUSTED_ISSUERS }),
        TripModule.forRoot(config),
      ],
    };
  }
}
