import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { setTimeout as wait } from 'node:timers/promises';

/**
 * Runs housekeeping for as long as the service lives: sweeps, pruning. Each replica runs its own, so a job
 * must be safe beside itself.
 */
@Injectable()
export class Jobs implements OnModuleDestroy {
  private readonly logger = new Logger(Jobs.name);
  private readonly stopping = new AbortController();
  private readonly running: Promise<void>[] = [];

  /**
   * Runs `job` now and then `intervalMs` after each run has ended: it never overlaps itself. A failure is
   * logged and the next run tries again.
   */
  every(intervalMs: number, name: string, job: (stopping: AbortSignal) => Promise<unknown>): void {
    this.running.push(this.repeat(intervalMs, name, job));
  }

  /** Resolves when the runs under way have ended; no other starts. */
  async onModuleDestroy(): Promise<void> {
    this.stopping.abort();
    await Promise.all(this.running);
  }

  private async repeat(intervalMs: number, name: string, job: (stopping: AbortSignal) => Promise<unknown>) {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      try {
        await job(signal);
      } catch (error) {
        this.logger.warn({ event: 'job.failed', job: name, err: error });
      }
      await wait(intervalMs, undefined, { signal }).catch(() => undefined);
    }
  }
}
