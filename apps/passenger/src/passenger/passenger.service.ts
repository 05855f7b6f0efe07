import { randomUUIDv7 } from 'node:crypto';
import { firstName, Sessions, type Principal } from '@cabstand/auth';
import {
  DomainError,
  PassengerErased,
  PassengerRegistered,
  PassengerReinstated,
  PassengerSuspended,
  PassengerUpdated,
} from '@cabstand/contracts';
import { Outbox, Transactions } from '@cabstand/messaging';
import { forgetAnswersAbout, PersonalData } from '@cabstand/service-defaults';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { PassengerTrip } from './passenger-trip.entity.ts';
import { isUnderWay, lockPassenger } from './passenger-trip.service.ts';
import type { PassengerExport, RegisterPassenger, UpdatePassenger } from './passenger.dto.ts';
import { toOwnView } from './passenger.dto.ts';
import { Passenger } from './passenger.entity.ts';
import { passengerPolicy } from './passenger.policy.ts';

/** The use cases of passenger accounts. */
@Injectable()
export class PassengerService {
  constructor(
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly outbox: Outbox,
    private readonly sessions: Sessions,
    private readonly personalData: PersonalData,
  ) {}

  /** @throws DomainError EMAIL_TAKEN */
  async register({ password: _, ...person }: RegisterPassenger, passwordHash: string): Promise<Passenger> {
    const passenger: Passenger = {
      ...person,
      emailIndex: this.personalData.index('passengers.email', person.email),
      id: randomUUIDv7(),
      issuer: this.sessions.issuer,
      passwordHash,
      starsTotal: 0,
      ratingsCount: 0,
      suspendedAt: null,
      sequence: 1,
      createdAt: new Date(),
    };
    await this.transactions.run(async (tx) => {
      // Not an exception caught: that would leave the transaction around this one unusable.
      const { raw } = await tx
        .createQueryBuilder()
        .insert()
        .into(Passenger)
        .values(passenger)
        .orIgnore()
        .returning('id')
        .execute();
      if (raw.length === 0) throw new DomainError('EMAIL_TAKEN');
      const registered = { passengerId: passenger.id, firstName: firstName(passenger.name) };
      await this.outbox.add(tx, PassengerRegistered, registered, passenger.sequence);
    });
    return passenger;
  }

  async read(me: Principal): Promise<Passenger> {
    const passenger = await this.dataSource.getRepository(Passenger).findOneBy({ id: me.subject });
    passengerPolicy.check(me, 'read', passenger);
    return passenger;
  }

  update(me: Principal, changes: UpdatePassenger): Promise<Passenger> {
    return this.transactions.run(async (tx) => {
      const passenger = await lockPassenger(tx, me.subject);
      passengerPolicy.check(me, 'update', passenger);
      const before = firstName(passenger.name);
      Object.assign(passenger, changes);
      const after = firstName(passenger.name);
      if (after !== before) {
        passenger.sequence++;
        const updated = { passengerId: passenger.id, firstName: after };
        await this.outbox.add(tx, PassengerUpdated, updated, passenger.sequence);
      }
      return tx.save(passenger);
    });
  }

  async export(me: Principal): Promise<PassengerExport> {
    const passenger = await this.read(me);
    passengerPolicy.check(me, 'export', passenger);
    const trips = await this.dataSource.getRepository(PassengerTrip).findBy({ passengerId: passenger.id });
    return {
      passenger: toOwnView(passenger),
      suspendedAt: passenger.suspendedAt?.toISOString() ?? null,
      sessions: await this.sessions.historyOf(passenger.id),
      tripIds: trips.map(({ tripId }) => tripId),
    };
  }

  /**
   * Deletes the account; whoever holds a copy of its data is told to do the same.
   * @throws DomainError TRIP_UNDER_WAY
   */
  erase(me: Principal): Promise<void> {
    return this.transactions.run(async (tx) => {
      const passenger = await lockPassenger(tx, me.subject);
      passengerPolicy.check(me, 'erase', passenger);
      if (await isUnderWay(tx, passenger.id)) throw new DomainError('TRIP_UNDER_WAY');
      await this.sessions.revokeAll(tx, passenger.id, 'erased');
      await this.outbox.add(tx, PassengerErased, { passengerId: passenger.id }, passenger.sequence + 1);
      await forgetAnswersAbout(tx, [passenger.id]);
      await tx.delete(Passenger, passenger.id);
    });
  }

  /** Bars the passenger from new trips at once, and from the service once no trip is under way. */
  suspend(me: Principal, id: string): Promise<Passenger> {
    return this.changeStanding(me, id, 'suspend', async (tx, passenger) => {
      if (passenger.suspendedAt) return;
      passenger.suspendedAt = new Date();
      passenger.sequence++;
      await this.outbox.add(tx, PassengerSuspended, { passengerId: id }, passenger.sequence);
      if (!(await isUnderWay(tx, id))) await this.sessions.revokeAll(tx, id, 'suspended');
    });
  }

  reinstate(me: Principal, id: string): Promise<Passenger> {
    return this.changeStanding(me, id, 'reinstate', async (tx, passenger) => {
      if (!passenger.suspendedAt) return;
      passenger.suspendedAt = null;
      passenger.sequence++;
      await this.outbox.add(tx, PassengerReinstated, { passengerId: id }, passenger.sequence);
    });
  }

  private changeStanding(
    me: Principal,
    id: string,
    action: 'suspend' | 'reinstate',
    change: (tx: EntityManager, passenger: Passenger) => Promise<void>,
  ): Promise<Passenger> {
    return this.transactions.run(async (tx) => {
      const passenger = await lockPassenger(tx, id);
      passengerPolicy.check(me, action, passenger);
      await change(tx, passenger);
      return tx.save(passenger);
    });
  }
}
