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

  @EventPattern<string>(TripAccepted.type)
  onTripAccepted(@Payload() trip: TripAccepted, @Ctx() delivery: Delivery): Promise<void> {
    return this.heard(delivery, trip, 'accepted');
  }

  @EventPattern<string>(TripArrived.type)
  onTripArrived(@Payload() trip: TripArrived, @Ctx() delivery: Delivery): Promise<void> {
    return this.heard(delivery, trip, 'arrived');
  }

  @EventPattern<string>(TripStarted.type)
  onTripStarted(@Payload() trip: TripStarted, @Ctx() delivery: Delivery): Promise<void> {
    return this.heard(delivery, trip, 'in_progress');
  }

  @EventPattern<string>(TripCompleted.type)
  onTripCompleted(@Payload() trip: TripCompleted, @Ctx() delivery: Delivery): Promise<void> {
    return this.heard(delivery, trip, 'completed');
  }

  @EventPattern<string>(TripCancelled.type)
  onTripCancelled(@Payload() trip: TripCancelled, @Ctx() delivery: Delivery): Promise<void> {
    return this.heard(delivery, trip, 'cancelled');
  }

  @EventPattern<string>(TripUnfulfilled.type)
  onTripUnfulfilled(@Payload() trip: TripUnfulfilled, @Ctx() delivery: Delivery): Promise<void> {
    return this.heard(delivery, trip, 'unfulfilled');
  }

  @EventPattern<string>(TripRated.type)
  onTripRated(@Payload() rated: TripRated, @Ctx() delivery: Delivery): Promise<void> {
    if (rated.rateeRole !== 'driver') return Promise.resolve();
    return this.inbox.once(delivery, (tx) => this.drivers.rated(tx, rated.rateeId, rated.stars));
  }

  private heard(
    delivery: Delivery,
    { tripId, driverId }: Pick<TripFact, 'tripId' | 'driverId'>,
    status: TripFact['status'],
  ): Promise<void> {
    const { sequence } = delivery.envelope;
    return this.inbox.once(delivery, async (tx) => {
      const released = await this.dispatch.heard(tx, { tripId, driverId, status, sequence });
      await this.availability.afterTrip(tx, released);
    });
  }
}
