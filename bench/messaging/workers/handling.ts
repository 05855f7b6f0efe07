import { InboxMessage } from '@cabstand/messaging';
import type { DataSource, EntityManager } from 'typeorm';
import type { RideNoted } from '../event.ts';
import { INSERT_INBOX, INSERT_SEEN_RIDE, SeenRide } from '../tables.ts';
import { openDatabase } from './database.ts';
import { Tally } from './measuring.ts';

/** Messages that a reference takes ahead: enough that its 20 database connections never wait for one. */
export const PREFETCH = 200;

/**
 * How a reference's handler has its effect once, in one transaction for each event:
 * - `entities`: by TypeORM's entities, as Nest's and TypeORM's documentation show it (with `insert`, which is cheaper than
 *   their `save`)
 * - `sql`: by hand-written SQL
 */
export type InboxKind = 'none' | 'entities' | 'sql';

/** What a reference's handler does with an event: nothing, or what the library's does. */
export class Handling {
  private inbox: InboxKind = 'none';
  private readonly tally = new Tally();

  private constructor(private readonly dataSource: DataSource) {}

  static async open(databaseUrl: string): Promise<Handling> {
    return new Handling(await openDatabase(databaseUrl));
  }

  async handle(ride: RideNoted): Promise<void> {
    if (this.inbox !== 'none') await this.dataSource.transaction(this.inbox === 'sql' ? bySql(ride) : byEntities(ride));
    this.tally.handled(ride.rideId);
  }

  readonly commands = {
    ...this.tally.commands,
    useInbox: ({ inbox }: { inbox: InboxKind }) => void (this.inbox = inbox),
  };
}

// A reference has one event for each ride.
const byEntities =
  ({ rideId, note }: RideNoted) =>
  async (tx: EntityManager): Promise<void> => {
    const insert = tx.createQueryBuilder().insert().into(InboxMessage).values({ messageId: rideId }).orIgnore();
    const { raw } = await insert.returning('message_id').execute();
    if ((raw as unknown[]).length > 0) await tx.insert(SeenRide, { eventId: rideId, rideId, note });
  };
const bySql =
  ({ rideId, note }: RideNoted) =>
  async (tx: EntityManager): Promise<void> => {
    const recorded = (await tx.query(INSERT_INBOX, [rideId])) as unknown[];
    if (recorded.length > 0) await tx.query(INSERT_SEEN_RIDE, [rideId, rideId, note]);
  };
