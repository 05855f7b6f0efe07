import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Positions are looked up by when they were stored, no longer by place: that is in each replica's memory. A replica
 * of the release before finds drivers by reading the whole table, slowly but rightly.
 */
export class BufferPositions1780000000000 implements MigrationInterface {
  // Stands here because a bundler may rename the class.
  readonly name = 'BufferPositions1780000000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('CREATE INDEX positions_stored_at ON positions (stored_at)');
    await runner.query('DROP INDEX positions_place');
    await runner.query('ALTER TABLE availability ADD online_at timestamptz NOT NULL DEFAULT now()');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE availability DROP online_at');
    await runner.query('CREATE INDEX positions_place ON positions (lat, lng)');
    await runner.query('DROP INDEX positions_stored_at');
  }
}
