import type { MigrationInterface, QueryRunner } from 'typeorm';

export class CreateRateLimits1700000005000 implements MigrationInterface {
  readonly name = 'CreateRateLimits1700000005000';

  async up(runner: QueryRunner): Promise<void> {
    // Not worth logging ahead: a crash of the server forgets a few minutes' counts. Ids are hashes of who called.
    await runner.query(
      `CREATE UNLOGGED TABLE rate_limits (id text PRIMARY KEY, calls int NOT NULL, ends_at timestamptz NOT NULL)`,
    );
    await runner.query(`CREATE INDEX rate_limits_ends_at ON rate_limits (ends_at)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE rate_limits`);
  }
}
