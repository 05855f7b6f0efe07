import { Sessions, type Principal } from '@cabstand/auth';
import { DomainError, DriverReinstated, DriverSuspended } from '@cabstand/contracts';
import { Outbox, Transactions } from '@cabstand/messaging';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Availability, type AvailabilityStatus } from '../dispatch/availability.entity.ts';
import { DispatchService } from '../dispatch/dispatch.service.ts';
import { DriversFreed } from '../dispatch/drivers-freed.ts';
import { lockDriver } from '../dispatch/locks.ts';
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
      if (open) await this.dispatch.passOn(tx, open, 'decline');
      if (status === 'online') this.freed.announce();
      return { status };
    });
  }

  /**
   * Suspends or reinstates. A suspended driver gets no more offers from now on, and the open one is withdrawn; the
   * rest waits until a trip under way is over.
   */
  async judge(operator: Principal, id: string, suspended: boolean): Promise<StandingView> {
    return this.transactions.run(async (tx) => {
      const held = await lockDriver(tx, id);
      const driver = held && (await this.drivers.lock(tx, id));
      driverPolicy.check(operator, 'suspend', driver);
      const { availability, open } = held!;
      if (availability.suspended === suspended) return { id, suspended };
      await tx.update(Availability, id, { suspended });
      const event = suspended ? DriverSuspended : DriverReinstated;
      await this.outbox.add(tx, event, { driverId: id }, await this.drivers.nextSequence(tx, driver));
      if (suspended && availability.reservedAs !== 'trip') await this.standDown(tx, id, availability);
      if (suspended && open) await this.dispatch.passOn(tx, open, 'withdraw');
      if (!suspended) this.freed.announce();
      return { id, suspended };
    });
  }

  /** Offline, but not from under an offer or a trip, and only if that is still due once the driver is locked. */
  async leave(id: string, isDue: (tx: EntityManager) => Promise<boolean>): Promise<void> {
    await this.transactions.run(async (tx) => {
      const held = await lockDriver(tx, id);
      if (!held || held.availability.reservedTripId || !(await isDue(tx))) return;
      await this.change(tx, held.availability, 'offline');
    });
  }

  /** The trip is over: a suspension that waited for it takes effect. The availability of these drivers is locked. */
  async afterTrip(tx: EntityManager, driverIds: string[]): Promise<void> {
    for (const driverId of driverIds) {
      const availability = await tx.findOneBy(Availability, { driverId, suspended: true });
      if (availability) await this.standDown(tx, driverId, availability);
    }
  }

  private async standDown(tx: EntityManager, id: string, availability: Availability): Promise<void> {
    if (availability.status === 'online') await this.change(tx, availability, 'offline');
    await this.sessions.revokeAll(tx, id, 'suspended');
  }

  private async change(tx: EntityManager, availability: Availability, status: AvailabilityStatus): Promise<void> {
    const { driverId } = availability;
    availability.status = status;
    const onlineAt = () => (status === 'online' ? 'clock_timestamp()' : 'online_at');
    await tx.update(Availability, driverId, { status, onlineAt });
    const driver = await this.drivers.lock(tx, driverId);
    await this.drivers.publishUpdated(tx, driver!, { status });
  }
}
