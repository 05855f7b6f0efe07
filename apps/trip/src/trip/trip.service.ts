import type { Principal } from '@cabstand/auth';
import { DomainError, TripPathRecorded, TripRated, type DispatchAccepted } from '@cabstand/contracts';
import { Outbox, Transactions } from '@cabstand/messaging';
import { page, positionOf, preparedFind, type Page, type PageQuery } from '@cabstand/service-defaults';
import { Injectable, type Type } from '@nestjs/common';
import { randomUUIDv7 } from 'node:crypto';
import { DataSource, In, LessThan, type EntityManager } from 'typeorm';
import { Driver } from '../people/driver.entity.ts';
import { PeopleService } from '../people/people.service.ts';
import type { Quote } from '../quote/quote.entity.ts';
import { QuoteService } from '../quote/quote.service.ts';
import { Rating } from './rating.entity.ts';
import {
  shownTo,
  toRatingView,
  toView,
  TripId,
  type RatingRequest,
  type RatingView,
  type TripView,
} from './trip.dto.ts';
import { Trip, TripSnapshot } from './trip.entity.ts';
import { fact, factOf, type Fact } from './trip.facts.ts';
import { BEFORE_THE_RIDE, STAMP, transition, UNDER_WAY, type TripAction } from './trip.machine.ts';
import { tripPolicy, type TripPermission } from './trip.policy.ts';
import { TripPaths } from './trip.paths.ts';
import { TripStreams } from './trip.streams.ts';

const WITH_PEOPLE = { passenger: true, driver: true } as const;
const SWEEP_BATCH = 100;

/**
 * The use cases of a trip. Each is one transaction: lock the row, ask the policy and the machine, then write row,
 * history and event together.
 */
@Injectable()
export class TripService {
  private readonly find: (id: string) => Promise<Trip | null>;

  constructor(
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly outbox: Outbox,
    private readonly streams: TripStreams,
    private readonly paths: TripPaths,
    private readonly quotes: QuoteService,
    private readonly people: PeopleService,
  ) {
    this.find = preparedFind(dataSource, Trip, ['passenger', 'driver']);
  }

  /** @throws DomainError ACCOUNT_SUSPENDED, NOT_FOUND, QUOTE_USED, QUOTE_EXPIRED, TRIP_ALREADY_ACTIVE */
  request(me: Principal, quoteId: string): Promise<TripView> {
    return this.transactions.run(async (tx) => {
      const passenger = await this.people.passengerInGoodStanding(tx, me.subject);
      const trip = newTrip(await this.quotes.use(tx, me, quoteId));
      // The unique index decides between requests that race; it waits for the other transaction to end.
      if (!(await insertUnlessThere(tx, Trip, trip))) throw new DomainError('TRIP_ALREADY_ACTIVE');
      await this.record(tx, trip);
      const requested = { ...trip, passenger };
      return toView(requested, shownTo(me, requested));
    });
  }

  /** @throws DomainError NOT_FOUND */
  async get(me: Principal, id: string): Promise<TripView> {
    const trip = await this.find(id);
    tripPolicy.check(me, 'read', trip);
    return toView(trip, shownTo(me, trip));
  }

  /** Newest first: ids are UUIDv7, so their order is the order of requests, and stays. */
  async list(me: Principal, query: PageQuery): Promise<Page<TripView>> {
    const position = positionOf(query, TripId);
    const before = position ? { id: LessThan(position) } : {};
    const where = tripPolicy.where(me, 'read').map((mine) => ({ ...mine, ...before }));
    // A trip has one passenger and one driver: a limit is as good as take, which would ask for the ids first.
    const trips = await this.dataSource
      .createQueryBuilder(Trip, 'trip')
      .setFindOptions({ where, relations: WITH_PEOPLE, order: { id: 'DESC' } })
      .limit(query.limit + 1)
      .getMany();
    return page(
      trips.map((trip) => toView(trip, shownTo(me, trip))),
      query.limit,
      ({ id }) => id,
    );
  }

  /** @throws DomainError NOT_FOUND, TRIP_TRANSITION_INVALID; the following three too */
  cancel(me: Principal, id: string, reason?: string): Promise<TripView> {
    const cancelledBy = me.role === 'driver' ? 'driver' : 'passenger';
    return this.act(me, id, 'cancel', { cancelledBy, cancelReason: reason ?? null });
  }

