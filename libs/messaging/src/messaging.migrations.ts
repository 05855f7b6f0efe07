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

/** Creates the tables of `messagingEntities`; runs before the service's own migrations. */
export const messagingMigrations = [Messaging1700000000000];
