import { metrics, type Attributes } from '@opentelemetry/api';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { MessagingSettings } from './options.ts';

const TABLES_READ_AT_MOST_EVERY_MS = 10_000;

interface TableFigures {
  outbox_depth: number;
  outbox_oldest_age_s: number;
  dead_letters: number;
}

/** Every figure of the library. Attributes are event types, outcomes and queues of the contracts: bounded. */
@Injectable()
export class MessagingMetrics {
  // A meter asked for before the SDK is set up stays mute; the application sets it up before Nest creates this.
  private readonly meter = metrics.getMeter('@cabstand/messaging');
  readonly published = this.meter.createCounter('messaging.published', {
    description: 'Events that the broker confirmed',
  });
  readonly refused = this.meter.createCounter('messaging.refused', {
    description:
      'Publications that the broker returned (no queue is bound) or nacked (a queue is full); the event stays in the outbox',
  });
  readonly confirmDuration = this.meter.createHistogram('messaging.confirm.duration', { unit: 's' });
  readonly handled = this.meter.createCounter('messaging.handled', {
    description: 'Deliveries by outcome: done, retried, dead, abandoned',
  });
  readonly handlerDuration = this.meter.createHistogram('messaging.handler.duration', { unit: 's' });
  readonly reconnects = this.meter.createCounter('messaging.reconnects', {
    description: 'Connections to the broker that were lost',
  });
  private figures: Promise<TableFigures> | undefined;
  private figuresReadAt = 0;

  constructor(
    private readonly settings: MessagingSettings,
    private readonly dataSource: DataSource,
  ) {
    this.observeTable('messaging.outbox.depth', 'Events not confirmed yet', (f) => f.outbox_depth);
    this.observeTable(
      'messaging.outbox.oldest_age',
      'Age of the oldest of them, in seconds',
      (f) => f.outbox_oldest_age_s,
    );
    this.observeTable('messaging.dead_letters', 'Messages that were given up on', (f) => f.dead_letters);
  }

  /** A type that comes from outside would make a time series of each forgery. */
  typeLabel(type: unknown): Attributes {
    const known = this.settings.events.some((event) => event.type === type);
    return { type: known ? String(type) : 'unknown' };
  }

  /** `read` gives undefined for what isn't known: no value is better than a wrong one. */
  observe(name: string, description: string, read: () => number | undefined): void {
    this.meter.createObservableGauge(name, { description }).addCallback((result) => {
      const value = read();
      if (value !== undefined) result.observe(value);
    });
  }

  private observeTable(name: string, description: string, pick: (figures: TableFigures) => number): void {
    this.meter.createObservableGauge(name, { description }).addCallback(async (result) => {
      if (!this.figures || Date.now() - this.figuresReadAt > TABLES_READ_AT_MOST_EVERY_MS) {
        this.figuresReadAt = Date.now();
        this.figures = this.readTables();
      }
      // A database that is down shows elsewhere; a scrape must not fail for it.
      const figures = await this.figures.catch(() => undefined);
      if (figures) result.observe(pick(figures));
    });
  }

  private async readTables(): Promise<TableFigures> {
    const rows: TableFigures[] = await this.dataSource.query(`
      SELECT count(*)::int AS outbox_depth,
        coalesce(extract(epoch FROM now() - min(occurred_at)), 0)::float AS outbox_oldest_age_s,
        (SELECT count(*)::int FROM dead_letters) AS dead_letters
      FROM outbox`);
    return rows[0] as TableFigures;
  }
}
