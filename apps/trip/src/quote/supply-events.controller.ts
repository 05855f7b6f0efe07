import { DriverSupplyChanged } from '@cabstand/contracts';
import { Delivery, Inbox } from '@cabstand/messaging';
import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { SupplyService } from './supply.service.ts';

/** What the trip service does when it hears how many drivers are free. */
@Controller()
export class SupplyEventsController {
  constructor(
    private readonly inbox: Inbox,
    private readonly supply: SupplyService,
  ) {}

  @EventPattern<string>(DriverSupplyChanged.type)
  onSupplyChanged(@Payload() supply: DriverSupplyChanged, @Ctx() delivery: Delivery): Promise<void> {
    const { sequence } = delivery.envelope;
    return this.inbox.once(delivery, (tx) => this.supply.heard(tx, supply, sequence));
  }
}
