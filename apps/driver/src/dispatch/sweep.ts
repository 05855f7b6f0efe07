import { Transactions } from '@cabstand/messaging';
import { Jobs } from '@cabstand/service-defaults';
import { Injectable, Logger, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { DispatchSettings } from './dispatch-settings.ts';
import { DispatchService } from './dispatch.service.ts';
import { DriversFreed } from './drivers-freed.ts';
import { tryLockDispatch } from './locks.ts';

const AT_ONCE = 100;

/**
 * Sees to the dispatches whose time has come: offers expire, trips that wait are tried again, deadlines pass. Every
 * replica runs it, none depends on it: what is due stands in the database, and whoever locks a dispatch first does it.
 */
@Injectable()
export class Sweep implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(Sweep.name);
  private retrying: Promise<void> | null = null;
  private retryAgain = false;
  private stopped = false;

  constructor(
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly dispatch: DispatchService,
    private readonly settings: DispatchSettings,
    private readonly freed: DriversFreed,
    private readonly jobs: Jobs,
  ) {}

  onApplicationBootstrap(): void {
    this.freed.listen(() => this.retryWaiting());
    this.jobs.every(this.settings.sweepEveryMs, 'dispatch-sweep', (stopping) => this.run(stopping));
  }

  /** Sees to what is due now. */
  run(stopping?: AbortSignal): Promise<void> {
    const isDue = `status IN ('searching', 'offered') AND look_at <= clock_timestamp()`;
    return this.advanceAll(isDue, () => stopping?.aborted ?? false);
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopped = true;
    await this.retrying;
  }

  /** Somebody is free: tries the trips that wait, without waiting for their time. */
  private retryWaiting(): void {
    this.retryAgain = true;
    if (this.stopped) return;
    this.retrying ??= this.retry().finally(() => (this.retrying = null));
  }

  private async retry(): Promise<void> {
    while (this.retryAgain && !this.stopped) {
      this.retryAgain = false;
      await this.advanceAll(`status = 'searching'`, () => this.stopped).catch((error: unknown) =>
        this.logger.warn({ event: 'dispatch.retry-failed', err: error }),
      );
    }
  }

  private async advanceAll(due: string, isStopping: () => boolean): Promise<void> {
    const rows: { tripId: string }[] = await this.dataSource.query(
      `SELECT trip_id AS "tripId" FROM dispatches WHERE ${due} ORDER BY look_at LIMIT ${AT_ONCE}`,
    );
    for (const { tripId } of rows) {
      if (isStopping()) return;
      await this.advance(tripId).catch((error: unknown) =>
        // One dispatch that fails must not keep the others waiting.
        this.logger.error({ event: 'dispatch.sweep-failed', tripId, err: error }),
      );
    }
  }

  private advance(tripId: string): Promise<void> {
    return this.transactions.run(async (tx) => {
      const held = await tryLockDispatch(tx, tripId, 'skip');
      if (held) await this.dispatch.advance(tx, held);
    });
  }
}
