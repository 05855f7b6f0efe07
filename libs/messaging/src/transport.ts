import { Injectable, Logger, type INestApplication } from '@nestjs/common';
import {
  Server,
  type CustomTransportStrategy,
  type MessageHandler,
  type NestMicroservice,
} from '@nestjs/microservices';
import { context, SpanStatusCode, trace, type Span } from '@opentelemetry/api';
import { DataSource } from 'typeorm';
import { acknowledge, type Delivered } from './acknowledgements.ts';
import { ConsumeConnection, PublishConnection, type KeptChannel } from './broker-connection.ts';
import { Delivery } from './delivery.ts';
import { failPoint } from './fail-point.ts';
import { Handlers, PassErrorsOn } from './handlers.ts';
import { Inbox } from './inbox.ts';
import { failuresOf, readMessage, type ReadMessage } from './message.ts';
import { MessagingMetrics } from './metrics.ts';
import { MessagingSettings } from './options.ts';
import { assertHandlersMatch, queuesOf, type QueueSubscription } from './subscriptions.ts';
import { Retries, type Failed } from './retries.ts';
import { outline, sleep, within } from './waiting.ts';
import { Workers, type Job } from './workers.ts';

/** Leaves room for the rest of a shutdown that has to be over within 10 s. */
const FINISH_MS = 4_000;
const DATABASE_RETRY_MS = 1_000;
/** Deliveries that ended with the connection, or with the process, before a message is handled on its own. */
const SUSPECT_AFTER_DELIVERIES = 3;
/**
 * A batch holds the row locks of all that is in it, so it doesn't begin another event after 20 ms: where the
 * machine is overloaded after 16 events, within limits. No single handler may take longer than half a second.
 */
const BATCH = { handlingMs: 20, leastEvents: 16, longestMs: 100, handlerTimeoutMs: 500 };

type Valid = Extract<ReadMessage, { valid: true }>;
interface Work extends Job, Delivered, Failed {
  read?: ReadMessage;
}
type ReadWork = Work & { read: Valid };

/**
 * Hands messages from this service's queues to its `@EventPattern` handlers. A message is acknowledged when
 * its handler has completed, or when the broker has confirmed that it waits in a retry queue or the dead queue.
 */
@Injectable()
export class MessagingTransport extends Server implements CustomTransportStrategy {
  protected override readonly logger = new Logger(MessagingTransport.name);
  private readonly handlers: Handlers;
  private readonly retries: Retries;
  private stopping = false;
  private readonly inFlight = new Set<Promise<Work[]>>();
  private readonly consumers = new Map<string, KeptChannel>();
  private readonly inHand = new Map<string, () => number>();

  constructor(
    private readonly settings: MessagingSettings,
    private readonly metrics: MessagingMetrics,
    private readonly connection: ConsumeConnection,
    private readonly publishConnection: PublishConnection,
    private readonly dataSource: DataSource,
    private readonly inbox: Inbox,
  ) {
    super();
    this.handlers = new Handlers(this.messageHandlers, metrics);
    this.retries = new Retries(settings, publishConnection);
  }

  /** Fails when handlers and contracts differ; a broker that can't be reached is waited for in the background. */
  listen(callback: (error?: unknown) => void): void {
    try {
      assertHandlersMatch(
        this.settings,
        new Map([...this.messageHandlers].map(([type, first]) => [type, count(first)])),
      );
    } catch (error) {
      return callback(error);
    }
    for (const { queue } of queuesOf(this.settings)) this.startConsumer(queue);
    this.connection.start();
    this.publishConnection.start();
    callback();
  }

  /** Takes nothing new and finishes what is under way. */
  async close(): Promise<void> {
    this.stopping = true;
    const consumers = [...this.consumers.values()];
    const cancelled = Promise.all(consumers.map((consumer) => consumer.cancel()));
    await within(
      FINISH_MS,
      cancelled.then(() => Promise.all(this.inFlight)),
    );
    await Promise.all(consumers.map((consumer) => consumer.close()));
    this.retries.stop();
  }

