import type { MigrationInterface, QueryRunner } from 'typeorm';

const TRIP_COLUMNS = `
  sequence int NOT NULL,
  status text NOT NULL,
  quote_id uuid NOT NULL,
  passenger_issuer text NOT NULL,
  passenger_id uuid NOT NULL,
  driver_issuer text,
  driver_id uuid,
  pickup jsonb NOT NULL,
  dropoff jsonb NOT NULL,
  fare_minor bigint NOT NULL,
  currency text NOT NULL,
  distance_m int NOT NULL,
  duration_s int NOT NULL,
  requested_at timestamptz NOT NULL,
  accepted_at timestamptz,
  arrived_at timestamptz,
  started_at timestamptz,
  completed_at timestamptz,
  cancelled_at timestamptz,
  cancelled_by text`;

export class CreateTrips1760000000000 implements MigrationInterface {
  // Stands here because a bundler may rename the class.
  name = 'CreateTrips1760000000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE quotes (
        id uuid PRIMARY KEY,
        passenger_issuer text NOT NULL,
        passenger_id uuid NOT NULL,
        pickup jsonb NOT NULL,
        dropoff jsonb NOT NULL,
        fare_minor bigint NOT NULL,
        currency text NOT NULL,
        distance_m int NOT NULL,
        duration_s int NOT NULL,
        distance_source text NOT NULL,
        expires_at timestamptz NOT NULL,
        used_at timestamptz
      )`);
    await queryRunner.query('CREATE INDEX quotes_expires_at ON quotes (expires_at)');

    await queryRunner.query(`CREATE TABLE trips (id uuid PRIMARY KEY, ${TRIP_COLUMNS}, cancel_reason text)`);
    // P6, kept by the database whatever the code does: one active trip per passenger, one trip under way per driver.
    await queryRunner.query(`
      CREATE UNIQUE INDEX trips_active_passenger ON trips (passenger_issuer, passenger_id)
      WHERE status IN ('requested', 'accepted', 'arrived', 'in_progress')`);
    await queryRunner.query(`
      CREATE UNIQUE INDEX trips_active_driver ON trips (driver_id)
      WHERE status IN ('accepted', 'arrived', 'in_progress')`);
    // Ids are UUIDv7, so these list each side's trips by age.
    await queryRunner.query('CREATE INDEX trips_passenger_id ON trips (passenger_id, id)');
    await queryRunner.query('CREATE INDEX trips_driver_id ON trips (driver_id, id)');
    await queryRunner.query(`CREATE INDEX trips_waiting ON trips (requested_at) WHERE status = 'requested'`);

    await queryRunner.query(`
      CREATE TABLE trip_history (id uuid NOT NULL, ${TRIP_COLUMNS}, PRIMARY KEY (id, sequence))`);

    await queryRunner.query(`
      CREATE TABLE ratings (
        trip_id uuid NOT NULL,
        rater_role text NOT NULL,
        rater_id uuid NOT NULL,
        ratee_role text NOT NULL,
        ratee_id uuid NOT NULL,
        stars int NOT NULL CHECK (stars BETWEEN 1 AND 5),
        comment text,
        rated_at timestamptz NOT NULL,
        PRIMARY KEY (trip_id, rater_role)
      )`);
    await queryRunner.query('CREATE INDEX ratings_rater_id ON ratings (rater_id)');
    await queryRunner.query('CREATE INDEX ratings_ratee_id ON ratings (ratee_id)');

    await queryRunner.query(`
      CREATE TABLE passengers (
        id uuid PRIMARY KEY,
        first_name text,
        suspended boolean NOT NULL DEFAULT false,
        profile_sequence int NOT NULL DEFAULT 0,
        standing_sequence int NOT NULL DEFAULT 0
      )`);
    await queryRunner.query(`
      CREATE TABLE drivers (
        id uuid PRIMARY KEY,
        first_name text,
        vehicle jsonb,
        suspended boolean NOT NULL DEFAULT false,
        profile_sequence int NOT NULL DEFAULT 0,
        standing_sequence int NOT NULL DEFAULT 0,
        stars_total int NOT NULL DEFAULT 0,
        ratings_count int NOT NULL DEFAULT 0
      )`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE drivers, passengers, ratings, trip_history, trips, quotes');
  }
}
