import {
  TripAccepted,
  TripArrived,
  TripCancelled,
  TripCompleted,
  TripRated,
  TripRequested,
  TripStarted,
  TripUnfulfilled,
} from '@cabstand/contracts';
import { Delivery, Inbox } from '@cabstand/messaging';
import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { DispatchService, type TripFact } from '../dispatch/dispatch.service.ts';
import { AvailabilityService } from './availability.service.ts';
import { DriverService } from './driver.service.ts';

type Fact = TripAccepted | TripArrived | TripStarted | TripCompleted | TripCancelled | TripUnfulfilled;

/** How a trip went on, by the event that says so. */
const STATUS: Record<string, TripFact['status']> = {
  [TripAccepted.type]: 'accepted',
  [TripArrived.type]: 'arrived',
  [TripStarted.type]: 'in_progress',
  [TripCompleted.type]: 'completed',
  [TripCancelled.type]: 'cancelled',
  [TripUnfulfilled.type]: 'unfulfilled',
};

/** What the driver service does when a trip fact arrives: in any order, and once for each, however often it comes. */
@Controller()
export class TripEventsController {
  constructor(
    private readonly inbox: Inbox,
    private readonly dispatch: DispatchService,
    private readonly availability: AvailabilityService,
    private readonly drivers: DriverService,
  ) {}

  @EventPattern<string>(TripRequested.type)
  onTripRequested(@Payload() trip: TripRequested, @Ctx() delivery: Delivery): Promise<void> {
    return this.inbox.once(delivery, (tx) => this.dispatch.requested(tx, trip));
  }

  @EventPattern(Object.keys(STATUS))
  onTripFact(@Payload() { tripId, driverId }: Fact, @Ctx() delivery: Delivery): Promise<void> {
    const { type, sequence } = delivery.envelope;
    return this.inbox.once(delivery, async (tx) => {
      const released = await this.dispatch.heard(tx, { tripId, driverId, status: STATUS[type]!, sequence });
      await this.availability.afterTrip(tx, released);
    });
  }

  @EventPattern<string>(TripRated.type)
  onTripRated(@Payload() rated: TripRated, @Ctx() delivery: Delivery): Promise<void> {
    if (rated.rateeRole !== 'driver') return Promise.resolve();
    return this.inbox.once(delivery, (tx) => this.drivers.rated(tx, rated.rateeId, rated.stars));
  }
}
