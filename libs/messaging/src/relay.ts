import { Injectable, Logger } from '@nestjs/common';
import { SpanKind, trace } from '@opentelemetry/api';
import { DataSource } from 'typeorm';
import { PublishConnection } from './broker-connection.ts';
import { ConfirmedPublisher, type Outcome } from './confirmed-publisher.ts';
import { failPoint } from './fail-point.ts';
import { Live } from './live.ts';
import { publicationOf } from './message.ts';
import type { OutboxMessage } from './messaging.entities.ts';
import { MessagingMetrics } from './metrics.ts';
import { MessagingSettings } from './options.ts';
import { OutboxReader, PARTITIONS } from './outbox-reader.ts';
import { contextOf, traceparentOf } from './trace-context.ts';
import { Backoff, Bell, outline, within } from './waiting.ts';

const BATCH_ROWS = 500;
/** While there is a backlog, each batch takes along what was committed last, so that it doesn't wait for all of that. */
const NEWEST_ROWS = 100;
/** Refused events are tried again a few at a time until one gets through. */
const PROBE_ROWS = 20;
const PROBE_EVERY_MS = { shortest: 1_000, longest: 30_000 };
const WAKE_TOPIC = 'wake.outbox';
const REMOTE_WAKE_AT_MOST_EVERY_MS = 2;
/** What was committed before the shutdown should leave before it; the rest is for the next replica. */
const FLUSH_MS = 2_000;
/** Without any of these: something was committed. */
interface Wake {
  /** Another relay has fewer partitions than that, and would like one of those that have more. */
  share?: number;
  /** A partition is free. */
  free?: true;
}

interface Published {
  confirmed: OutboxMessage[];
  refused: OutboxMessage[];
  /** Aggregates of which an event was not confirmed. */
  heldBack: Set<string>;
}
const NOTHING: Published = { confirmed: [], refused: [], heldBack: new Set() };

/**
 * Publishes what Outbox wrote. Only one relay works on a partition at a time (an advisory lock held by its own
 * database session), and within an aggregate an event leaves when the one before it is confirmed: so each
 * aggregate's events are published in order, and one that the broker refuses holds back its aggregate only.
 */
@Injectable()
export class Relay {
  private readonly logger = new Logger(Relay.name);
  private readonly tracer = trace.getTracer('@cabstand/messaging');
  private readonly bell = new Bell();
  private readonly stopping = new AbortController();
  private readonly publisher: ConfirmedPublisher;
  private readonly probe = { nextAt: 0, everyMs: PROBE_EVERY_MS.shortest, rows: PROBE_ROWS };
  private reader: OutboxReader | null = null;
  paused = false;
  private running: Promise<void> | undefined;
  private flushUntil = 0;
  private askedToKeep: number | undefined;
  private remoteWake: NodeJS.Timeout | undefined;
  private readonly wakers = PARTITIONS.map((partition) => () => this.onCommit(partition));

  constructor(
    private readonly settings: MessagingSettings,
    private readonly dataSource: DataSource,
    private readonly live: Live,
    private readonly metrics: MessagingMetrics,
    connection: PublishConnection,
  ) {
    this.publisher = new ConfirmedPublisher('relay', connection, settings.confirmTimeoutMs, () => this.onReady());
  }

  start(): void {
    this.live.subscribe(this.settings.service, WAKE_TOPIC, (wake) => this.onWake(wake as Wake));
    this.running ??= this.run();
  }

  /** Publishes what is committed by now, within reason, and gives the partitions to other replicas. */
  async stop(): Promise<void> {
    this.flushUntil = Date.now() + FLUSH_MS;
    this.stopping.abort();
    this.bell.ring();
    // A confirm that doesn't come holds up nothing: what is unconfirmed stays in the outbox.
    await within(FLUSH_MS + 500, this.running ?? Promise.resolve());
    clearTimeout(this.remoteWake);
    this.publisher.stop();
  }

  /** To call after a commit: the same function for the same partition, so that many events wake once. */
  wakeFor(partition: number): () => void {
    return this.wakers[partition] ?? (() => undefined);
  }

