import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Messaging1700000000000 implements MigrationInterface {
  // Bundlers rename classes; what is recorded as applied must not depend on that.
  readonly name = 'Messaging1700000000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE "outbox" (
        "position" bigint GENERATED ALWAYS AS IDENTITY NOT NULL, "id" uuid NOT NULL, "partition" smallint NOT NULL,
        "exchange" text NOT NULL, "type" text NOT NULL, "subject" uuid NOT NULL, "sequence" integer NOT NULL,
        "payload" text NOT NULL, "traceparent" text, "occurred_at" timestamptz NOT NULL, "mandatory" boolean NOT NULL,
        "refused_at" timestamptz, CONSTRAINT "outbox_pkey" PRIMARY KEY ("position"));
      CREATE INDEX "outbox_fresh" ON "outbox" ("partition", "position") WHERE refused_at IS NULL;
      CREATE INDEX "outbox_refused" ON "outbox" ("partition", "refused_at") WHERE refused_at IS NOT NULL;
      CREATE INDEX "outbox_refused_subject" ON "outbox" ("subject") WHERE refused_at IS NOT NULL`);
    await runner.query(`
      CREATE TABLE "inbox" (
        "message_id" uuid NOT NULL, "received_at" timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT "inbox_pkey" PRIMARY KEY ("message_id"));
      CREATE INDEX "inbox_received_at" ON "inbox" ("received_at")`);
    await runner.query(`
      CREATE TABLE "dead_letters" (
        "id" uuid NOT NULL, "queue" text NOT NULL, "message_id" text, "type" text, "reason" text NOT NULL,
        "detail" text, "attempts" integer NOT NULL, "history" jsonb NOT NULL, "properties" jsonb NOT NULL,
        "body" bytea NOT NULL, "dead_at" timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT "dead_letters_pkey" PRIMARY KEY ("id"));
      CREATE INDEX "dead_letters_queue_dead_at" ON "dead_letters" ("queue", "dead_at")`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE "dead_letters", "inbox", "outbox"`);
  }
}

/**
 * Tells at once whether an aggregate has an earlier row, refused or not. The space of what was published is taken
 * back before the next backlog grows the table.
 */
export class FindOutboxBySubject1700000000100 implements MigrationInterface {
  readonly name = 'FindOutboxBySubject1700000000100';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE INDEX "outbox_subject" ON "outbox" ("subject");
      DROP INDEX "outbox_refused_subject";
      ALTER TABLE "outbox" SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE "outbox" RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold);
      CREATE INDEX "outbox_refused_subject" ON "outbox" ("subject") WHERE refused_at IS NOT NULL;
      DROP INDEX "outbox_subject"`);
  }
}

class SealDeadLetters1770000000100 implements MigrationInterface {
  readonly name = 'SealDeadLetters1770000000100';

  async up(runner: QueryRunner): Promise<void> {
    // Those that are there stay as they are, and go when an operator has dealt with them.
    await runner.query('ALTER TABLE dead_letters ADD sealed boolean NOT NULL DEFAULT false');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DELETE FROM dead_letters WHERE sealed; ALTER TABLE dead_letters DROP sealed');
  }
}

/** Creates the tables of `messagingEntities`; runs before the service's own migrations. */
export const messagingMigrations = [
  Messaging1700000000000,
  FindOutboxBySubject1700000000100,
  SealDeadLetters1770000000100,
];
