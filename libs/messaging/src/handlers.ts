import { isNativeError } from 'node:util/types';
import { Catch } from '@nestjs/common';
import type { MessageHandler } from '@nestjs/microservices';
import { context, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, type Span } from '@opentelemetry/api';
import { isObservable, lastValueFrom, throwError, type Observable } from 'rxjs';
import type { Delivery } from './delivery.ts';
import { failPoint } from './fail-point.ts';
import type { MessagingMetrics } from './metrics.ts';
import { contextOf } from './trace-context.ts';

/** The extras of `@EventPattern(type, SET_BASED)`: the handler takes all events of its type that wait, at once. */
export const SET_BASED = { setBased: true } as const;

export interface Handled {
  error?: Error;
  /** One for each message, in its own trace, for the caller to end. */
  spans: Span[];
}

/** Calls the `@EventPattern` handlers, each within its time and with its trace. */
export class Handlers {
  private readonly tracer = trace.getTracer('@cabstand/messaging');

  constructor(
    private readonly handlers: ReadonlyMap<string, MessageHandler>,
    private readonly metrics: MessagingMetrics,
  ) {}

  isSetBased(type: string): boolean {
    return (this.handlers.get(type)?.extras as Partial<typeof SET_BASED> | undefined)?.setBased === true;
  }

  /** Handles the deliveries of one type: one alone, or with a set-based handler several. Never rejects. */
  async handle(
    [first, ...others]: [Delivery, ...Delivery[]],
    timeout: AbortController,
    limitMs: number,
  ): Promise<Handled> {
    const { type } = first.envelope;
    const deliveries = [first, ...others];
    const parents = deliveries.map(({ envelope }) => contextOf(envelope.traceparent));
    const spans = deliveries.map((delivery, i) => this.startSpan(delivery, parents[i]!));
    // What is done for several belongs into nobody's trace.
    const around = others.length > 0 ? ROOT_CONTEXT : trace.setSpan(parents[0]!, spans[0]!);
    const call = () =>
      this.isSetBased(type)
        ? this.call(type, deliveries.map(({ payload }) => payload), deliveries) // prettier-ignore
        : this.call(type, first.payload, first);
    const startedAt = performance.now();
    let error: Error | undefined;
    try {
      await context.with(around, () => withTimeLimit(call, timeout, limitMs));
    } catch (thrown) {
      error = isNativeError(thrown) ? thrown : new Error(String(thrown));
      for (const span of spans) span.setStatus({ code: SpanStatusCode.ERROR, message: error.name });
    }
    this.metrics.handlerDuration.record((performance.now() - startedAt) / 1_000, this.metrics.typeLabel(type));
    return error ? { error, spans } : { spans };
  }

  private startSpan({ envelope, queue, attempt }: Delivery, parent: ReturnType<typeof contextOf>): Span {
    const attributes = {
      'messaging.system': 'rabbitmq',
      'messaging.operation.type': 'process',
      'messaging.destination.name': queue,
      'messaging.message.id': envelope.id,
      'cloudevents.event_subject': envelope.subject,
      'messaging.attempt': attempt,
    };
    return this.tracer.startSpan(`process ${envelope.type}`, { kind: SpanKind.CONSUMER, attributes }, parent);
  }

  private async call(type: string, data: unknown, rpcContext: unknown): Promise<void> {
    const handler = this.handlers.get(type);
    if (!handler) throw new Error(`no handler for ${type}`);
    failPoint('handler.before');
    const result: unknown = await handler(data, rpcContext);
    if (isObservable(result)) await lastValueFrom(result, { defaultValue: undefined });
  }
}

async function withTimeLimit(fn: () => Promise<void>, timeout: AbortController, limitMs: number): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const error = new HandlerTimeout(`no result after ${limitMs} ms`);
    timeout.abort(error);
    reject(error);
  }, limitMs);
  try {
    await Promise.race([fn(), late]);
  } finally {
    clearTimeout(timer);
  }
}

class HandlerTimeout extends Error {
  override readonly name = 'HandlerTimeout';
}

/** Nest's own filter would replace the error, and with it the reason that an operator reads. */
@Catch()
export class PassErrorsOn {
  catch(error: unknown): Observable<never> {
    return throwError(() => error);
  }
}
