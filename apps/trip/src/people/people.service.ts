import { DomainError, type PassengerUpdated, type Vehicle } from '@cabstand/contracts';
import { DeadLetterOffice } from '@cabstand/messaging';
import { forgetAnswersAbout, PersonalData } from '@cabstand/service-defaults';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Passenger } from './passenger.entity.ts';

/** Nothing is newer than an erasure: no profile that arrives late brings the person back. */
const ERASED_SEQUENCE = 2 ** 31 - 1;

export interface DriverProfile {
  driverId: string;
  firstName: string;
  vehicle: Vehicle;
}

/**
 * The read models of passengers and drivers. Events come in any order, so each row remembers the newest of them;
 * profile and standing apart, because the newest profile says nothing of a suspension.
 */
@Injectable()
export class PeopleService {
  constructor(
    private readonly personalData: PersonalData,
    private readonly deadLetters: DeadLetterOffice,
  ) {}

  passengerProfile(tx: EntityManager, { passengerId, firstName }: PassengerUpdated, sequence: number) {
    const profile = this.personalData.sealed('passengers', passengerId, { first_name: firstName });
    return keepNewest(tx, 'passengers', passengerId, 'profile_sequence', sequence, profile);
  }

  driverProfile(tx: EntityManager, { driverId, firstName, vehicle }: DriverProfile, sequence: number) {
    const profile = this.personalData.sealed('drivers', driverId, { first_name: firstName, vehicle });
    return keepNewest(tx, 'drivers', driverId, 'profile_sequence', sequence, profile);
  }

  passengerStanding(tx: EntityManager, passengerId: string, suspended: boolean, sequence: number) {
    return keepNewest(tx, 'passengers', passengerId, 'standing_sequence', sequence, { suspended });
  }

  driverStanding(tx: EntityManager, driverId: string, suspended: boolean, sequence: number) {
    return keepNewest(tx, 'drivers', driverId, 'standing_sequence', sequence, { suspended });
  }

  /** The name goes, and whatever anybody wrote on the passenger's trips. The trips stay: money was owed for them. */
  async erasePassenger(tx: EntityManager, passengerId: string): Promise<void> {
    await keepNewest(tx, 'passengers', passengerId, 'profile_sequence', ERASED_SEQUENCE, {
      first_name: null,
      data_key: null,
    });
    await tx.query('UPDATE trips SET cancel_reason = NULL, data_key = NULL WHERE passenger_id = $1', [passengerId]);
    await eraseComments(tx, passengerId);
    await this.deadLetters.forget(tx, passengerId);
  }

  async eraseDriver(tx: EntityManager, driverId: string): Promise<void> {
    await tx.query('UPDATE trips SET cancel_reason = NULL, data_key = NULL WHERE driver_id = $1', [driverId]);
    await eraseComments(tx, driverId);
    await this.deadLetters.forget(tx, driverId);
    const nobody = { first_name: null, vehicle: null, data_key: null };
    await keepNewest(tx, 'drivers', driverId, 'profile_sequence', ERASED_SEQUENCE, nobody);
  }

  /**
   * The passenger who wants a trip; null when no event has told of them yet, which is no reason to refuse. Stays as
   * it is until the transaction ends: whoever erases the passenger next finds the trip.
   * @throws DomainError ACCOUNT_SUSPENDED, TOKEN_INVALID when the account is gone and its session soon will be
   */
  async passengerInGoodStanding(tx: EntityManager, passengerId: string): Promise<Passenger | null> {
    const passenger = await tx.findOne(Passenger, { where: { id: passengerId }, lock: { mode: 'pessimistic_read' } });
    if (passenger?.profileSequence === ERASED_SEQUENCE) throw new DomainError('TOKEN_INVALID');
    if (passenger?.suspended) throw new DomainError('ACCOUNT_SUSPENDED');
    return passenger;
  }

  /** Counts a rating in the driver's average. */
  async addStars(tx: EntityManager, driverId: string, stars: number): Promise<void> {
    await tx.query(
      `INSERT INTO drivers AS known (id, stars_total, ratings_count) VALUES ($1, $2, 1)
       ON CONFLICT (id) DO UPDATE SET stars_total = known.stars_total + $2, ratings_count = known.ratings_count + 1`,
      [driverId, stars],
    );
  }
}

/** What was said on the person's trips goes, and the remembered answers that repeat it. */
async function eraseComments(tx: EntityManager, personId: string): Promise<void> {
  await tx.query('UPDATE ratings SET comment = NULL, data_key = NULL WHERE rater_id = $1 OR ratee_id = $1', [personId]);
  const trips = await tx.query<{ id: string }[]>('SELECT id FROM trips WHERE passenger_id = $1 OR driver_id = $1', [
    personId,
  ]);
  await forgetAnswersAbout(tx, [personId, ...trips.map(({ id }) => id)]);
}

/** Writes what an event told, unless something newer of the same kind has been told before. */
async function keepNewest(
  tx: EntityManager,
  table: 'passengers' | 'drivers',
  id: string,
  counter: 'profile_sequence' | 'standing_sequence',
  sequence: number,
  told: Record<string, unknown>,
): Promise<void> {
  const row = { ...told, [counter]: sequence };
  const columns = Object.keys(row);
  await tx.query(
    `INSERT INTO ${table} AS known (id, ${columns.join(', ')})
     VALUES ($1, ${columns.map((_, i) => `$${i + 2}`).join(', ')})
     ON CONFLICT (id) DO UPDATE SET ${columns.map((column) => `${column} = EXCLUDED.${column}`).join(', ')}
     WHERE known.${counter} < EXCLUDED.${counter}`,
    [id, ...Object.values(row)],
  );
}
