import { isNativeError } from 'node:util/types';
import { deadQueue, retryExchange, retryQueue, RETRY_DELAYS } from '@cabstand/contracts';
import { Catch, Injectable, Logger, type INestApplication } from '@nestjs/common';
import {
  Server,
  type CustomTransportStrategy,
  type MessageHandler,
  type NestMicroservice,
} from '@nestjs/microservices';
import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { Channel, ConsumeMessage } from 'amqplib';
import { DataSource } from 'typeorm';
import { lastValueFrom, throwError, type Observable } from 'rxjs';
import { ConsumeConnection, PublishConnection, type KeptChannel } from './broker-connection.ts';
import { ConfirmedPublisher } from './confirmed-publisher.ts';
import { Delivery } from './delivery.ts';
import { failPoint } from './fail-point.ts';
import { failureOf, failuresOf, HEADERS, readMessage, republicationOf, type ReadMessage } from './message.ts';
import { MessagingMetrics } from './metrics.ts';
import { MessagingSettings } from './options.ts';
import { assertHandlersMatch, queuesOf, type QueueSubscription } from './subscriptions.ts';
import { contextOf } from './trace-context.ts';
import { Backoff, outline, sleep, Slots, within } from './waiting.ts';

interface Work {
  subscription: QueueSubscription;
  message: ConsumeMessage;
  channel: Channel;
  /** Aborted once the message isn't ours any more. */
  closed: AbortSignal;
}

/** Leaves room for the rest of a shutdown that has to be over within 10 s. */
const FINISH_MS = 4_000;
const JITTER = 0.1;
const DATABASE_RETRY_MS = 1_000;

/**
 * Hands messages from this service's queues to its `@EventPattern` handlers. A message is acknowledged when
 * its handler has completed, or when the broker has confirmed that it waits in a retry queue or the dead queue.
 */
@Injectable()
export class MessagingTransport extends Server implements CustomTransportStrategy {
  protected override readonly logger = new Logger(MessagingTransport.name);
  private readonly tracer = trace.getTracer('@cabstand/messaging');
  private readonly publisher: ConfirmedPublisher;
  private stopping = false;
  private readonly inFlight = new Set<Promise<void>>();
  private consumers: KeptChannel[] = [];

  constructor(
    private readonly settings: MessagingSettings,
    private readonly metrics: MessagingMetrics,
    private readonly connection: ConsumeConnection,
    private readonly publishConnection: PublishConnection,
    private readonly dataSource: DataSource,
  ) {
    super();
    this.publisher = new ConfirmedPublisher('retry', publishConnection, settings.confirmTimeoutMs);
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
    this.consumers = queuesOf(this.settings).map((subscription) => this.consume(subscription));
    this.connection.start();
    this.publishConnection.start();
    callback();
  }

  /** Takes nothing new and finishes what is under way. */
  async close(): Promise<void> {
    this.stopping = true;
    const cancelled = Promise.all(this.consumers.map((consumer) => consumer.cancel()));
    await within(
      FINISH_MS,
      cancelled.then(() => Promise.all(this.inFlight)),
    );
    await Promise.all(this.consumers.map((consumer) => consumer.close()));
    this.publisher.stop();
  }

  on(): never {
    throw new Error('The messaging transport emits no events');
  }

  unwrap<T>(): T {
    return this.connection as T;
  }

  private consume(subscription: QueueSubscription): KeptChannel {
    const { queue } = subscription;
    const slots = new Slots(this.settings.concurrency);
    return this.connection.consume(queue, this.settings.prefetch, (message, channel, closed) => {
      const work = slots
        .run(() => this.process({ subscription, message, channel, closed }))
        .catch((error: unknown) => this.logger.error(`${queue}: ${outline(error)}`))
        .finally(() => this.inFlight.delete(work));
      this.inFlight.add(work);
    });
  }

  /** Ends with the message acknowledged, or still the broker's. */
  private async process(work: Work): Promise<void> {
    if (this.stopping || work.closed.aborted) return;
    const { message, subscription } = work;
    const read = readMessage(message, { ...subscription, maxBodyBytes: this.settings.maxBodyBytes });
    let error: Error | undefined;
    // No message is at fault when the database is away: it is handled again, uncounted, once that is back.
    while (
      read.valid &&
      (error = await this.handle(work, read)) &&
      !(await this.isDatabaseUp()) &&
      !work.closed.aborted
    ) {
      await sleep(DATABASE_RETRY_MS, work.closed);
    }
    if (error !== undefined && (this.stopping || work.closed.aborted)) return;
    let outcome: 'done' | 'retried' | 'dead' | 'kept' = 'done';
    if (!read.valid) outcome = await this.bury(work, read.reason, read.detail);
    else if (error !== undefined) outcome = await this.retry(work, error);
    const type = this.metrics.typeLabel(read.valid ? read.envelope.type : undefined);
    this.metrics.handled.add(1, { ...type, outcome });
    failPoint(outcome === 'done' ? 'handler.before-ack' : 'retry.before-ack');
    try {
      if (outcome !== 'kept') work.channel.ack(message);
      failPoint('handler.after-ack', 1);
    } catch {
      // The channel is gone, so the broker hands the message out again, and the inbox knows it.
    }
  }

