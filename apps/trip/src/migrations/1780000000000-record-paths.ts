import type { MigrationInterface, QueryRunner } from 'typeorm';

export class RecordPaths1780000000000 implements MigrationInterface {
  // Stands here because a bundler may rename the class.
  readonly name = 'RecordPaths1780000000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE trip_path (
        trip_id uuid NOT NULL, slot int NOT NULL, lat double precision NOT NULL, lng double precision NOT NULL,
        at timestamptz NOT NULL, PRIMARY KEY (trip_id, slot))`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE trip_path');
  }
}
