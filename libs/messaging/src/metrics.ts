import { metrics, type Attributes, type BatchObservableResult } from '@opentelemetry/api';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { MessagingSettings } from './options.ts';

const TABLES_READ_AT_MOST_EVERY_MS = 10_000;

/** OpenTelemetry's own boundaries are made for milliseconds. */
const SECONDS = {
  unit: 's',
  advice: {
    explicitBucketBoundaries: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800],
  },
};

const UNKNOWN: Attributes = { type: 'unknown' };

type TableFigures = Record<'depth' | 'age' | 'dead', number>;

/** Every figure of the library. Attributes are event types, outcomes and queues of the contracts: bounded. */
@Injectable()
export class MessagingMetrics {
  // A meter asked for before the SDK is set up stays mute; the application sets it up before Nest creates this.
  private readonly meter = metrics.getMeter('@cabstand/messaging');
  private readonly published = this.meter.createCounter('messaging.published', {
    description: 'Events that the broker confirmed',
  });
  readonly refused = this.meter.createCounter('messaging.refused', {
    description:
      'Publications that the broker returned (no queue is bound) or nacked (a queue is full); the event stays in the outbox',
  });
  readonly publishLatency = this.meter.createHistogram('messaging.publish.latency', {
    ...SECONDS,
    description: 'From the event to the broker’s confirm',
  });
  readonly confirmDuration = this.meter.createHistogram('messaging.confirm.duration', SECONDS);
  readonly handled = this.meter.createCounter('messaging.handled', {
    description: 'Deliveries by outcome: done, retried, dead, abandoned',
  });
  readonly handlerDuration = this.meter.createHistogram('messaging.handler.duration', SECONDS);
  private readonly lag = this.meter.createHistogram('messaging.lag', {
    ...SECONDS,
    description: 'From when an event was committed until it was handled',
  });
  readonly reconnects = this.meter.createCounter('messaging.reconnects', {
    description: 'Connections to the broker that were lost',
  });
  /** What operators read of this process: instruments only take values. */
  readonly totals = { published: 0, handled: 0 };
  readonly lastHandled = new Map<string, { at: Date; lagS: number }>();
  private readonly typeLabels: ReadonlyMap<unknown, Attributes>;
  private figures: Promise<TableFigures | undefined> | undefined;
  private figuresReadAt = 0;

  constructor(
    private readonly settings: MessagingSettings,
    private readonly dataSource: DataSource,
  ) {
    this.typeLabels = new Map(settings.events.map(({ type }) => [type, { type }]));
    // Prometheus sees no increase in a counter that begins at 1.
    for (const { type, publishers, consumers } of settings.events) {
      if (!publishers.includes(settings.service) || consumers.length === 0) continue;
      for (const reason of ['returned', 'refused']) this.refused.add(0, { type, reason });
    }
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
    return this.typeLabels.get(type) ?? UNKNOWN;
  }

  notePublished(type: Attributes): void {
    this.totals.published++;
    this.published.add(1, type);
  }

  noteHandled(queue: string, lagS: number, type: Attributes): void {
    this.totals.handled++;
    this.lastHandled.set(queue, { at: new Date(), lagS });
    this.lag.record(lagS, type);
  }

  /** `read` gives undefined for what isn't known: no value is better than a wrong one. */
  observe(name: string, description: string, read: () => number | undefined): void {
    this.gauge(name, description).addCallback((result) => {
      const value = read();
      if (value !== undefined) result.observe(value);
    });
  }

  /** The same for each queue. */
  observeQueues(name: string, description: string, read: () => ReadonlyMap<string, number>): void {
    this.gauge(name, description).addCallback((result) => {
      for (const [queue, value] of read()) result.observe(value, { queue });
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
