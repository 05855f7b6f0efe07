import { randomUUIDv7 } from 'node:crypto';
import {
  DispatchAccepted,
  DispatchDeclined,
  DispatchExhausted,
  DispatchExpired,
  DispatchOffered,
  DispatchWithdrawn,
  type TripRequested,
  type TripStatus,
} from '@cabstand/contracts';
import { Outbox } from '@cabstand/messaging';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Availability } from './availability.entity.ts';
import { DispatchSettings } from './dispatch-settings.ts';
import { DriverStream } from '../stream/driver-stream.ts';
import { afterTripFact, isOver, nextLook, nextStep, offerExpiry } from './dispatch.machine.ts';
import { DriversFreed } from './drivers-freed.ts';
import {
  lockDispatch,
  lockOpenOffer,
  lockOrMakeDispatch,
  saveDispatch,
  timeOf,
  type HeldDispatch,
  type HeldOffer,
} from './locks.ts';
import { Matching } from './matching.ts';
import { toOfferView } from './offer.dto.ts';
import { Offer } from './offer.entity.ts';
import { isRefusal, OUTCOME } from './offer.machine.ts';
import type { Ranked } from './ranking.ts';

/** What the trip service says of a trip that was requested before. */
export interface TripFact {
  tripId: string;
  status: Exclude<TripStatus, 'requested'>;
  /** The trip's driver; for one that is over before it began, whoever is to be released, if anybody. */
  driverId: string | null;
  /** Counts the trip's facts. */
  sequence: number;
}

const SETTLED = { decline: DispatchDeclined, expire: DispatchExpired, withdraw: DispatchWithdrawn } as const;

/**
 * Finds a driver for each trip. Everything here runs in its caller's transaction, which locks in this order:
 * dispatch → offer → availability → driver (see locks.ts).
 */
@Injectable()
export class DispatchService {
  constructor(
    private readonly settings: DispatchSettings,
    private readonly outbox: Outbox,
    private readonly matching: Matching,
    private readonly stream: DriverStream,
    private readonly freed: DriversFreed,
  ) {}

  /** Records the trip and offers it to the best driver. Does nothing for a trip that is known to have gone further. */
  async requested(tx: EntityManager, trip: TripRequested): Promise<void> {
    const { pickup, dropoff } = trip;
    await tx.query(
      `INSERT INTO dispatches (trip_id, status, pickup_lat, pickup_lng, dropoff_lat, dropoff_lng, fare_minor, currency,
                               trip_status, trip_sequence, deadline_at, look_at)
       VALUES ($1, 'searching', $2, $3, $4, $5, $6, $7, 'requested', 0,
               clock_timestamp() + make_interval(secs => $8), clock_timestamp())
       ON CONFLICT (trip_id) DO UPDATE
         SET pickup_lat = $2, pickup_lng = $3, dropoff_lat = $4, dropoff_lng = $5, fare_minor = $6, currency = $7`,
      [
        ...[trip.tripId, pickup.lat, pickup.lng, dropoff.lat, dropoff.lng, trip.fareMinor, trip.currency],
        this.settings.deadlineMs / 1_000,
      ],
    );
    await this.advance(tx, await lockDispatch(tx, trip.tripId));
  }

  /**
   * Takes in how the trip went on: drivers who are reserved for it wrongly are free again, their open offers
   * withdrawn. Returns the drivers that were released.
   */
  async heard(tx: EntityManager, fact: TripFact): Promise<string[]> {
    // A fact may overtake the request: then the row is a tombstone that keeps the request from starting a search.
    const dispatch = await lockOrMakeDispatch(tx, fact.tripId, () =>
      tx.query(
        `INSERT INTO dispatches (trip_id, status, trip_status, trip_sequence, deadline_at, look_at)
         VALUES ($1, $2, $3, 0, clock_timestamp(), clock_timestamp()) ON CONFLICT DO NOTHING`,
        [fact.tripId, afterTripFact('searching', fact.status), fact.status],
      ),
    );
    const offer = dispatch.status === 'offered' ? await lockOpenOffer(tx, { tripId: fact.tripId }) : null;
    if (offer) await this.endOffer(tx, { dispatch, offer, now: await timeOf(tx) }, 'withdraw');
    dispatch.status = afterTripFact(dispatch.status, fact.status);
    const isNews = fact.sequence > dispatch.tripSequence;
    if (isNews) Object.assign(dispatch, { tripStatus: fact.status, tripSequence: fact.sequence });
    await saveDispatch(tx, dispatch);

    const released = await this.release(tx, fact.tripId, isOver(fact.status) ? null : fact.driverId);
    // Last, because a trip's driver and the ones released are rows of availability too.
    if (isNews && fact.driverId) {
      await this.stream.append(tx, fact.driverId, 'trip', { tripId: fact.tripId, status: fact.status });
    }
    return released;
  }