  private isDatabaseUp(): Promise<boolean> {
    return this.dataSource.query('SELECT 1').then(
      () => true,
      () => false,
    );
  }

  /** Returns the error that the handler failed with. */
  private async handle(
    { subscription: { queue }, message }: Work,
    { envelope, payload }: Extract<ReadMessage, { valid: true }>,
  ): Promise<Error | undefined> {
    const { attempt } = failuresOf(message.properties.headers);
    const timeout = new AbortController();
    const delivery = new Delivery(envelope, queue, attempt, message.fields.redelivered, timeout.signal);
    const attributes = {
      'messaging.system': 'rabbitmq',
      'messaging.operation.type': 'process',
      'messaging.destination.name': queue,
      'messaging.message.id': envelope.id,
      'messaging.attempt': attempt,
    };
    const parent = contextOf(envelope.traceparent);
    const span = this.tracer.startSpan(`process ${envelope.type}`, { kind: SpanKind.CONSUMER, attributes }, parent);
    const startedAt = performance.now();
    try {
      await context.with(trace.setSpan(parent, span), () => this.invoke(envelope.type, payload, delivery, timeout));
      return undefined;
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR, message: isNativeError(error) ? error.name : 'unknown' });
      context.with(trace.setSpan(parent, span), () =>
        this.logger.warn(`${envelope.type} ${envelope.id} failed in attempt ${attempt}: ${outline(error)}`),
      );
      return isNativeError(error) ? error : new Error(String(error));
    } finally {
      this.metrics.handlerDuration.record(
        (performance.now() - startedAt) / 1_000,
        this.metrics.typeLabel(envelope.type),
      );
      span.end();
    }
  }

  private async invoke(type: string, payload: unknown, delivery: Delivery, timeout: AbortController): Promise<void> {
    const handler = this.messageHandlers.get(type);
    if (!handler) throw new Error(`no handler for ${type}`);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const error = new HandlerTimeout(`no result after ${this.settings.handlerTimeoutMs} ms`);
        timeout.abort(error);
        reject(error);
      }, this.settings.handlerTimeoutMs);
    });
    try {
      failPoint('handler.before');
      const completed = handler(payload, delivery).then((result: unknown) =>
        lastValueFrom(this.transformToObservable(result) as Observable<unknown>, { defaultValue: undefined }),
      );
      await Promise.race([completed, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  private async retry(work: Work, error: Error): Promise<'retried' | 'dead' | 'kept'> {
    const { attempt, history } = failuresOf(work.message.properties.headers);
    const failure = failureOf(error);
    const failures = JSON.stringify([...history, failure]);
    const step = RETRY_DELAYS[attempt - 1];
    const delayMs = this.settings.retryDelaysMs[attempt - 1];
    if (!step || delayMs === undefined) return this.bury(work, 'handler-failed', failure.error, failures);
    const headers = { [HEADERS.attempt]: attempt + 1, [HEADERS.history]: failures };
    const expirationMs = Math.round(delayMs * (1 - JITTER + Math.random() * 2 * JITTER));
    const passed = await this.pass(work, retryQueue(work.subscription.queue, step.name), headers, expirationMs);
    return passed ? 'retried' : 'kept';
  }

  private async bury(work: Work, reason: string, detail: string, failures = '[]'): Promise<'dead' | 'kept'> {
    const { queue } = work.subscription;
    const { attempt } = failuresOf(work.message.properties.headers);
    this.logger.error(`a message in ${queue} is given up on in attempt ${attempt}: ${reason}`);
    const headers = {
      [HEADERS.attempt]: attempt,
      [HEADERS.history]: failures,
      [HEADERS.reason]: reason,
      [HEADERS.detail]: detail,
    };
    return (await this.pass(work, deadQueue(queue), headers)) ? 'dead' : 'kept';
  }

  /**
   * Publishes the message again, into one of our own queues. Tries until the broker confirms, or until the
   * message isn't ours any more: giving it back would count against its delivery limit.
   */
  private async pass(
    { message, closed }: Work,
    queue: string,
    headers: Record<string, unknown>,
    expirationMs?: number,
  ) {
    const options = { ...republicationOf(message, headers), expiration: expirationMs?.toString() };
    const backoff = new Backoff(closed);
    while (!closed.aborted) {
      const exchange = retryExchange(this.settings.service);
      const outcome = await this.publisher.publish(exchange, queue, message.content, options);
      if (outcome === 'confirmed') return true;
      this.logger.warn(`${queue} did not take a message: ${outcome}`);
      await backoff.wait();
    }
    return false;
  }
}

class HandlerTimeout extends Error {
  override readonly name = 'HandlerTimeout';
}

/** Nest's own filter would replace the error, and with it the reason that an operator reads. */
@Catch()
class PassErrorsOn {
  catch(error: unknown): Observable<never> {
    return throwError(() => error);
  }
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
