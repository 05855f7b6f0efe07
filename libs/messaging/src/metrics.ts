import { metrics, type Attributes, type BatchObservableResult } from '@opentelemetry/api';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { MessagingSettings } from './options.ts';

const TABLES_READ_AT_MOST_EVERY_MS = 10_000;

type TableFigures = Record<'depth' | 'age' | 'dead', number>;

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
  private figures: Promise<TableFigures | undefined> | undefined;
  private figuresReadAt = 0;

  constructor(
    private readonly settings: MessagingSettings,
    private readonly dataSource: DataSource,
  ) {
    const depth = this.gauge('messaging.outbox.depth', 'Events not confirmed yet');
    const age = this.gauge('messaging.outbox.oldest_age', 'Age of the oldest of them, in seconds');
    const dead = this.gauge('messaging.dead_letters', 'Messages that were given up on');
    const observe = async (result: BatchObservableResult) => {
      if (Date.now() - this.figuresReadAt > TABLES_READ_AT_MOST_EVERY_MS) {
        this.figuresReadAt = Date.now();
        // A database that is down shows elsewhere; a scrape must not fail for it.
        this.figures = this.readTables().catch(() => undefined);
      }
      const figures = await this.figures;
      if (!figures) return;
      result.observe(depth, figures.depth);
      result.observe(age, figures.age);
      result.observe(dead, figures.dead);
    };
    this.meter.addBatchObservableCallback(observe, [depth, age, dead]);
  }

  /** A type that comes from outside would make a time series of each forgery. */
  typeLabel(type: unknown): Attributes {
    const known = this.settings.events.some((event) => event.type === type);
    return { type: known ? String(type) : 'unknown' };
  }

  /** `read` gives undefined for what isn't known: no value is better than a wrong one. */
  observe(name: string, description: string, read: () => number | undefined): void {
    this.gauge(name, description).addCallback((result) => {
      const value = read();
      if (value !== undefined) result.observe(value);
    });
  }

  private gauge(name: string, description: string) {
    return this.meter.createObservableGauge(name, { description });
  }

  private async readTables(): Promise<TableFigures | undefined> {
    const rows: TableFigures[] = await this.dataSource.query(`
      SELECT count(*)::int AS depth, coalesce(extract(epoch FROM now() - min(occurred_at)), 0)::float AS age,
        (SELECT count(*)::int FROM dead_letters) AS dead
      FROM outbox`);
    return rows[0];
  }
}
