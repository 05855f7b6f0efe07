import 'reflect-metadata';
import { MessagingModule, Outbox, Transactions, type MessagingOptions } from '@cabstand/messaging';
import { NestFactory } from '@nestjs/core';
import type { EntityManager } from 'typeorm';
import { nowMs } from '../../harness/machine.ts';
import { serve } from '../../harness/worker.ts';
import { EVENTS, RideMarked, RideNoted, rideNoted } from '../event.ts';
import { INSERT_RIDE } from '../tables.ts';
import { DatabaseModule, openDatabase } from './database.ts';
import { paced, usage, written, type Pace, type Writing } from './measuring.ts';

export interface ServiceSettings {
  databaseUrl: string;
  amqpUrl: string;
  managementUrl: string;
  /** What a run changes of the library's own settings. */
  options?: Partial<Pick<MessagingOptions, 'inboxKeepMs' | 'pruneEveryMs'>>;
}

export interface Backlog {
  rideIds: string[];
  bodyBytes: number;
  /** For an ordinary handler, that is one event at a time. */
  ordinary: boolean;
}

/** The publishing service as in production, without its HTTP side. */
serve(async ({ databaseUrl, amqpUrl, managementUrl }: ServiceSettings) => {
  const dataSource = await openDatabase(databaseUrl);
  await dataSource.runMigrations();
  const messaging = MessagingModule.forRoot({ service: 'trip', amqpUrl, managementUrl, events: EVENTS });
  const module = { module: DatabaseModule, imports: [DatabaseModule.with(dataSource), messaging] };
  const app = await NestFactory.createApplicationContext(module, { logger: ['error', 'warn'] });
  const transactions = app.get(Transactions);
  const outbox = app.get(Outbox);

  async function noteRide(tx: EntityManager, ride: RideNoted): Promise<void> {
    await tx.query(INSERT_RIDE, [ride.rideId, ride.note]);
    await outbox.add(tx, RideNoted, ride, 1);
  }

  return {
    /** Rows as the outbox writes them, one for each ride, for making a backlog of. Nothing of it is committed. */
    templates: async ({ rideIds, bodyBytes, ordinary }: Backlog) => {
      const runner = dataSource.createQueryRunner();
      await runner.startTransaction();
      try {
        for (const rideId of rideIds)
          await outbox.add(runner.manager, ordinary ? RideMarked : RideNoted, rideNoted(rideId, bodyBytes), 1);
        const rows = (await runner.query('SELECT to_jsonb(outbox) AS row FROM outbox WHERE subject = ANY($1)', [
          rideIds,
        ])) as {
          row: Record<string, unknown>;
        }[];
        return rows.map(({ row }) => row);
      } finally {
        await runner.rollbackTransaction();
        await runner.release();
      }
    },
    publishOne: ({ rideId, bodyBytes }: { rideId: string; bodyBytes: number }) =>
      transactions.run((tx) => noteRide(tx, rideNoted(rideId, bodyBytes))),
    write: ({ withEvents, bodyBytes, ...writing }: Writing & { withEvents: boolean; bodyBytes: number }) =>
      written(writing, (id) => {
        const ride = rideNoted(id, bodyBytes);
        return transactions.run((tx) =>
          withEvents ? noteRide(tx, ride) : tx.query<void>(INSERT_RIDE, [ride.rideId, ride.note]),
        );
      }),
    paced: (pace: Pace) =>
      paced(pace, async (id) => {
        let committedAt = NaN;
        await transactions.run((tx) => {
          // First of what is done after the commit: publishing may follow at once.
          transactions.afterCommit(() => (committedAt = nowMs()));
          return noteRide(tx, rideNoted(id));
        });
        return committedAt;
      }),
    usage,
  };
});
