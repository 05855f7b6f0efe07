import type { MigrationInterface, QueryRunner } from 'typeorm';

export class PriceSurges1780000000001 implements MigrationInterface {
  // Stands here because a bundler may rename the class.
  readonly name = 'PriceSurges1780000000001';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE supply (
        cell text PRIMARY KEY, free_drivers int NOT NULL, sequence int NOT NULL, heard_at timestamptz NOT NULL)`);
    await runner.query('ALTER TABLE quotes ADD surge jsonb');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE quotes DROP surge');
    await runner.query('DROP TABLE supply');
  }
}
