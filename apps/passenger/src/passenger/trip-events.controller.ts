import { TripCancelled, TripCompleted, TripRated, TripRequested, TripUnfulfilled } from '@cabstand/contracts';
import { Delivery, Inbox } from '@cabstand/messaging';
import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { PassengerTripService } from './passenger-trip.service.ts';

/** What the passenger service does when a trip fact arrives. */
@Controller()
export class TripEventsController {
  constructor(
    private readonly inbox: Inbox,
    private readonly trips: PassengerTripService,
  ) {}

  @EventPattern<string>(TripRequested.type)
  onTripRequested(@Payload() trip: TripRequested, @Ctx() delivery: Delivery): Promise<void> {
    return this.record(trip, delivery, true);
  }

  @EventPattern([TripCompleted.type, TripCancelled.type, TripUnfulfilled.type])
  onTripOver(
    @Payload() trip: TripCompleted | TripCancelled | TripUnfulfilled,
    @Ctx() delivery: Delivery,
  ): Promise<void> {
    return this.record(trip, delivery, false);
  }

  @EventPattern<string>(TripRated.type)
  onTripRated(@Payload() rated: TripRated, @Ctx() delivery: Delivery): Promise<void> {
    return this.inbox.once(delivery, (tx) => this.trips.rate(tx, rated));
  }

  private record(
    { tripId, passengerId }: { tripId: string; passengerId: string },
    delivery: Delivery,
    underWay: boolean,
  ): Promise<void> {
    const { sequence } = delivery.envelope;
    return this.inbox.once(delivery, (tx) => this.trips.record(tx, { tripId, passengerId, underWay, sequence }));
  }
}
