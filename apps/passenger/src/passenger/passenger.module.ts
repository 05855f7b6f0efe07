import { Module } from '@nestjs/common';
import { PassengerTripService } from './passenger-trip.service.ts';
import { PassengerController } from './passenger.controller.ts';
import { PassengerDirectory } from './passenger.directory.ts';
import { PassengerService } from './passenger.service.ts';
import { TripEventsController } from './trip-events.controller.ts';

@Module({
  controllers: [PassengerController, TripEventsController],
  providers: [PassengerService, PassengerTripService, PassengerDirectory],
})
export class PassengerModule {}