  /** Whether it wants messages of the queue; the broker may have none, or be away. */
  consumes(queue: string): boolean {
    return this.consumers.has(queue);
  }

  /** Messages of the queue that were handed out to this process and are not settled. */
  inHandOf(queue: string): number {
    return this.inHand.get(queue)?.() ?? 0;
  }

  /** Messages wait in the queue from now on. Those in hand are handed out again, and the inbox knows what took effect. */
  async stopConsumer(queue: string): Promise<void> {
    const consumer = this.consumers.get(queue);
    this.consumers.delete(queue);
    await consumer?.close();
  }

  startConsumer(queue: string): void {
    const subscription = queuesOf(this.settings).find((each) => each.queue === queue);
    if (subscription && !this.consumes(queue)) this.consumers.set(queue, this.consume(subscription));
  }

  on(): never {
    throw new Error('The messaging transport emits no events');
  }

  unwrap<T>(): T {
    return this.connection as T;
  }

  private consume(subscription: QueueSubscription): KeptChannel {
    const { concurrency, prefetch, largestBatch } = this.settings;
    const workers = new Workers<Work>(concurrency, largestBatch, (works) => this.process(works));
    let unsettled = new Set<number>();
    let current: AbortSignal | undefined;
    this.inHand.set(subscription.queue, () => (current?.aborted ? 0 : unsettled.size));
    return this.connection.consume(subscription.queue, prefetch, (message, channel, closed) => {
      // Each channel counts its deliveries from 1.
      if (closed !== current) unsettled = new Set();
      current = closed;
      unsettled.add(message.fields.deliveryTag);
      const { headers } = message.properties;
      const deliveries: unknown = headers?.['x-delivery-count'];
      workers.add({
        ...{ subscription, message, channel, closed, unsettled },
        // It has failed before, and shall not take others with it.
        alone: failuresOf(headers).attempt > 1,
        suspect: typeof deliveries === 'number' && deliveries >= SUSPECT_AFTER_DELIVERIES,
      });
    });
  }

  /** Ends with the messages acknowledged, or still the broker's. Returns those that are to be handled again. */
  private async process(works: Work[]): Promise<Work[]> {
    const processing = this.sort(works).catch((error: unknown) => {
      this.logger.error({ event: 'batch.failed', reason: outline(error) });
      return [];
    });
    this.inFlight.add(processing);
    const again = await processing;
    this.inFlight.delete(processing);
    return again;
  }

  private async sort(works: Work[]): Promise<Work[]> {
    const readable: ReadWork[] = [];
    const spoilt: Promise<void>[] = [];
    for (const work of works) {
      if (this.stopping || work.closed.aborted) continue;
      const { maxBodyBytes } = this.settings;
      const read = (work.read ??= readMessage(work.message, { ...work.subscription, maxBodyBytes }));
      if (read.valid) readable.push({ ...work, read });
      else
        spoilt.push(this.retries.bury(work, read.reason, read.detail).then((outcome) => this.settle([work], outcome)));
    }
    const [first] = readable;
    const again = readable.length > 1 ? await this.handleTogether(readable) : [];
    if (first && readable.length === 1) await this.handleAlone(first);
    await Promise.all(spoilt);
    return again;
  }

  private async handleAlone(work: ReadWork): Promise<void> {
    let error: Error | undefined;
    // No message is at fault when the database is away: it is handled again, uncounted, once that is back.
    while ((error = await this.handleOnce(work)) && !(await this.isDatabaseUp()) && !work.closed.aborted) {
      await sleep(DATABASE_RETRY_MS, work.closed);
    }
    if (error !== undefined && (this.stopping || work.closed.aborted)) return;
    this.settle([work], error === undefined ? 'done' : await this.retries.retry(work, error));
  }

  private async handleOnce(work: ReadWork): Promise<Error | undefined> {
    const timeout = new AbortController();
    const { error, spans } = await this.handlers.handle(
      [deliveryOf(work, timeout.signal)],
      timeout,
      this.settings.handlerTimeoutMs,
    );
    const [span] = spans;
    if (error && span) {
      const { type, id } = work.read.envelope;
      context.with(trace.setSpan(context.active(), span), () =>
        this.logger.warn({ event: 'handler.failed', type, messageId: id, reason: outline(error) }),
      );
    }
    span?.end();
    return error;
  }