  arrive(me: Principal, id: string): Promise<TripView> {
    return this.act(me, id, 'arrive');
  }

  start(me: Principal, id: string): Promise<TripView> {
    return this.act(me, id, 'start');
  }

  complete(me: Principal, id: string): Promise<TripView> {
    return this.act(me, id, 'complete');
  }

  /** @throws DomainError NOT_FOUND, TRIP_NOT_RATEABLE, TRIP_ALREADY_RATED */
  rate(me: Principal, id: string, { stars, comment }: RatingRequest): Promise<RatingView> {
    return this.transactions.run(async (tx) => {
      const trip = await this.lock(tx, id);
      tripPolicy.check(me, 'rate', trip);
      if (trip.status !== 'completed') throw new DomainError('TRIP_NOT_RATEABLE');
      const ratee =
        me.role === 'passenger'
          ? ({ rateeRole: 'driver', rateeId: trip.driverId! } as const)
          : ({ rateeRole: 'passenger', rateeId: trip.passengerId } as const);
      const rater = { raterRole: me.role, raterId: me.subject };
      const rating: Rating = {
        tripId: id,
        ...rater,
        ...ratee,
        stars,
        comment: comment ?? null,
        ratedAt: new Date(),
        dataKey: null,
      };
      if (!(await insertUnlessThere(tx, Rating, rating))) throw new DomainError('TRIP_ALREADY_RATED');
      if (ratee.rateeRole === 'driver') await this.people.addStars(tx, ratee.rateeId, stars);
      await this.tell(tx, trip, fact(TripRated, { tripId: id, ...ratee, stars }));
      return toRatingView(rating);
    });
  }

  /**
   * A driver took the offer. What becomes of the trip is decided here: when it can't be this driver's any more,
   * the answer is a fact that frees them.
   */
  async accept(tx: EntityManager, { tripId, driverId, driverIssuer }: DispatchAccepted): Promise<void> {
    const trip = await this.lock(tx, tripId);
    // The trip was committed before anybody heard of it: without it this is a dead letter for an operator to see.
    if (!trip) throw new DomainError('NOT_FOUND', `no trip ${tripId}`);
    if (trip.status === 'requested') {
      const isBusy = await tx.existsBy(Trip, { driverId, status: In(UNDER_WAY) });
      if (!isBusy) return this.advance(tx, trip, 'accept', { driverId, driverIssuer });
      // The driver service reserves nobody who is under way. Were it wrong once, trying again would not help:
      // the trip ends, the driver is freed of it, and the passenger can ask anew.
      await this.advance(tx, trip, 'giveUp');
    }
    // Said again, or heard after the trip went on: this driver has been told.
    if (trip.driverId === driverId) return;
    // A trip that another driver has taken frees everybody else by naming that one; one that never began, by naming
    // whom it frees.
    const neverBegan = trip.status === 'cancelled' || trip.status === 'unfulfilled';
    await this.tell(tx, trip, factOf(neverBegan ? { ...trip, driverId } : trip));
  }

  /** Nobody will take the trip. One that was taken or cancelled meanwhile stays as it is. */
  async giveUp(tx: EntityManager, tripId: string): Promise<void> {
    const trip = await this.lock(tx, tripId);
    if (trip?.status === 'requested') await this.advance(tx, trip, 'giveUp');
  }

  /** The passenger is gone. A trip that they are not on yet would take a driver to nobody: it ends as their cancelling. */
  async passengerErased(tx: EntityManager, passengerId: string): Promise<void> {
    await this.people.erasePassenger(tx, passengerId);
    const before = await tx.find(Trip, {
      where: { passengerId, status: In(BEFORE_THE_RIDE) },
      lock: { mode: 'pessimistic_write' },
    });
    for (const trip of before) await this.advance(tx, trip, 'cancel', { cancelledBy: 'passenger' });
  }