  /** Events stay in the outbox until it is resumed, or the process stops. */
  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.bell.ring();
  }

  private onReady(): void {
    this.probe.nextAt = 0;
    this.bell.ring();
  }

  private onWake({ share, free }: Wake): void {
    this.askedToKeep = share ?? this.askedToKeep;
    if (free) this.reader?.takeSoon();
    this.bell.ring();
  }

  private wakeOthers(wake: Wake): void {
    this.live.publish(WAKE_TOPIC, wake);
  }

  private onCommit(partition: number): void {
    if (this.reader?.holds(partition)) return this.bell.ring();
    // Another replica relays it, or nobody yet; the message is lost while disconnected, and then polling finds the row.
    this.remoteWake ??= setTimeout(() => {
      this.remoteWake = undefined;
      this.wakeOthers({});
    }, REMOTE_WAKE_AT_MOST_EVERY_MS);
  }

  private async run(): Promise<void> {
    const backoff = new Backoff(this.stopping.signal);
    for (;;) {
      try {
        // Only a round that begins after everything is committed can tell that everything is published.
        const isLast = this.stopping.signal.aborted;
        const idle = await this.work();
        backoff.reset();
        if (this.stopping.signal.aborted && ((isLast && idle) || Date.now() > this.flushUntil)) break;
        // With some of the partitions there are two questions to ask, and as before one query a second.
        if (idle) await this.bell.wait(this.settings.pollEveryMs * (this.reader?.holdsSome ? 2 : 1));
      } catch (error) {
        this.logger.warn({ event: 'outbox.unreadable', reason: outline(error) });
        await this.closeReader();
        if (this.stopping.signal.aborted) break;
        await backoff.wait();
      }
    }
    await this.reader?.leave();
    this.reader = null;
    this.wakeOthers({ free: true });
  }

  /** One round. Answers whether there was nothing to do. */
  private async work(): Promise<boolean> {
    if (this.paused && !this.stopping.signal.aborted) return true;
    if (!this.publisher.ready) {
      // A replica that reaches the broker may have the partitions.
      await this.closeReader();
      return true;
    }
    this.reader ??= await OutboxReader.open(this.dataSource, this.settings);
    await this.sharePartitions(this.reader);
    const drained = await this.drain(this.reader);
    const probed = await this.probeRefused(this.reader);
    return drained && !probed;
  }

  /** Between two rounds nothing is under way that the next relay could overtake. */
  private async sharePartitions(reader: OutboxReader): Promise<void> {
    const asked = this.askedToKeep;
    this.askedToKeep = undefined;
    if (asked !== undefined && (await reader.givePartition(asked))) this.wakeOthers({ free: true });
    const share = await reader.takePartitions();
    if (share !== undefined) this.wakeOthers({ share });
  }

  /**
   * Publishes what is fresh; while one batch is being confirmed, the one before it is deleted and the one after
   * it is read. Answers whether nothing is left to do.
   */
  private async drain(reader: OutboxReader): Promise<boolean> {
    let { rows, more } = await reader.fresh(BATCH_ROWS);
    let before: Published = NOTHING;
    let drained = true;
    // Refused events and free partitions have their turn, too.
    const until = Date.now() + this.settings.pollEveryMs;
    const turn = async () => {
      await this.settle(reader, before);
      if (!more || Date.now() >= until) return { rows: [], more: false };
      const next = await reader.fresh(BATCH_ROWS, rows);
      if (next.more) next.rows.push(...(await reader.newest(NEWEST_ROWS, [...rows, ...next.rows])));
      return next;
    };
    while (rows.length > 0) {
      const [published, next] = await Promise.all([this.publish(reader, rows), turn()]);
      before = published;
      // An aggregate whose event was not confirmed is held back, wherever else it stands.
      rows = next.rows.filter(({ subject }) => !published.heldBack.has(subject));
      drained = published.heldBack.size === 0 && !more;
      more = next.more;
    }
    await this.settle(reader, before);
    return drained && !more;
  }

  /** Answers whether to go on at once. */
  private async probeRefused(reader: OutboxReader): Promise<boolean> {
    if (!reader.anyRefused || Date.now() < this.probe.nextAt) return false;
    const rows = await reader.refused(this.probe.rows);
    const published = await this.publish(reader, rows);
    await this.settle(reader, published);
    const better = published.confirmed.length > 0;
    this.probe.rows = better ? BATCH_ROWS : PROBE_ROWS;
    this.probe.everyMs = better ? PROBE_EVERY_MS.shortest : Math.min(this.probe.everyMs * 2, PROBE_EVERY_MS.longest);
    this.probe.nextAt = better ? 0 : Date.now() + this.probe.everyMs;
    return better;
  }

  private async publish(reader: OutboxReader, rows: OutboxMessage[]): Promise<Published> {
    failPoint('relay.after-read');
    const published: Published = { confirmed: [], refused: [], heldBack: new Set() };
    const inOrder = async (aggregate: OutboxMessage[]) => {
      for (const row of aggregate) {
        // Without its session the relay has lost its locks: what is not under way is somebody else's now.
        const outcome = reader.alive ? await this.publishOne(row) : 'lost';
        if (outcome === 'confirmed') {
          published.confirmed.push(row);
          continue;
        }
        if (outcome !== 'lost') published.refused.push(row);
        published.heldBack.add(row.subject);
        return;
      }
    };
    await Promise.all([...Map.groupBy(rows, (row) => row.subject).values()].map(inOrder));
    return published;
  }

  private async settle(reader: OutboxReader, { confirmed, refused }: Published): Promise<void> {
    if (confirmed.length > 0) await reader.remove(confirmed);
    failPoint('relay.after-delete');
    if (refused.length > 0) await reader.refuse(refused);
  }

  private async publishOne(row: OutboxMessage): Promise<Outcome> {
    const type = this.metrics.typeLabel(row.type);
    const attributes = {
      'messaging.system': 'rabbitmq',
      'messaging.operation.type': 'send',
      'messaging.destination.name': row.exchange,
      'messaging.message.id': row.id,
      'cloudevents.event_subject': row.subject,
    };
    const span = this.tracer.startSpan(
      `publish ${row.type}`,
      { kind: SpanKind.PRODUCER, attributes },
      contextOf(row.traceparent),
    );
    const startedAt = performance.now();
    try {
      const traceparent = traceparentOf(span.spanContext()) ?? row.traceparent;
      const options = publicationOf(row, this.settings.service, traceparent);
      failPoint('relay.before-publish');
      const publishing = this.publisher.publish(row.exchange, row.type, Buffer.from(row.payload), options);
      failPoint('relay.before-confirm', 1);
      const outcome = await publishing;
      failPoint('relay.after-confirm');
      span.setAttribute('messaging.outcome', outcome);
      if (outcome === 'confirmed') {
        this.metrics.notePublished(type);
        this.metrics.confirmDuration.record((performance.now() - startedAt) / 1_000);
        this.metrics.publishLatency.record((Date.now() - row.occurredAt.getTime()) / 1_000, type);
      } else if (outcome !== 'lost') {
        this.metrics.refused.add(1, { ...type, reason: outcome });
        this.logger.error({ event: 'message.not-published', outcome, type: row.type, messageId: row.id });
      }
      return outcome;
    } finally {
      span.end();
    }
  }

  private async closeReader(): Promise<void> {
    const reader = this.reader;
    this.reader = null;
    await reader?.close();
  }
}
