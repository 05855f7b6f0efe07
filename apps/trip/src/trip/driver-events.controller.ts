import {
  DispatchAccepted,
  DispatchExhausted,
  DriverErased,
  DriverRegistered,
  DriverReinstated,
  DriverSuspended,
  DriverUpdated,
} from '@cabstand/contracts';
import { Delivery, Inbox } from '@cabstand/messaging';
import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { PeopleService } from '../people/people.service.ts';
import { TripService } from './trip.service.ts';

/** What the trip service does when a driver or dispatch fact arrives. */
@Controller()
export class DriverEventsController {
  constructor(
    private readonly inbox: Inbox,
    private readonly trips: TripService,
    private readonly people: PeopleService,
  ) {}

  @EventPattern<string>(DispatchAccepted.type)
  onDispatchAccepted(@Payload() acceptance: DispatchAccepted, @Ctx() delivery: Delivery): Promise<void> {
    return this.inbox.once(delivery, (tx) => this.trips.accept(tx, acceptance));
  }

  @EventPattern<string>(DispatchExhausted.type)
  onDispatchExhausted(@Payload() { tripId }: DispatchExhausted, @Ctx() delivery: Delivery): Promise<void> {
    return this.inbox.once(delivery, (tx) => this.trips.giveUp(tx, tripId));
  }

  @EventPattern([DriverRegistered.type, DriverUpdated.type])
  onProfile(@Payload() profile: DriverRegistered, @Ctx() delivery: Delivery): Promise<void> {
    const { sequence } = delivery.envelope;
    return this.inbox.once(delivery, (tx) => this.people.driverProfile(tx, profile, sequence));
  }

  @EventPattern<string>(DriverSuspended.type)
  onSuspended(@Payload() { driverId }: DriverSuspended, @Ctx() delivery: Delivery): Promise<void> {
    const { sequence } = delivery.envelope;
    return this.inbox.once(delivery, (tx) => this.people.driverStanding(tx, driverId, true, sequence));
  }

  @EventPattern<string>(DriverReinstated.type)
  onReinstated(@Payload() { driverId }: DriverReinstated, @Ctx() delivery: Delivery): Promise<void> {
    const { sequence } = delivery.envelope;
    return this.inbox.once(delivery, (tx) => this.people.driverStanding(tx, driverId, false, sequence));
  }

  @EventPattern<string>(DriverErased.type)
  onErased(@Payload() { driverId }: DriverErased, @Ctx() delivery: Delivery): Promise<void> {
    return this.inbox.once(delivery, (tx) => this.people.eraseDriver(tx, driverId));
  }
}
