import type { DataSource } from 'typeorm';
import type { RideNoted } from '../event.ts';
import { INSERT_INBOX, INSERT_SEEN_RIDE } from '../tables.ts';
import { openDatabase } from './database.ts';
import { Tally } from './measuring.ts';

/** Messages that a reference takes ahead: enough that its 20 database connections never wait for one. */
export const PREFETCH = 200;

/** What a reference's handler does with an event: nothing, or what the library's does, one transaction for each. */
export class Handling {
  private withInbox = false;
  private readonly tally = new Tally();

  private constructor(private readonly dataSource: DataSource) {}

  static async open(databaseUrl: string): Promise<Handling> {
    return new Handling(await openDatabase(databaseUrl));
  }

  async handle(ride: RideNoted): Promise<void> {
    if (this.withInbox) {
      await this.dataSource.transaction(async (tx) => {
        // A reference has one event for each ride.
        const recorded = (await tx.query(INSERT_INBOX, [ride.rideId])) as unknown[];
        if (recorded.length > 0) await tx.query(INSERT_SEEN_RIDE, [ride.rideId, ride.rideId, ride.note]);
      });
    }
    this.tally.handled(ride.rideId);
  }

  readonly commands = {
    ...this.tally.commands,
    useInbox: ({ withInbox }: { withInbox: boolean }) => void (this.withInbox = withInbox),
  };
}
