import type { Principal } from '@cabstand/auth';
import { DriverMoved } from '@cabstand/contracts';
import { Live } from '@cabstand/messaging';
import { EventStreams, Followers, Jobs, type StreamEvent, type StreamSource } from '@cabstand/service-defaults';
import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { DataSource, MoreThan } from 'typeorm';
import { z } from 'zod';
import { shownTo, toView, type Show } from './trip.dto.ts';
import { Trip, TripSnapshot, type TripState } from './trip.entity.ts';
import { tripPolicy } from './trip.policy.ts';

const WAKE_UP = 'wake.trip';
const WakeUp = z.object({ tripId: z.uuid() });
const WITH_PEOPLE = { passenger: true, driver: true } as const;

interface Follower {
  /** The history may have grown. */
  wake(): void;
  /** It has grown to that. */
  reached(sequence: number): void;
  /** The trip's driver is somewhere else now. */
  moved(event: DriverMoved): void;
}

/**
 * The streams of trips. What happened is read from the history, with the trip's sequence as cursor, so any replica
 * can go on where another ended; messages between replicas only say when to look.
 */
@Injectable()
export class TripStreams implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy {
  private readonly followers = new Followers<Follower>();
  private unsubscribe: (() => void)[] = [];

  constructor(
    private readonly dataSource: DataSource,
    private readonly live: Live,
    private readonly streams: EventStreams,
    private readonly jobs: Jobs,
  ) {}

  onModuleInit(): void {
    this.unsubscribe = [
      this.live.subscribe('trip', WAKE_UP, (message) => this.wake(WakeUp.parse(message).tripId)),
      this.live.subscribe('driver', DriverMoved.type, (message) => this.moved(DriverMoved.schema.parse(message))),
    ];
  }

  onApplicationBootstrap(): void {
    this.jobs.every(this.streams.pollMs, 'trip-streams', () => this.wakeMissed());
  }

  onModuleDestroy(): void {
    for (const unsubscribe of this.unsubscribe) unsubscribe();
  }

  /** Wakes whoever follows the trip. Call it after the commit. */
  announce(tripId: string): void {
    this.live.publish(WAKE_UP, { tripId });
  }

  /**
   * Streams the trip until the client leaves.
   * @throws DomainError NOT_FOUND
   */
  async follow(me: Principal, tripId: string, reply: FastifyReply): Promise<void> {
    const trip = await this.dataSource.manager.findOneBy(Trip, { id: tripId });
    tripPolicy.check(me, 'read', trip);
    await this.streams.follow(reply, this.sourceOf(me, trip));
  }

  private sourceOf(principal: Principal, trip: TripState): StreamSource {
    let newest = trip;
    return {
      principal,
      read: async (cursor) => {
        // A cursor from beyond the trip's end is another trip's: start anew instead of waiting for ever.
        const isOurs = cursor !== null && Number(cursor) <= newest.sequence;
        const snapshots = isOurs ? await this.readAfter(trip.id, Number(cursor)) : await this.readNewest(trip.id);
        newest = snapshots.at(-1) ?? newest;
        // What a trip was is shown as what it is now allows: a name from before its end is not for after it.
        const show = shownTo(principal, newest);
        return { events: snapshots.map((each) => toEvent(each, show)), cursor: String(newest.sequence) };
      },
      allowed: () => tripPolicy.allows(principal, 'read', newest),
      subscribe: ({ wake, push }) =>
        this.followers.add(trip.id, {
          wake,
          reached: (sequence) => {
            if (sequence > newest.sequence) wake();
          },
          moved: (data) => {
            if (newest.driverId !== data.driverId) return;
            const position = shownTo(principal, newest)('driverPosition', data.position);
            if (position) push('driver-position', { event: 'driver-position', data: { ...data, position } });
          },
        }),
    };
  }

  private readAfter(id: string, sequence: number): Promise<TripSnapshot[]> {
    return this.dataSource.manager.find(TripSnapshot, {
      where: { id, sequence: MoreThan(sequence) },
      relations: WITH_PEOPLE,
      order: { sequence: 'ASC' },
    });
  }

  private readNewest(id: string): Promise<TripSnapshot[]> {
    // A snapshot has one passenger and one driver: a limit is as good as take, which would ask for the ids first.
    const newestFirst = { where: { id }, relations: WITH_PEOPLE, order: { sequence: 'DESC' } } as const;
    return this.dataSource.createQueryBuilder(TripSnapshot, 'snapshot').setFindOptions(newestFirst).limit(1).getMany();
  }

  private wake(tripId: string): void {
    for (const follower of this.followers.of(tripId)) follower.wake();
  }

  /** Wake-ups may be lost. One question for all trips: thousands of streams that asked would leave no connection free. */
  private async wakeMissed(): Promise<void> {
    const { ids } = this.followers;
    if (ids.length === 0) return;
    const newest = await this.dataSource.query<{ id: string; sequence: number }[]>(
      'SELECT id, max(sequence) AS sequence FROM trip_history WHERE id = ANY($1) GROUP BY id',
      [ids],
    );
    for (const { id, sequence } of newest) for (const follower of this.followers.of(id)) follower.reached(sequence);
  }

  private moved(event: DriverMoved): void {
    for (const follower of this.followers.of(event.tripId)) follower.moved(event);
  }
}

const toEvent = (snapshot: TripSnapshot, show: Show): StreamEvent => ({
  id: String(snapshot.sequence),
  event: 'trip',
  data: toView(snapshot, show),
});
