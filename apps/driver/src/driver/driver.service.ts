import { randomUUIDv7 } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { firstName, Sessions, type Principal } from '@cabstand/auth';
import { DomainError, DriverErased, DriverRegistered, DriverUpdated } from '@cabstand/contracts';
import { Outbox, Transactions } from '@cabstand/messaging';
import { forgetAnswersAbout, PersonalData } from '@cabstand/service-defaults';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { Availability } from '../dispatch/availability.entity.ts';
import { DispatchService } from '../dispatch/dispatch.service.ts';
import { lockDriver } from '../dispatch/locks.ts';
import { Offer } from '../dispatch/offer.entity.ts';
import { DriverEvent } from '../stream/driver-event.entity.ts';
import { Position } from '../position/position.entity.ts';
import { toView, type DriverExport, type DriverView, type ProfileChange, type Registration } from './driver.dto.ts';
import { Driver } from './driver.entity.ts';
import { driverPolicy } from './driver.policy.ts';

/** Driver accounts: who a driver is. */
@Injectable()
export class DriverService {
  constructor(
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly outbox: Outbox,
    private readonly sessions: Sessions,
    private readonly dispatch: DispatchService,
    private readonly personalData: PersonalData,
  ) {}

  /** @throws DomainError EMAIL_TAKEN (conflict) */
  async register({ password: _, ...profile }: Registration, passwordHash: string): Promise<DriverView> {
    const id = randomUUIDv7();
    const { issuer } = this.sessions;
    return this.transactions.run(async (tx) => {
      const inserted = await tx
        .createQueryBuilder()
        .insert()
        .into(Driver)
        .values({
          id,
          issuer,
          passwordHash,
          ...profile,
          emailIndex: this.personalData.index('drivers.email', profile.email),
          starsTotal: 0,
          ratingsCount: 0,
          sequence: 1,
          createdAt: new Date(),
        })
        .orIgnore()
        .returning('id')
        .execute();
      if ((inserted.raw as unknown[]).length === 0) throw new DomainError('EMAIL_TAKEN');
      await tx.insert(Availability, {
        driverId: id,
        driverIssuer: issuer,
        status: 'offline',
        suspended: false,
        streamSequence: '0',
      });
      const driver = await tx.findOneByOrFail(Driver, { id });
      await this.outbox.add(tx, DriverRegistered, { driverId: id, ...publicSide(driver) }, 1);
      return toView(driver, { status: 'offline' });
    });
  }

  async read(me: Principal): Promise<DriverView> {
    const { driver, availability } = await this.own(this.dataSource.manager, me);
    return toView(driver, availability);
  }

  async change(me: Principal, change: ProfileChange): Promise<DriverView> {
    const id = this.sessions.accountIdOf(me);
    return this.transactions.run(async (tx) => {
      // Availability too, because the event tells both.
      const availability = await tx.findOne(Availability, {
        where: { driverId: id },
        lock: { mode: 'pessimistic_write' },
      });
      const driver = await this.lock(tx, id);
      driverPolicy.check(me, 'change', driver);
      const before = publicSide(driver);
      Object.assign(driver, change);
      await tx.save(driver);
      // Nobody else holds the phone number or the licence.
      if (!isDeepStrictEqual(publicSide(driver), before)) await this.publishUpdated(tx, driver, availability!);
      return toView(driver, availability!);
    });
  }

  /**
   * Forgets the person. Offers stay as numbers without a name.
   * @throws DomainError TRIP_UNDER_WAY (conflict)
   */
  async erase(me: Principal): Promise<void> {
    const id = this.sessions.accountIdOf(me);
    await this.transactions.run(async (tx) => {
      const held = await lockDriver(tx, id);
      const driver = held && (await this.lock(tx, id));
      driverPolicy.check(me, 'erase', driver);
      if (held!.availability.reservedAs === 'trip') throw new DomainError('TRIP_UNDER_WAY');
      await this.sessions.revokeAll(tx, id, 'erased');
      await this.outbox.add(tx, DriverErased, { driverId: id }, driver.sequence + 1);
      await tx.delete(Driver, id);
      await tx.delete(Position, { driverId: id });
      await tx.delete(DriverEvent, { driverId: id });
      await forgetAnswersAbout(tx, [id]);
      if (held!.open) await this.dispatch.passOn(tx, held!.open, 'withdraw');
    });
  }

  async export(me: Principal): Promise<DriverExport> {
    const { manager } = this.dataSource;
    const { driver, availability } = await this.own(manager, me);
    const driverId = driver.id;
    const position = await manager.findOneBy(Position, { driverId });
    const offers = await manager.find(Offer, { where: { driverId }, order: { offeredAt: 'ASC' } });
    return {
      profile: toView(driver, availability),
      suspended: availability.suspended,
      ratings: { count: driver.ratingsCount, starsTotal: driver.starsTotal },
      position: position && {
        lat: position.lat,
        lng: position.lng,
        headingDeg: position.headingDeg,
        speedMps: position.speedMps,
        at: position.at.toISOString(),
      },
      offers: offers.map(({ id: offerId, tripId, status, offeredAt, pickupDistanceM }) => ({
        ...{ offerId, tripId, status, pickupDistanceM },
        offeredAt: offeredAt.toISOString(),
      })),
      sessions: await this.sessions.historyOf(driverId),
      exportedAt: new Date().toISOString(),
    };
  }

  /** A passenger rated the driver. */
  async rated(tx: EntityManager, driverId: string, stars: number): Promise<void> {
    await tx.query(
      'UPDATE drivers SET stars_total = stars_total + $2, ratings_count = ratings_count + 1 WHERE id = $1',
      [driverId, stars],
    );
  }

  /** The last lock but the sessions': whoever needs availability has it by now. */
  lock(tx: EntityManager, id: string): Promise<Driver | null> {
    return tx.findOne(Driver, { where: { id }, lock: { mode: 'pessimistic_write' } });
  }

  /** Tells the platform what the driver and the driver's availability are now. The driver is locked. */
  async publishUpdated(tx: EntityManager, driver: Driver, { status }: Pick<Availability, 'status'>): Promise<void> {
    const sequence = await this.nextSequence(tx, driver);
    await this.outbox.add(tx, DriverUpdated, { driverId: driver.id, ...publicSide(driver), status }, sequence);
  }

  async nextSequence(tx: EntityManager, driver: Driver): Promise<number> {
    driver.sequence += 1;
    await tx.update(Driver, driver.id, { sequence: driver.sequence });
    return driver.sequence;
  }

  private async own(tx: EntityManager, me: Principal) {
    const driver = await tx.findOneBy(Driver, { id: this.sessions.accountIdOf(me) });
    driverPolicy.check(me, 'read', driver);
    const availability = await tx.findOneByOrFail(Availability, { driverId: driver.id });
    return { driver, availability };
  }
}

/** What passengers see of a driver. */
const publicSide = ({ name, vehicle }: Driver) => ({ firstName: firstName(name), vehicle });
