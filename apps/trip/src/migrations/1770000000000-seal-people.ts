import { sealTable } from '@cabstand/service-defaults';
import type { MigrationInterface, QueryRunner } from 'typeorm';

export class SealPeople1770000000000 implements MigrationInterface {
  // Stands here because a bundler may rename the class.
  readonly name = 'SealPeople1770000000000';

  async up(runner: QueryRunner): Promise<void> {
    await sealTable(runner, { table: 'passengers', columns: ['first_name'], optional: ['first_name'] });
    await sealTable(runner, {
      table: 'drivers',
      columns: ['first_name', 'vehicle'],
      optional: ['first_name', 'vehicle'],
    });
    await sealTable(runner, { table: 'trips', columns: ['cancel_reason'], optional: ['cancel_reason'] });
    const primaryKey = ['trip_id', 'rater_role'];
    await sealTable(runner, { table: 'ratings', primaryKey, columns: ['comment'], optional: ['comment'] });
  }

  async down(): Promise<void> {
    throw new Error('people are not put back in clear; restore a backup instead');
  }
}
