import { Module, type DynamicModule } from '@nestjs/common';
import type { Config } from '../config.ts';
import { QuoteController } from './quote.controller.ts';
import { Pricing } from './pricing.ts';
import { QuoteService } from './quote.service.ts';
import { Routing } from './routing.ts';
import { SupplyEventsController } from './supply-events.controller.ts';
import { SupplyService } from './supply.service.ts';

@Module({})
export class QuoteModule {
  static forRoot(config: Config): DynamicModule {
    const estimation = { detourFactor: config.FARE_DETOUR_FACTOR, averageSpeedKmh: config.FARE_AVERAGE_SPEED_KMH };
    const tariff = {
      baseMinor: config.FARE_BASE_MINOR,
      perKmMinor: config.FARE_PER_KM_MINOR,
      perMinuteMinor: config.FARE_PER_MINUTE_MINOR,
      minimumMinor: config.FARE_MINIMUM_MINOR,
      currency: config.FARE_CURRENCY,
    };
    return {
      module: QuoteModule,
      controllers: [QuoteController, SupplyEventsController],
      providers: [
        QuoteService,
        SupplyService,
        { provide: Routing, useValue: new Routing(estimation, config.ROUTING_URL) },
        { provide: Pricing, useValue: new Pricing(tariff, config.QUOTE_TTL, config.FARE_SURGE_MAX) },
      ],
      exports: [QuoteService],
    };
  }
}
