import { Sessions, type Principal } from '@cabstand/auth';
import { Live, Transactions } from '@cabstand/messaging';
import { EventStreams, Followers, Jobs, type StreamEvent, type StreamSource } from '@cabstand/service-defaults';
import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { z } from 'zod';
import { Availability } from '../dispatch/availability.entity.ts';
import { Dispatch } from '../dispatch/dispatch.entity.ts';
import { toOfferView, type OfferView } from '../dispatch/offer.dto.ts';
import { Offer } from '../dispatch/offer.entity.ts';
import { toldOfferPolicy } from '../dispatch/offer.policy.ts';
import { workPolicy } from '../driver/driver.policy.ts';
import { DriverEvent } from './driver-event.entity.ts';

const WAKE = 'wake.driver-stream';
const WakeUp = z.object({ driverId: z.uuid() });
const READ_AT_MOST = 100;
const PRUNE_EVERY_MS = 60_000;

interface Follower {
  wake(): void;
  /** The driver's newest event has this number. */
  reached(sequence: string): void;
}

/** What drivers are told: written with what causes it, read by whichever replica holds the driver's stream. */
@Injectable()
export class DriverStream implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly followers = new Followers<Follower>();
  private unsubscribe: () => void = () => undefined;

  constructor(
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly live: Live,
    private readonly sessions: Sessions,
    private readonly jobs: Jobs,
    private readonly streams: EventStreams,
  ) {}

  onApplicationBootstrap(): void {
    this.unsubscribe = this.live.subscribe('driver', WAKE, (payload) => {
      const { success, data } = WakeUp.safeParse(payload);
      if (success) this.wake(data.driverId);
    });
    this.jobs.every(this.streams.pollMs, 'driver-streams', () => this.wakeMissed());
    this.jobs.every(PRUNE_EVERY_MS, 'driver-stream-prune', () =>
      this.dataSource.query(`DELETE FROM driver_stream WHERE created_at < now() - interval '1 day'`),
    );
  }

  onModuleDestroy(): void {
    this.unsubscribe();
  }

  /** Locks the driver's availability, for numbers that ascend with the commits. Nothing for a driver who is gone. */
  async append(tx: EntityManager, driverId: string, event: DriverEvent['event'], data: object): Promise<void> {
    await tx.query(
      `WITH next AS (UPDATE availability SET stream_sequence = stream_sequence + 1 WHERE driver_id = $1 RETURNING stream_sequence)
       INSERT INTO driver_stream (driver_id, sequence, event, data) SELECT $1, stream_sequence, $2, $3 FROM next`,
      [driverId, event, JSON.stringify(data)],
    );
    this.transactions.afterCommit(() => this.live.publish(WAKE, { driverId }));
  }

  /** @throws DomainError NOT_FOUND */
  async source(principal: Principal): Promise<StreamSource> {
    const driverId = this.sessions.accountIdOf(principal);
    const availability = await this.dataSource.manager.findOneBy(Availability, { driverId });
    workPolicy.check(principal, 'work', availability);
    let newest = BigInt(availability.streamSequence);
    return {
      principal,
      allowed: () => workPolicy.allows(principal, 'work', availability),
      read: async (cursor) => {
        // A cursor from beyond the end is another driver's: start anew instead of waiting for ever.
        const isOurs = cursor !== null && BigInt(cursor) <= newest;
        const news = isOurs ? await this.after(principal, cursor) : await this.current(driverId);
        newest = BigInt(news.cursor);
        return news;
      },
      subscribe: ({ wake }) =>
        this.followers.add(driverId, {
          wake,
          reached: (sequence) => {
            if (BigInt(sequence) > newest) wake();
          },
        }),
    };
  }

  private async after(me: Principal, cursor: string) {
    const driverId = me.subject;
    const found = await this.dataSource
      .createQueryBuilder(DriverEvent, 'e')
      .where('e.driverId = :driverId AND e.sequence > :cursor', { driverId, cursor })
      .orderBy('e.sequence')
      .limit(READ_AT_MOST)
      .getMany();
    // The rest of a long absence is read at once, not with the next event.
    if (found.length === READ_AT_MOST) setImmediate(() => this.wake(driverId));
    const show = found.some(({ event }) => event === 'offer') ? await this.toldOffers(me) : null;
    const events = found.map(({ sequence: id, event, data }): StreamEvent => {
      return { id, event, data: show && event === 'offer' ? show(data as OfferView) : data };
    });
    return { events, cursor: found.at(-1)?.sequence ?? cursor };
  }

  /** What was offered once is shown as what has become of it allows. Asked after the events: it is as new as they are. */
  private async toldOffers(me: Principal): Promise<(offer: OfferView) => object> {
    const { driverIssuer, driverId, reservedTripId } = await this.dataSource.manager.findOneByOrFail(Availability, {
      driverId: me.subject,
    });
    return (offer) => {
      const isHeld = offer.tripId === reservedTripId;
      const show = toldOfferPolicy.view(me, { driverIssuer, driverId, isHeld });
      return { ...offer, pickup: show('pickup', offer.pickup), dropoff: show('dropoff', offer.dropoff) };
    };
  }

  /** The open offer or the trip under way. The number is read first: what happens meanwhile is told again, not missed. */
  private async current(driverId: string) {
    const { manager } = this.dataSource;
    const { streamSequence: cursor, reservedTripId: tripId } = await manager.findOneByOrFail(Availability, {
      driverId,
    });
    const dispatch = tripId && (await manager.findOneBy(Dispatch, { tripId }));
    if (!dispatch) return { events: [], cursor };
    const offer = await manager.findOneBy(Offer, { tripId: dispatch.tripId, driverId, status: 'open' });
    const { tripStatus: status } = dispatch;
    const events: StreamEvent[] = [];
    if (offer) events.push({ id: cursor, event: 'offer', data: toOfferView(offer, dispatch) });
    else if (status !== 'requested')
      events.push({ id: cursor, event: 'trip', data: { tripId: dispatch.tripId, status } });
    return { events, cursor };
  }

  private wake(driverId: string): void {
    for (const follower of this.followers.of(driverId)) follower.wake();
  }

  /** Wake-ups may be lost. One question for all drivers: thousands of streams that asked would leave no connection free. */
  private async wakeMissed(): Promise<void> {
    const { ids } = this.followers;
    if (ids.length === 0) return;
    const newest = await this.dataSource.query<{ id: string; sequence: string }[]>(
      'SELECT driver_id AS id, stream_sequence AS sequence FROM availability WHERE driver_id = ANY($1)',
      [ids],
    );
    for (const { id, sequence } of newest) for (const follower of this.followers.of(id)) follower.reached(sequence);
  }
}
