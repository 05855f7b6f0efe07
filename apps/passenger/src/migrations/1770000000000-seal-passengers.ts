import { sealTable } from '@cabstand/service-defaults';
import type { MigrationInterface, QueryRunner } from 'typeorm';

export class SealPassengers1770000000000 implements MigrationInterface {
  // Stands here because a bundler may rename the class.
  readonly name = 'SealPassengers1770000000000';

  async up(runner: QueryRunner): Promise<void> {
    const indexed = { column: 'email', index: 'email_index' };
    await sealTable(runner, { table: 'passengers', columns: ['email', 'name', 'phone'], indexed });
  }

  async down(): Promise<void> {
    throw new Error('people are not put back in clear; restore a backup instead');
  }
}
