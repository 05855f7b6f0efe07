import { SetMetadata, type Type } from '@nestjs/common';
import type { EntitySchema, MigrationInterface, QueryRunner } from 'typeorm';

const IDEMPOTENT = 'cabstand:idempotent';

/** Marks a POST as repeatable with an `Idempotency-Key` header. */
export const Idempotent = () => SetMetadata(IDEMPOTENT, true);

class CreateIdempotencyKeys1700000300000 implements MigrationInterface {
  // Stands here because a bundler may rename the class.
  name = 'CreateIdempotencyKeys1700000300000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE idempotency_keys (
        scope text NOT NULL,
        key text NOT NULL,
        request_hash bytea NOT NULL,
        status int NOT NULL,
        body json,
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (scope, key)
      )`);
    await queryRunner.query('CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at)');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE idempotency_keys');
  }
}

/** None: the table is read and written with plain SQL. */
export const idempotencyEntities: (Type | EntitySchema)[] = [];
export const idempotencyMigrations: Type<MigrationInterface>[] = [CreateIdempotencyKeys1700000300000];