  /** Gives up trips requested longer ago than that; any number of replicas may do so at once. Returns how many. */
  giveUpOlderThan(ageMs: number): Promise<number> {
    return this.transactions.run(async (tx) => {
      const stale = await tx.find(Trip, {
        where: { status: 'requested', requestedAt: LessThan(new Date(Date.now() - ageMs)) },
        order: { requestedAt: 'ASC' },
        take: SWEEP_BATCH,
        lock: { mode: 'pessimistic_write', onLocked: 'skip_locked' },
      });
      for (const trip of stale) await this.advance(tx, trip, 'giveUp');
      return stale.length;
    });
  }

  /** What one side of a trip does to it. */
  private act(
    me: Principal,
    id: string,
    action: TripAction & TripPermission,
    changes: Partial<Trip> = {},
  ): Promise<TripView> {
    return this.transactions.run(async (tx) => {
      const trip = await this.lock(tx, id);
      tripPolicy.check(me, action, trip);
      await this.advance(tx, trip, action, changes);
      if (action === 'complete') await this.tellPath(tx, trip);
      return toView(trip, shownTo(me, trip));
    });
  }

  private async lock(tx: EntityManager, id: string): Promise<Trip | null> {
    // findOne() would ask for the id first.
    const [trip] = await tx.find(Trip, {
      where: { id },
      relations: WITH_PEOPLE,
      lock: { mode: 'pessimistic_write', tables: ['trips'] },
    });
    // After a wait for the lock PostgreSQL reads the trip again, and what it joined stays as it was before.
    if (trip?.driverId && !trip.driver) trip.driver = await tx.findOneBy(Driver, { id: trip.driverId });
    return trip ?? null;
  }

  /** Takes a locked trip to its next status. */
  private async advance(tx: EntityManager, trip: Trip, action: TripAction, changes: Partial<Trip> = {}): Promise<void> {
    Object.assign(trip, changes, { status: transition(trip.status, action), sequence: trip.sequence + 1 });
    const stamp = STAMP[action];
    if (stamp) trip[stamp] = new Date();
    await tx.update(Trip, { id: trip.id }, trip);
    await this.record(tx, trip);
  }

  /** Adds the trip's new state to its history, tells the other services of it, and wakes who follows it. */
  private async record(tx: EntityManager, trip: Trip): Promise<void> {
    await tx.insert(TripSnapshot, trip);
    const { event, payload } = factOf(trip);
    await this.outbox.add(tx, event, payload, trip.sequence);
    this.transactions.afterCommit(() => this.streams.announce(trip.id));
  }

  private async tellPath(tx: EntityManager, trip: Trip): Promise<void> {
    const { id: tripId, driverId } = trip;
    const points = await this.paths.take(tx, tripId);
    if (points.length > 0) await this.tell(tx, trip, fact(TripPathRecorded, { tripId, driverId: driverId!, points }));
  }

  /** Publishes a fact of a locked trip that leaves its state as it is. */
  private async tell(tx: EntityManager, trip: Trip, { event, payload }: Fact): Promise<void> {
    trip.sequence += 1;
    await tx.update(Trip, { id: trip.id }, { sequence: trip.sequence });
    await this.outbox.add(tx, event, payload, trip.sequence);
  }
}

function newTrip(quote: Quote): Trip {
  return {
    id: randomUUIDv7(),
    sequence: 1,
    status: 'requested',
    quoteId: quote.id,
    passengerIssuer: quote.passengerIssuer,
    passengerId: quote.passengerId,
    driverIssuer: null,
    driverId: null,
    pickup: quote.pickup,
    dropoff: quote.dropoff,
    fareMinor: quote.fareMinor,
    currency: quote.currency,
    distanceM: quote.distanceM,
    durationS: quote.durationS,
    requestedAt: new Date(),
    acceptedAt: null,
    arrivedAt: null,
    startedAt: null,
    completedAt: null,
    cancelledAt: null,
    cancelledBy: null,
    cancelReason: null,
    dataKey: null,
  };
}

/** Whether it was inserted; false when a unique index says that there is one. */
async function insertUnlessThere<Row extends object>(tx: EntityManager, entity: Type<Row>, row: Row): Promise<boolean> {
  const insert = tx.createQueryBuilder().insert().into(entity).orIgnore().returning('*').updateEntity(false);
  const inserted = await insert.values(row).execute();
  return (inserted.raw as Row[]).length > 0;
}
