import { Module } from '@nestjs/common';
import { DispatchModule } from '../dispatch/dispatch.module.ts';
import { AvailabilityService } from './availability.service.ts';
import { DriverController } from './driver.controller.ts';
import { DriverDirectory } from './driver.directory.ts';
import { DriverService } from './driver.service.ts';
import { SilentDrivers } from './silent-drivers.ts';
import { TripEventsController } from './trip-events.controller.ts';

@Module({
  imports: [DispatchModule],
  controllers: [DriverController, TripEventsController],
  providers: [AvailabilityService, DriverDirectory, DriverService, SilentDrivers],
})
export class DriverModule {}
