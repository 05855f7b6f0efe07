import { Module } from '@nestjs/common';
import { PassengerEventsController } from './passenger-events.controller.ts';
import { PeopleService } from './people.service.ts';
import { SessionEventsController } from './session-events.controller.ts';

@Module({
  controllers: [PassengerEventsController, SessionEventsController],
  providers: [PeopleService],
  exports: [PeopleService],
})
export class PeopleModule {}
