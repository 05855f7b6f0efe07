import { Module } from '@nestjs/common';
import { PeopleService } from './people.service.ts';
import { SessionEventsController } from './session-events.controller.ts';

@Module({
  controllers: [SessionEventsController],
  providers: [PeopleService],
  exports: [PeopleService],
})
export class PeopleModule {}
