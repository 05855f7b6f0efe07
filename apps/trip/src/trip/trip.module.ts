import { Module, type DynamicModule } from '@nestjs/common';
import type { Config } from '../config.ts';
import { PeopleModule } from '../people/people.module.ts';
import { QuoteModule } from '../quote/quote.module.ts';
import { DriverEventsController } from './driver-events.controller.ts';
import { PassengerEventsController } from './passenger-events.controller.ts';
import { TripController } from './trip.controller.ts';
import { TripFiguresController, TripFiguresReader } from './trip.figures.ts';
import { TripPaths } from './trip.paths.ts';
import { TripService } from './trip.service.ts';
import { TripStreams } from './trip.streams.ts';
import { SweepSettings, TripSweep } from './trip.sweep.ts';

@Module({})
export class TripModule {
  static forRoot(config: Config): DynamicModule {
    return {
      module: TripModule,
      imports: [PeopleModule, QuoteModule.forRoot(config)],
      controllers: [TripController, TripFiguresController, DriverEventsController, PassengerEventsController],
      providers: [
        TripPaths,
        TripService,
        TripStreams,
        TripSweep,
        TripFiguresReader,
        { provide: SweepSettings, useValue: new SweepSettings(config.TRIP_SWEEP_EVERY, config.TRIP_GIVE_UP_AFTER) },
      ],
    };
  }
}
