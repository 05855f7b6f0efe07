import { sealTable } from '@cabstand/service-defaults';
import type { MigrationInterface, QueryRunner } from 'typeorm';

export class SealDrivers1770000000000 implements MigrationInterface {
  // Stands here because a bundler may rename the class.
  readonly name = 'SealDrivers1770000000000';

  async up(runner: QueryRunner): Promise<void> {
    const columns = ['email', 'name', 'phone', 'licence_number', 'vehicle'];
    await sealTable(runner, { table: 'drivers', columns, indexed: { column: 'email', index: 'email_index' } });
  }

  async down(): Promise<void> {
    throw new Error('people are not put back in clear; restore a backup instead');
  }
}
