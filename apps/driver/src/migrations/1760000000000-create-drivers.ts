import type { MigrationInterface, QueryRunner } from 'typeorm';

export class CreateDrivers1760000000000 implements MigrationInterface {
  // Stands here because a bundler may rename the class.
  readonly name = 'CreateDrivers1760000000000';

  async up(runner: QueryRunner): Promise<void> {
    await this.createAccounts(runner);
    await this.createDispatch(runner);
    await this.createPositions(runner);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE driver_stream, positions, offers, dispatches, availability, drivers');
  }

  private async createAccounts(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE drivers (
        id uuid PRIMARY KEY, issuer text NOT NULL, email text NOT NULL, password_hash text NOT NULL, name text NOT NULL,
        phone text NOT NULL, licence_number text NOT NULL, vehicle jsonb NOT NULL,
        stars_total int NOT NULL DEFAULT 0, ratings_count int NOT NULL DEFAULT 0,
        sequence int NOT NULL, created_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT drivers_email UNIQUE (email))`);
    await runner.query(`
      CREATE TABLE availability (
        driver_id uuid PRIMARY KEY REFERENCES drivers ON DELETE CASCADE, driver_issuer text NOT NULL,
        status text NOT NULL CHECK (status IN ('offline', 'online')),
        suspended boolean NOT NULL DEFAULT false, reserved_trip_id uuid, reserved_as text CHECK (reserved_as IN ('offer', 'trip')),
        stream_sequence bigint NOT NULL DEFAULT 0,
        CHECK ((reserved_trip_id IS NULL) = (reserved_as IS NULL)))`);
    await runner.query(`
      CREATE UNIQUE INDEX availability_reserved_trip ON availability (reserved_trip_id) WHERE reserved_trip_id IS NOT NULL`);
  }

  private async createDispatch(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE dispatches (
        trip_id uuid PRIMARY KEY,
        status text NOT NULL CHECK (status IN ('searching', 'offered', 'accepted', 'exhausted', 'closed')),
        pickup_lat double precision, pickup_lng double precision, dropoff_lat double precision, dropoff_lng double precision,
        fare_minor bigint, currency text, refusals int NOT NULL DEFAULT 0, sequence int NOT NULL DEFAULT 0,
        trip_status text NOT NULL, trip_sequence int NOT NULL,
        deadline_at timestamptz NOT NULL, look_at timestamptz NOT NULL,
        CHECK (status NOT IN ('searching', 'offered') OR pickup_lat IS NOT NULL))`);
    await runner.query(`
      CREATE INDEX dispatches_look_at ON dispatches (look_at) WHERE status IN ('searching', 'offered')`);
    await runner.query(`
      CREATE TABLE offers (
        id uuid PRIMARY KEY, trip_id uuid NOT NULL REFERENCES dispatches, driver_issuer text NOT NULL, driver_id uuid NOT NULL,
        status text NOT NULL CHECK (status IN ('open', 'accepted', 'declined', 'expired', 'withdrawn')),
        pickup_distance_m int NOT NULL, offered_at timestamptz NOT NULL, expires_at timestamptz NOT NULL, settled_at timestamptz,
        CONSTRAINT offers_once UNIQUE (trip_id, driver_id))`);
    // What the locks already guarantee, said once more where no bug can get around it (P6).
    await runner.query(`CREATE UNIQUE INDEX offers_one_open_per_driver ON offers (driver_id) WHERE status = 'open'`);
    await runner.query(`
      CREATE UNIQUE INDEX offers_one_standing_per_trip ON offers (trip_id) WHERE status IN ('open', 'accepted')`);
    await runner.query('CREATE INDEX offers_driver_id ON offers (driver_id, offered_at)');
  }

  private async createPositions(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE positions (
        driver_id uuid PRIMARY KEY, lat double precision NOT NULL, lng double precision NOT NULL,
        heading_deg real, speed_mps real, at timestamptz NOT NULL,
        suspect_lat double precision, suspect_lng double precision, suspect_at timestamptz,
        stored_at timestamptz NOT NULL DEFAULT now())`);
    await runner.query('CREATE INDEX positions_place ON positions (lat, lng)');
    await runner.query(`
      CREATE TABLE driver_stream (
        driver_id uuid NOT NULL, sequence bigint NOT NULL, event text NOT NULL, data jsonb NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (driver_id, sequence))`);
    await runner.query('CREATE INDEX driver_stream_created_at ON driver_stream (created_at)');
  }
}
