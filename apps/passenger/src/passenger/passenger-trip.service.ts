import { Sessions } from '@cabstand/auth';
import type { TripRated } from '@cabstand/contracts';
import { Jobs } from '@cabstand/service-defaults';
import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { PassengerTrip } from './passenger-trip.entity.ts';
import { Passenger } from './passenger.entity.ts';

/** Longer than any event can be late: the inbox and every queue have forgotten the trip by then. */
const TOMBSTONES_KEPT = '30 days';
const PRUNE_EVERY_MS = 60 * 60_000;

/** Whether the passenger has a trip that is not over, as far as this service has heard. */
export const isUnderWay = (tx: EntityManager, passengerId: string): Promise<boolean> =>
  tx.getRepository(PassengerTrip).existsBy({ passengerId, underWay: true });

/** What this service makes of trip facts, which may arrive in any order. */
@Injectable()
export class PassengerTripService implements OnApplicationBootstrap {
  constructor(
    private readonly dataSource: DataSource,
    private readonly sessions: Sessions,
    private readonly jobs: Jobs,
  ) {}

  onApplicationBootstrap(): void {
    this.jobs.every(PRUNE_EVERY_MS, 'prune-passenger-trips', () =>
      this.dataSource.query(
        `DELETE FROM passenger_trips WHERE NOT under_way AND updated_at < now() - interval '${TOMBSTONES_KEPT}'`,
      ),
    );
  }

  /** The trip was requested (`underWay`) or has ended. */
  async record(
    tx: EntityManager,
    trip: { tripId: string; passengerId: string; underWay: boolean; sequence: number },
  ): Promise<void> {
    // Suspending and erasing take the same lock: they see the trip either whole or not at all.
    const passenger = await lockPassenger(tx, trip.passengerId);
    await tx.query(
      `INSERT INTO passenger_trips (trip_id, passenger_id, under_way, sequence) VALUES ($1, $2, $3, $4)
       ON CONFLICT (trip_id) DO UPDATE SET under_way = excluded.under_way, sequence = excluded.sequence, updated_at = now()
         WHERE passenger_trips.sequence < excluded.sequence`,
      [trip.tripId, trip.passengerId, trip.underWay, trip.sequence],
    );
    const suspensionIsDue = passenger?.suspendedAt && !(await isUnderWay(tx, passenger.id));
    if (suspensionIsDue) await this.sessions.revokeAll(tx, passenger.id, 'suspended');
  }

  /** A driver rated the passenger. Sums don't mind the order, and the inbox lets each rating through once. */
  async rate(tx: EntityManager, { rateeRole, rateeId, stars }: TripRated): Promise<void> {
    if (rateeRole !== 'passenger') return;
    await tx.query(
      'UPDATE passengers SET stars_total = stars_total + $2, ratings_count = ratings_count + 1 WHERE id = $1',
      [rateeId, stars],
    );
  }
}

export const lockPassenger = (tx: EntityManager, id: string): Promise<Passenger | null> =>
  tx.getRepository(Passenger).findOne({ where: { id }, lock: { mode: 'pessimistic_write' } });
