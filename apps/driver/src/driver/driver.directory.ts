import type { Account, AccountDirectory } from '@cabstand/auth';
import { PersonalData } from '@cabstand/service-defaults';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { Availability } from '../dispatch/availability.entity.ts';
import { Driver } from './driver.entity.ts';

/** Lets the sessions find the drivers. */
@Injectable()
export class DriverDirectory implements AccountDirectory {
  constructor(
    private readonly dataSource: DataSource,
    private readonly personalData: PersonalData,
  ) {}

  async findByEmail(email: string): Promise<Account | null> {
    const { manager } = this.dataSource;
    const emailIndex = this.personalData.index('drivers.email', email);
    return this.account(manager, await manager.findOneBy(Driver, { emailIndex }));
  }

  async findById(tx: EntityManager, id: string): Promise<Account | null> {
    return this.account(tx, await tx.findOneBy(Driver, { id }));
  }

  async lock(tx: EntityManager, id: string): Promise<Account | null> {
    return this.account(tx, await tx.findOne(Driver, { where: { id }, lock: { mode: 'pessimistic_write' } }));
  }

  async setPasswordHash(tx: EntityManager, id: string, passwordHash: string): Promise<void> {
    await tx.update(Driver, id, { passwordHash });
  }

  /** Reads the availability after the driver was locked: a suspension that was waited for is seen. */
  private async account(tx: EntityManager, driver: Driver | null): Promise<Account | null> {
    const availability = driver && (await tx.findOneBy(Availability, { driverId: driver.id }));
    if (!driver || !availability) return null;
    // A trip under way is driven to its end, and that takes tokens.
    const suspended = availability.suspended && availability.reservedAs !== 'trip';
    const { id, email, passwordHash } = driver;
    return { id, email, passwordHash, suspended };
  }
}
