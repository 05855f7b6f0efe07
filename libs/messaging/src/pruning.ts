import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { MessagingSettings } from './options.ts';
import { outline } from './waiting.ts';

const EVERY_MS = 10 * 60_000;
const BATCH_ROWS = 1_000;

/** Forgets old ids, a few at a time: no statement holds many locks, and replicas don't wait for each other. */
@Injectable()
export class Pruning {
  private readonly logger = new Logger(Pruning.name);
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(
    private readonly settings: MessagingSettings,
    private readonly dataSource: DataSource,
  ) {}

  start(): void {
    this.timer = setInterval(() => void this.pruneQuietly(), EVERY_MS).unref();
  }

  stop(): void {
    this.stopped = true;
    clearInterval(this.timer);
  }

  /** Returns how many were forgotten. */
  async prune(): Promise<number> {
    const before = new Date(Date.now() - this.settings.inboxKeepMs);
    let pruned = 0;
    let batch: number;
    do {
      const [, affected]: [unknown, number] = await this.dataSource.query(
        `DELETE FROM inbox WHERE message_id = ANY(ARRAY(
           SELECT message_id FROM inbox WHERE received_at < $1 ORDER BY received_at LIMIT $2 FOR UPDATE SKIP LOCKED))`,
        [before, BATCH_ROWS],
      );
      batch = affected;
      pruned += batch;
    } while (batch === BATCH_ROWS && !this.stopped);
    return pruned;
  }

  private async pruneQuietly(): Promise<void> {
    // The next round is soon enough.
    await this.prune().catch((error: unknown) => this.logger.warn(`the inbox was not pruned: ${outline(error)}`));
  }
}
