import { Sessions, type Principal } from '@cabstand/auth';
import { DomainError, DriverReinstated, DriverSuspended } from '@cabstand/contracts';
import { Outbox, Transactions } from '@cabstand/messaging';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Availability, type AvailabilityStatus } from '../dispatch/availability.entity.ts';
import { DispatchService } from '../dispatch/dispatch.service.ts';
import { DriversFreed } from '../dispatch/drivers-freed.ts';
import { lockDriver, type HeldDriver } from '../dispatch/locks.ts';
import type { AvailabilityChange, StandingView } from './driver.dto.ts';
import { driverPolicy, workPolicy } from './driver.policy.ts';
import { DriverService } from './driver.service.ts';

/** Whether a driver works: the driver's own choice, and an operator's. */
@Injectable()
export class AvailabilityService {
  constructor(
    private readonly transactions: Transactions,
    private readonly outbox: Outbox,
    private readonly sessions: Sessions,
    private readonly dispatch: DispatchService,
    private readonly drivers: DriverService,
    private readonly freed: DriversFreed,
  ) {}

  /**
   * Going offline declines the open offer; a trip under way goes on.
   * @throws DomainError ACCOUNT_SUSPENDED (forbidden)
   */
  async set(me: Principal, { status }: AvailabilityChange): Promise<AvailabilityChange> {
    const id = this.sessions.accountIdOf(me);
    return this.transactions.run(async (tx) => {
      const held = await lockDriver(tx, id);
      workPolicy.check(me, 'work', held?.availability);
      const { availability, open } = held;
      if (status === 'online' && availability.suspended) throw new DomainError('ACCOUNT_SUSPENDED');
      if (availability.status === status) return { status };
      await this.change(tx, availability, status);
      if (open) {
        await this.dispatch.settle(tx, open, open.offer, 'decline');
        await this.dispatch.advance(tx, open);
      }
      if (status === 'online') this.freed.announce();
      return { status };
    });
  }

  /** No more offers from now on, the open one is withdrawn; the rest waits until a trip under way is over. */
  async suspend(operator: Principal, id: string): Promise<StandingView> {
    return this.transactions.run(async (tx) => {
      const { availability, open } = await this.judge(tx, operator, id);
      if (availability.suspended) return { id, suspended: true };
      await tx.update(Availability, id, { suspended: true });
      const driver = await this.drivers.lock(tx, id);
      await this.outbox.add(tx, DriverSuspended, { driverId: id }, await this.drivers.nextSequence(tx, driver!));
      if (availability.reservedAs !== 'trip') await this.standDown(tx, id, availability);
      if (open) {
        await this.dispatch.settle(tx, open, open.offer, 'withdraw');
        await this.dispatch.advance(tx, open);
      }
      return { id, suspended: true };
    });
  }

  async reinstate(operator: Principal, id: string): Promise<StandingView> {
    return this.transactions.run(async (tx) => {
      const { availability } = await this.judge(tx, operator, id);
      if (!availability.suspended) return { id, suspended: false };
      await tx.update(Availability, id, { suspended: false });
      const driver = await this.drivers.lock(tx, id);
      await this.outbox.add(tx, DriverReinstated, { driverId: id }, await this.drivers.nextSequence(tx, driver!));
      if (availability.status === 'online') this.freed.announce();
      return { id, suspended: false };
    });
  }

  /** The trip is over: a suspension that waited for it takes effect. The availability of these drivers is locked. */
  async afterTrip(tx: EntityManager, driverIds: string[]): Promise<void> {
    for (const driverId of driverIds) {
      const availability = await tx.findOneBy(Availability, { driverId, suspended: true });
      if (availability) await this.standDown(tx, driverId, availability);
    }
  }

  private async judge(tx: EntityManager, operator: Principal, id: string): Promise<HeldDriver> {
    const held = await lockDriver(tx, id);
    driverPolicy.check(operator, 'suspend', held && (await this.drivers.lock(tx, id)));
    return held!;
  }

  private async standDown(tx: EntityManager, id: string, availability: Availability): Promise<void> {
    if (availability.status === 'online') await this.change(tx, availability, 'offline');
    await this.sessions.revokeAll(tx, id, 'suspended');
  }

  private async change(tx: EntityManager, availability: Availability, status: AvailabilityStatus): Promise<void> {
    const { driverId } = availability;
    availability.status = status;
    await tx.update(Availability, driverId, { status });
    const driver = await this.drivers.lock(tx, driverId);
    await this.drivers.publishUpdated(tx, driver!, { status });
  }
}
