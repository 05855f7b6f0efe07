import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { Transactions } from '@cabstand/messaging';
import fc, { type Scheduler } from 'fast-check';
import type { ClientBase, QueryConfig } from 'pg';
import { DataSource, type QueryRunner } from 'typeorm';
import type { Platform } from './harness.ts';

/**
 * Lets the statements of several transactions run one at a time, in an order that fast-check chooses and, when a test
 * fails, shortens. What runs is real: statements go to PostgreSQL, which makes some of them wait for locks.
 */
export class Interleaving {
  private readonly current = new AsyncLocalStorage<string>();
  /** Actors between two statements or in one; the others are at the gate before their next, or done. */
  private readonly moving = new Set<string>();
  private scheduler!: Scheduler;

  constructor(private readonly platform: Platform) {
    for (const { app } of platform.services) {
      this.gate(app.get(DataSource, { strict: false }));
      // What is woken after a commit is no part of the actor who woke it.
      const transactions = app.get(Transactions, { strict: false });
      const afterCommit = transactions.afterCommit.bind(transactions);
      transactions.afterCommit = (fn) => afterCommit(() => this.current.exit(fn));
    }
  }

  /** A scheduler that lets the next actor move once the one before it is at a gate, at its end, or waits for a lock. */
  readonly order = () =>
    fc.scheduler({
      act: async (step) => {
        await step();
        await this.quiet();
      },
    });

  /** Runs them all to their ends. Answers how each of them ended. */
  async run(scheduler: Scheduler, actors: Record<string, () => Promise<unknown>>) {
    this.scheduler = scheduler;
    const running = Object.entries(actors).map(([name, act]) =>
      this.current.run(name, async () => {
        await this.pass('begins');
        return act().finally(() => this.moving.delete(name));
      }),
    );
    return scheduler.waitFor(Promise.allSettled(running));
  }

  private async pass(what: string): Promise<void> {
    const name = this.current.getStore();
    if (!name) return;
    this.moving.delete(name);
    await this.scheduler.schedule(Promise.resolve(), `${name}: ${what}`);
    this.moving.add(name);
  }

  private async quiet(): Promise<void> {
    for (;;) {
      // A turn for what was let go to start moving.
      await delay(0);
      if (this.moving.size === 0) return;
      const waiting = await this.platform.rows(
        `SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
      );
      if (waiting.length >= this.moving.size) return;
    }
  }

  private gate(dataSource: DataSource): void {
    const create = dataSource.createQueryRunner.bind(dataSource);
    dataSource.createQueryRunner = (...args): QueryRunner => {
      const runner = create(...args);
      const query = runner.query.bind(runner) as QueryRunner['query'];
      runner.query = async (sql: string, ...rest: []) => {
        await this.pass(sql.trim().slice(0, 60));
        return query(sql, ...rest);
      };
      const connect = runner.connect.bind(runner) as () => Promise<ClientBase>;
      runner.connect = async () => this.gateNamed(await connect());
      return runner;
    };
  }

  /** Statements that have a name go past the runner's `query`. */
  private gateNamed(client: ClientBase): ClientBase {
    const query = async (statement: QueryConfig, ...rest: []) => {
      if (statement.name) await this.pass(statement.name);
      return client.query(statement, ...rest);
    };
    return Object.create(client, { query: { value: query } }) as ClientBase;
  }
}
