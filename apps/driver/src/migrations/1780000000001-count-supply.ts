import type { MigrationInterface, QueryRunner } from 'typeorm';

export class CountSupply1780000000001 implements MigrationInterface {
  // Stands here because a bundler may rename the class.
  readonly name = 'CountSupply1780000000001';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE supply (
        cell text PRIMARY KEY, id uuid NOT NULL, free_drivers int NOT NULL, sequence int NOT NULL,
        published_at timestamptz NOT NULL)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE supply');
  }
}
