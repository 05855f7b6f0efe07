import type { Account, AccountDirectory } from '@cabstand/auth';
import { PersonalData } from '@cabstand/service-defaults';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { isUnderWay } from './passenger-trip.service.ts';
import { Passenger } from './passenger.entity.ts';

/** How sign-in finds passengers. */
@Injectable()
export class PassengerDirectory implements AccountDirectory {
  constructor(
    private readonly dataSource: DataSource,
    private readonly personalData: PersonalData,
  ) {}

  findByEmail(email: string): Promise<Account | null> {
    return this.find(this.dataSource.manager, { emailIndex: this.personalData.index('passengers.email', email) });
  }

  findById(tx: EntityManager, id: string): Promise<Account | null> {
    return this.find(tx, { id });
  }

  lock(tx: EntityManager, id: string): Promise<Account | null> {
    return this.find(tx, { id }, { mode: 'pessimistic_write' });
  }

  async setPasswordHash(tx: EntityManager, id: string, passwordHash: string): Promise<void> {
    await tx.getRepository(Passenger).update(id, { passwordHash });
  }

  private async find(
    tx: EntityManager,
    where: { id: string } | { emailIndex: Buffer },
    lock?: { mode: 'pessimistic_write' },
  ): Promise<Account | null> {
    const passenger = await tx.getRepository(Passenger).findOne({ where, lock });
    if (!passenger) return null;
    const { id, email, passwordHash, suspendedAt } = passenger;
    // Whoever is on a trip has to be able to follow it to its end.
    return { id, email, passwordHash, suspended: suspendedAt !== null && !(await isUnderWay(tx, id)) };
  }
}
