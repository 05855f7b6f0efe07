import {
  PassengerErased,
  PassengerRegistered,
  PassengerReinstated,
  PassengerSuspended,
  PassengerUpdated,
} from '@cabstand/contracts';
import { Delivery, Inbox } from '@cabstand/messaging';
import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { PeopleService } from '../people/people.service.ts';
import { TripService } from './trip.service.ts';

/** What the trip service does when a passenger fact arrives. */
@Controller()
export class PassengerEventsController {
  constructor(
    private readonly inbox: Inbox,
    private readonly trips: TripService,
    private readonly people: PeopleService,
  ) {}

  @EventPattern([PassengerRegistered.type, PassengerUpdated.type])
  onProfile(@Payload() profile: PassengerUpdated, @Ctx() delivery: Delivery): Promise<void> {
    const { sequence } = delivery.envelope;
    return this.inbox.once(delivery, (tx) => this.people.passengerProfile(tx, profile, sequence));
  }

  @EventPattern<string>(PassengerSuspended.type)
  onSuspended(@Payload() { passengerId }: PassengerSuspended, @Ctx() delivery: Delivery): Promise<void> {
    const { sequence } = delivery.envelope;
    return this.inbox.once(delivery, (tx) => this.people.passengerStanding(tx, passengerId, true, sequence));
  }

  @EventPattern<string>(PassengerReinstated.type)
  onReinstated(@Payload() { passengerId }: PassengerReinstated, @Ctx() delivery: Delivery): Promise<void> {
    const { sequence } = delivery.envelope;
    return this.inbox.once(delivery, (tx) => this.people.passengerStanding(tx, passengerId, false, sequence));
  }

  @EventPattern<string>(PassengerErased.type)
  onErased(@Payload() { passengerId }: PassengerErased, @Ctx() delivery: Delivery): Promise<void> {
    return this.inbox.once(delivery, (tx) => this.trips.passengerErased(tx, passengerId));
  }
}