  /**
   * Handles one after another in one transaction, which makes a backlog several times cheaper; a set-based handler
   * gets all of its own at once. The handlers notice nothing of it. When anything fails, all of it is undone and each
   * is handled again on its own.
   */
  private async handleTogether(works: ReadWork[]): Promise<Work[]> {
    const batch = new AbortController();
    const spans: Span[] = [];
    const done: ReadWork[] = [];
    const left = new Set(works);
    const limitMs = Math.min(BATCH.handlerTimeoutMs, this.settings.handlerTimeoutMs);
    const inTurn = async () => {
      const startedAt = performance.now();
      for (const work of works) {
        if (!left.has(work)) continue;
        const elapsedMs = performance.now() - startedAt;
        if (elapsedMs > (done.length < BATCH.leastEvents ? BATCH.longestMs : BATCH.handlingMs)) break;
        const { type } = work.read.envelope;
        const set = this.handlers.isSetBased(type) ? works.filter(({ read }) => read.envelope.type === type) : [work];
        for (const one of set) left.delete(one);
        done.push(...set);
        const deliveries = set.map((one) => deliveryOf(one, batch.signal)) as [Delivery, ...Delivery[]];
        const handled = await this.handlers.handle(deliveries, batch, limitMs);
        spans.push(...handled.spans);
        if (handled.error) throw handled.error;
      }
      return [...left].map(({ read }) => read.envelope.id);
    };
    try {
      const ids = works.map(({ read }) => read.envelope.id);
      await this.inbox.together(ids, inTurn, batch.signal);
    } catch (error) {
      // What a handler still does for itself is none of the next attempt's.
      batch.abort(error);
      this.logger.debug(`${works.length} messages are handled one by one: ${outline(error)}`);
      for (const span of spans) span.setStatus({ code: SpanStatusCode.ERROR, message: 'undone with its batch' }).end();
      return works.map((work) => ({ ...work, alone: true }));
    }
    for (const span of spans) span.end();
    this.settle(done, 'done');
    return [...left];
  }

  private settle(works: Work[], outcome: 'done' | 'retried' | 'dead' | 'kept'): void {
    for (const { read, subscription } of works) {
      const type = this.metrics.typeLabel(read?.valid ? read.envelope.type : undefined);
      this.metrics.handled.add(1, { ...type, outcome });
      if (outcome !== 'done' || !read?.valid) continue;
      this.metrics.noteHandled(subscription.queue, (Date.now() - Date.parse(read.envelope.time)) / 1_000, type);
    }
    failPoint(outcome === 'done' ? 'handler.before-ack' : 'retry.before-ack');
    if (outcome !== 'kept') acknowledge(works.filter(({ closed }) => !closed.aborted));
    failPoint('handler.after-ack', 1);
  }

  private isDatabaseUp(): Promise<boolean> {
    return this.dataSource.query('SELECT 1').then(
      () => true,
      () => false,
    );
  }
}

function deliveryOf({ read, subscription, message }: ReadWork, signal: AbortSignal): Delivery {
  const { attempt } = failuresOf(message.properties.headers);
  return new Delivery(read.envelope, read.payload, subscription.queue, attempt, message.fields.redelivered, signal);
}

/** Attaches the transport to the application. Call before `startAllMicroservices()`. */
export function connectMessaging(app: INestApplication): void {
  const options = { inheritAppConfig: false, deferInitialization: true };
  const transport = app.connectMicroservice({ strategy: app.get(MessagingTransport) }, options) as NestMicroservice;
  // Handlers take the filters that are there when they are registered, and so nothing can be deferred to Nest.
  transport.useGlobalFilters(new PassErrorsOn());
  transport.registerListeners();
  transport.setIsInitialized(true);
  transport.setIsInitHookCalled(true);
}

const count = (handler: MessageHandler): number => 1 + (handler.next ? count(handler.next as MessageHandler) : 0);
