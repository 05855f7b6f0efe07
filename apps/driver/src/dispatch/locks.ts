import { DomainError } from '@cabstand/contracts';
import type { EntityManager } from 'typeorm';
import { Availability } from './availability.entity.ts';
import { Dispatch } from './dispatch.entity.ts';
import { Offer } from './offer.entity.ts';

// Every transaction locks in this order: dispatch → offer → availability → driver → sessions. Whoever starts
// from a driver has to find the dispatch first; that is what `lockDriver` is for.

/** A locked dispatch, and the database's time after the lock was got. */
export interface HeldDispatch {
  dispatch: Dispatch;
  now: Date;
}

/** The database's: replicas' clocks don't decide. */
export async function timeOf(tx: EntityManager): Promise<Date> {
  const [{ now }] = await tx.query<[{ now: Date }]>('SELECT clock_timestamp() AS now');
  return now;
}

export async function lockDispatch(tx: EntityManager, tripId: string): Promise<HeldDispatch> {
  const held = await tryLockDispatch(tx, tripId, 'wait');
  if (!held) throw new DomainError('NOT_FOUND');
  return held;
}

/** Null when there is none, or (with `skip`) when another transaction is at it. */
export async function tryLockDispatch(
  tx: EntityManager,
  tripId: string,
  whenLocked: 'wait' | 'skip',
): Promise<HeldDispatch | null> {
  const dispatch = await lockRow(tx, tripId, whenLocked);
  return dispatch && { dispatch, now: await timeOf(tx) };
}

/** Locks the trip's dispatch, without asking for the time; `make` inserts it where there is none. */
export async function lockOrMakeDispatch(
  tx: EntityManager,
  tripId: string,
  make: () => Promise<unknown>,
): Promise<Dispatch> {
  let dispatch: Dispatch | null;
  // READ COMMITTED sees what another transaction has made meanwhile: the second look finds one.
  while (!(dispatch = await lockRow(tx, tripId, 'wait'))) await make();
  return dispatch;
}

const lockRow = (tx: EntityManager, tripId: string, whenLocked: 'wait' | 'skip') =>
  tx.findOne(Dispatch, {
    where: { tripId },
    lock: { mode: 'pessimistic_write', ...(whenLocked === 'skip' ? { onLocked: 'skip_locked' as const } : {}) },
  });

/** Writes what changes in a dispatch after its request; without the SELECT that TypeORM's `save` would do first. */
export async function saveDispatch(tx: EntityManager, dispatch: Dispatch): Promise<void> {
  const { tripId, status, refusals, sequence, tripStatus, tripSequence, lookAt } = dispatch;
  await tx.update(Dispatch, tripId, { status, refusals, sequence, tripStatus, tripSequence, lookAt });
}

export function lockOpenOffer(tx: EntityManager, of: { tripId: string } | { driverId: string }): Promise<Offer | null> {
  return tx.findOne(Offer, { where: { ...of, status: 'open' }, lock: { mode: 'pessimistic_write' } });
}

export interface HeldOffer extends HeldDispatch {
  offer: Offer;
}

export interface HeldDriver {
  availability: Availability;
  /** The offer that the driver holds, with its dispatch. */
  open: HeldOffer | null;
}

/** Locks a driver's availability together with the open offer and its dispatch, if there is one. Null: no such driver. */
export async function lockDriver(tx: EntityManager, driverId: string): Promise<HeldDriver | null> {
  for (;;) {
    const seen = await tx.findOneBy(Offer, { driverId, status: 'open' });
    await tx.query('SAVEPOINT locking_driver');
    const held = seen && (await lockDispatch(tx, seen.tripId));
    const offer = seen && (await lockOpenOffer(tx, { driverId }));
    const availability = await tx.findOne(Availability, { where: { driverId }, lock: { mode: 'pessimistic_write' } });
    if (!availability) return null;
    const offeredTripId = availability.reservedAs === 'offer' ? availability.reservedTripId : null;
    if (offeredTripId === (offer?.tripId ?? null) && offeredTripId === (held?.dispatch.tripId ?? null)) {
      return { availability, open: held && offer ? { ...held, offer } : null };
    }
    // An offer came or went before the last lock was got. With that lock held, waiting for the offer's dispatch
    // would be the wrong order: let go of everything and look again.
    await tx.query('ROLLBACK TO SAVEPOINT locking_driver');
  }
}
