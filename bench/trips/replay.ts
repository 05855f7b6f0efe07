import { SERVICES, type ServiceName } from '@cabstand/contracts';
import pg from 'pg';
import { perService, type PerService } from '../../apps/e2e/src/per-service.ts';
import type { Platform } from '../../apps/e2e/src/platform.ts';
import { withAdmin } from '../../infra/index.ts';
import { nowMs } from '../harness/machine.ts';
import { isRelays } from './recording.ts';
import { idsIn, type Statement, type Transaction } from './statement-log.ts';

/** As DATABASE_POOL_SIZE has it by default. */
const CONNECTIONS = 10;
/** What a relay says of its session (libs/messaging, outbox-reader.ts), which is no statement. */
const RELAY_SESSION = [
  'synchronous_commit=off',
  ...['seqscan', 'bitmapscan', 'sort', 'hashjoin', 'mergejoin'].map((way) => `enable_${way}=off`),
];

/** Of what was recorded on them, so much has to be there again after a replay. */
const DONE: PerService<string> = {
  passenger: 'SELECT count(*)::int FROM passenger_trips WHERE NOT under_way',
  driver: `SELECT count(*)::int FROM offers JOIN dispatches USING (trip_id) WHERE offers.status = 'accepted' AND trip_status = 'completed'`,
  trip: `SELECT count(*)::int FROM trips WHERE status = 'completed'`,
};

const snapshot = (service: ServiceName) => `snapshot_${service}`;
const replayed = (service: ServiceName) => `replayed_${service}`;

/** Copies of the databases as they are now. Nobody may be connected to them. */
export async function takeSnapshots(adminUrl: string, { databases }: Platform): Promise<void> {
  await withAdmin(adminUrl, async (admin) => {
    for (const service of SERVICES) {
      const source = admin.escapeIdentifier(new URL(databases[service].url).pathname.slice(1));
      await admin.query(`CREATE DATABASE ${snapshot(service)} TEMPLATE ${source}`);
    }
  });
}

/** What is in them belongs to the services' roles, which can't go before. */
export async function dropSnapshots(adminUrl: string): Promise<void> {
  await withAdmin(adminUrl, async (admin) => {
    for (const name of SERVICES.flatMap((service) => [snapshot(service), replayed(service)]))
      await admin.query(`DROP DATABASE IF EXISTS ${name}`);
  });
}

/** Runs recorded transactions again, on copies of the databases as they were, and answers how long that took. */
export class Replay {
  readonly #adminUrl: string;
  readonly #transactions: PerService<Transaction[]>;
  readonly #trips: number;

  /** @param trips how many are completed in it */
  constructor(adminUrl: string, platform: Platform, transactions: readonly Transaction[], trips: number) {
    this.#adminUrl = adminUrl;
    this.#trips = trips;
    this.#transactions = perService((service) => {
      const name = new URL(platform.databases[service].url).pathname.slice(1);
      return transactions.filter(({ database }) => database === name);
    });
  }

  /** Trips a second. */
  async run(): Promise<number> {
    await withAdmin(this.#adminUrl, async (admin) => {
      for (const service of SERVICES) {
        await admin.query(`DROP DATABASE IF EXISTS ${replayed(service)}`);
        await admin.query(`CREATE DATABASE ${replayed(service)} TEMPLATE ${snapshot(service)}`);
      }
    });
    const sessions = await Promise.all(SERVICES.map((service) => Sessions.open(this.#urlOf(service))));
    try {
      const before = await Promise.all(SERVICES.map((service, i) => sessions[i]!.count(DONE[service])));
      const startedAtMs = nowMs();
      await Promise.all(SERVICES.map((service, i) => sessions[i]!.runAll(this.#transactions[service])));
      const tookS = (nowMs() - startedAtMs) / 1_000;
      for (const [i, service] of SERVICES.entries()) {
        const done = (await sessions[i]!.count(DONE[service])) - before[i]!;
        if (done !== this.#trips)
          throw new Error(`replayed, ${done} trips are over in the ${service} service's database, not ${this.#trips}`);
      }
      return this.#trips / tookS;
    } finally {
      await Promise.all(sessions.map((each) => each.close()));
    }
  }

  #urlOf(service: ServiceName): string {
    const url = new URL(this.#adminUrl);
    url.pathname = `/${replayed(service)}`;
    return url.href;
  }
}

/** A service's connections to its database, without the service. */
class Sessions {
  readonly #pool: pg.Pool;
  readonly #relay: pg.Client;

  private constructor(url: string) {
    this.#pool = new pg.Pool({ connectionString: url, max: CONNECTIONS });
    const options = RELAY_SESSION.map((setting) => `-c ${setting}`).join(' ');
    this.#relay = new pg.Client({ connectionString: url, options });
  }

  static async open(url: string): Promise<Sessions> {
    const sessions = new Sessions(url);
    const open = await Promise.all(Array.from({ length: CONNECTIONS }, () => sessions.#pool.connect()));
    for (const client of open) client.release();
    await sessions.#relay.connect();
    return sessions;
  }

  async count(sql: string): Promise<number> {
    return (await this.#pool.query<{ count: number }>(sql)).rows[0]!.count;
  }

  /**
   * As many at once as there are connections, but each after those before it that name one of the same ids: a trip goes
   * through its states in order. A relay goes on when everything is in the outbox that was there when it was recorded.
   */
  async runAll(transactions: readonly Transaction[]): Promise<void> {
    const last = new Map<string, Promise<void>>();
    const written: Promise<void>[] = [];
    let relayed = Promise.resolve();
    for (const transaction of transactions) {
      if (isRelays(transaction)) {
        relayed = Promise.all([relayed, ...written.splice(0)]).then(() => runOn(this.#relay, transaction));
        continue;
      }
      const ids = [...idsIn(transaction)];
      const done = Promise.all(ids.flatMap((id) => last.get(id) ?? [])).then(() => this.#run(transaction));
      for (const id of ids) last.set(id, done);
      if (transaction.statements.some(({ text }) => text.startsWith('INSERT INTO outbox'))) written.push(done);
    }
    await Promise.all([relayed, ...written, ...last.values()]);
  }

  async close(): Promise<void> {
    await Promise.all([this.#pool.end(), this.#relay.end()]);
  }

  async #run(transaction: Transaction): Promise<void> {
    const client = await this.#pool.connect();
    try {
      await runOn(client, transaction);
    } finally {
      client.release();
    }
  }
}

async function runOn(client: pg.ClientBase, { statements }: Transaction): Promise<void> {
  for (const statement of statements) {
    try {
      await client.query(statement);
    } catch (error) {
      throw new Error(`replaying ${outline(statement)}: ${(error as Error).message}`, { cause: error });
    }
  }
}

const outline = ({ text }: Statement) => text.replaceAll(/\s+/g, ' ').slice(0, 120);
