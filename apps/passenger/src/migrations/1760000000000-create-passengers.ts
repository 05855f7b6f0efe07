import type { MigrationInterface, QueryRunner } from 'typeorm';

export class CreatePassengers1760000000000 implements MigrationInterface {
  // Stands here because a bundler may rename the class.
  readonly name = 'CreatePassengers1760000000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE passengers (
        id uuid PRIMARY KEY, issuer text NOT NULL, email text NOT NULL, password_hash text NOT NULL,
        name text NOT NULL, phone text NOT NULL, stars_total int NOT NULL DEFAULT 0, ratings_count int NOT NULL DEFAULT 0,
        suspended_at timestamptz, sequence int NOT NULL, created_at timestamptz NOT NULL,
        CONSTRAINT passengers_email UNIQUE (email))`);
    // No foreign key: events may come before, or after, the account they are about.
    await runner.query(`
      CREATE TABLE passenger_trips (
        trip_id uuid PRIMARY KEY, passenger_id uuid NOT NULL, under_way boolean NOT NULL, sequence int NOT NULL,
        updated_at timestamptz NOT NULL DEFAULT now())`);
    await runner.query('CREATE INDEX passenger_trips_under_way ON passenger_trips (passenger_id) WHERE under_way');
    await runner.query('CREATE INDEX passenger_trips_over ON passenger_trips (updated_at) WHERE NOT under_way');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE passenger_trips, passengers');
  }
}
