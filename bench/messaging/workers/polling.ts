import { setTimeout as wait } from 'node:timers/promises';
import { connect, type ConfirmChannel } from 'amqplib';
import type { DataSource, EntityManager } from 'typeorm';
import { nowMs } from '../../harness/machine.ts';
import { serve, type Commands } from '../../harness/worker.ts';
import { rideNoted, type RideNoted } from '../event.ts';
import { INSERT_RIDE } from '../tables.ts';
import { openDatabase } from './database.ts';
import { Handling, PREFETCH } from './handling.ts';
import { paced, usage, written, type Pace, type Writing } from './measuring.ts';
import type { ReferenceSettings } from './raw.ts';

const EXCHANGE = 'polling.events';
const ROUTING_KEY = 'ride.noted';

interface Row {
  position: string;
  id: string;
  payload: RideNoted;
}
/**
 * - `typical`: takes up to 100 rows every 100 ms (at once, when there were 100), publishes one after the other, each when
 *   the one before it is confirmed, and marks all of them in the transaction that holds their locks.
 * - `naive`: looks once a second, and marks each row in a transaction of its own.
 */
export type Mode = 'typical' | 'naive';

const POLL_EVERY_MS: Record<Mode, number> = { typical: 100, naive: 1_000 };
const BATCH_ROWS: Record<Mode, number> = { typical: 100, naive: 1 };

/** The transactional outbox as it stands in many a codebase: the same guarantees as the library's, by polling. */
serve(async ({ amqpUrl, databaseUrl, role, queueArguments }: ReferenceSettings): Promise<Commands> => {
  const connection = await connect(amqpUrl, { noDelay: true });
  const channel = await connection.createConfirmChannel();
  await channel.assertExchange(EXCHANGE, 'topic', { durable: true });
  await channel.assertQueue('polling', { durable: true, arguments: queueArguments });
  await channel.bindQueue('polling', EXCHANGE, ROUTING_KEY);
  if (role === 'publisher') return publisherOf(await openDatabase(databaseUrl), channel);

  const handling = await Handling.open(databaseUrl);
  await channel.prefetch(PREFETCH);
  await channel.consume('polling', (message) => {
    if (!message) return;
    const ride = JSON.parse(message.content.toString()) as RideNoted;
    // Nothing acknowledges what fails: the run would not end, which is what a failure here should do.
    void handling.handle(ride).then(() => channel.ack(message));
  });
  return { ...handling.commands };
});

function publisherOf(dataSource: DataSource, channel: ConfirmChannel): Commands {
  let polling: { stop: AbortController; over: Promise<void> } | null = null;

  async function poll(mode: Mode, stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      const more = await publishBatch(dataSource, channel, mode);
      if (!more) await wait(POLL_EVERY_MS[mode], undefined, { signal: stop }).catch(() => undefined);
    }
  }
  async function noteRide(tx: EntityManager, ride: RideNoted): Promise<void> {
    await tx.query(INSERT_RIDE, [ride.rideId, ride.note]);
    await tx.query('INSERT INTO polled_outbox (id, type, payload) VALUES ($1, $2, $3)', [
      ride.rideId,
      ROUTING_KEY,
      ride,
    ]);
  }
  return {
    resume: ({ mode }: { mode: Mode }) => {
      const stop = new AbortController();
      polling = { stop, over: poll(mode, stop.signal) };
    },
    pause: () => {
      polling?.stop.abort();
      return polling?.over;
    },
    write: (writing: Writing) => written(writing, (id) => dataSource.transaction((tx) => noteRide(tx, rideNoted(id)))),
    paced: (pace: Pace) =>
      paced(pace, async (id) => {
        await dataSource.transaction((tx) => noteRide(tx, rideNoted(id)));
        return nowMs();
      }),
    usage,
  };
}

/** Answers whether there may be more. */
function publishBatch(dataSource: DataSource, channel: ConfirmChannel, mode: Mode): Promise<boolean> {
  const limit = BATCH_ROWS[mode];
  return dataSource.transaction(async (tx) => {
    const rows = (await tx.query(
      `SELECT position, id, payload FROM polled_outbox WHERE published_at IS NULL
       ORDER BY position LIMIT $1 FOR UPDATE SKIP LOCKED`,
      [limit],
    )) as Row[];
    for (const { id, payload } of rows) await publishOne(channel, id, payload);
    const positions = rows.map(({ position }) => position);
    await tx.query('UPDATE polled_outbox SET published_at = now() WHERE position = ANY($1::bigint[])', [positions]);
    return rows.length === limit;
  });
}

function publishOne(channel: ConfirmChannel, messageId: string, payload: RideNoted): Promise<void> {
  const body = Buffer.from(JSON.stringify(payload));
  return new Promise((resolve, reject) => {
    channel.publish(EXCHANGE, ROUTING_KEY, body, { persistent: true, messageId }, (error) =>
      error ? reject(error as Error) : resolve(),
    );
  });
}