  /** Brings a dispatch up to date with the clock: its offer expires, the next driver is asked, or it is given up. */
  async advance(tx: EntityManager, held: HeldDispatch): Promise<void> {
    const { dispatch, now } = held;
    if (dispatch.status === 'offered') {
      const offer = await lockOpenOffer(tx, { tripId: dispatch.tripId });
      if (offer && offer.expiresAt > now) return;
      if (offer) await this.endOffer(tx, { ...held, offer }, 'expire');
    }
    if (dispatch.status !== 'searching') return;

    const step = nextStep(dispatch, now, this.settings.maxRefusals);
    if (step === 'search') {
      const pickup = { lat: dispatch.pickupLat!, lng: dispatch.pickupLng! };
      const best = await this.matching.reserve(tx, { tripId: dispatch.tripId, pickup });
      if (best) await this.offer(tx, held, best);
      else dispatch.lookAt = nextLook(dispatch, now, this.settings.sweepEveryMs);
    } else {
      dispatch.status = 'exhausted';
      await this.outbox.add(tx, DispatchExhausted, { tripId: dispatch.tripId, reason: step }, ++dispatch.sequence);
    }
    await saveDispatch(tx, dispatch);
  }

  /** The offer's driver has the trip, as far as this service decides. */
  async accept(tx: EntityManager, { dispatch, offer, now }: HeldOffer): Promise<void> {
    const { id: offerId, tripId, driverId, driverIssuer } = offer;
    await tx.update(Offer, offerId, { status: OUTCOME.accept, settledAt: now });
    await tx.update(Availability, driverId, { reservedAs: 'trip' });
    dispatch.status = 'accepted';
    dispatch.sequence += 1;
    await this.outbox.add(tx, DispatchAccepted, { tripId, offerId, driverId, driverIssuer }, dispatch.sequence);
    await saveDispatch(tx, dispatch);
  }

  /** Ends an open offer otherwise, and asks the next driver. */
  async passOn(tx: EntityManager, open: HeldOffer, action: keyof typeof SETTLED): Promise<void> {
    await this.endOffer(tx, open, action);
    await this.advance(tx, open);
  }

  /** Leaves the dispatch searching, for the caller to advance or save. */
  private async endOffer(tx: EntityManager, { dispatch, offer, now }: HeldOffer, action: keyof typeof SETTLED) {
    const { id: offerId, tripId, driverId } = offer;
    const status = OUTCOME[action];
    await tx.update(Offer, offerId, { status, settledAt: now });
    await this.release(tx, tripId, null);
    dispatch.status = 'searching';
    dispatch.sequence += 1;
    if (isRefusal(action)) dispatch.refusals += 1;
    await this.outbox.add(tx, SETTLED[action], { tripId, offerId, driverId }, dispatch.sequence);
    if (action !== 'decline') await this.stream.append(tx, driverId, 'offer-withdrawn', { offerId, tripId, status });
  }

  private async offer(tx: EntityManager, { dispatch, now }: HeldDispatch, to: Ranked): Promise<void> {
    const offer = tx.create(Offer, {
      id: randomUUIDv7(),
      tripId: dispatch.tripId,
      driverIssuer: this.settings.issuer,
      driverId: to.driverId,
      status: 'open',
      pickupDistanceM: Math.round(to.pickupDistanceM),
      offeredAt: now,
      expiresAt: offerExpiry(dispatch, now, this.settings.offerTtlMs),
    });
    await tx.insert(Offer, offer);
    dispatch.status = 'offered';
    dispatch.lookAt = offer.expiresAt;
    dispatch.sequence += 1;
    const { id: offerId, tripId, driverId } = offer;
    const expiresAt = offer.expiresAt.toISOString();
    await this.outbox.add(tx, DispatchOffered, { tripId, offerId, driverId, expiresAt }, dispatch.sequence);
    await this.stream.append(tx, driverId, 'offer', toOfferView(offer, dispatch));
  }

  /** Frees whoever is reserved for the trip, except `keepDriverId`. */
  private async release(tx: EntityManager, tripId: string, keepDriverId: string | null): Promise<string[]> {
    const [rows] = await tx.query<[{ driverId: string }[], number]>(
      `UPDATE availability SET reserved_trip_id = NULL, reserved_as = NULL
        WHERE reserved_trip_id = $1 AND ($2::uuid IS NULL OR driver_id <> $2) RETURNING driver_id AS "driverId"`,
      [tripId, keepDriverId],
    );
    if (rows.length > 0) this.freed.announce();
    return rows.map(({ driverId }) => driverId);
  }
}
