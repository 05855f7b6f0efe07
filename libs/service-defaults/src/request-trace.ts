import {
  context,
  metrics,
  SpanKind,
  SpanStatusCode,
  trace,
  type Context,
  type Histogram,
  type Span,
} from '@opentelemetry/api';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { contextFromTraceparent } from './telemetry.ts';

interface Observation {
  span: Span;
  context: Context;
  startedAtMs: number;
  over: boolean;
}
const observations = new WeakMap<FastifyRequest, Observation>();
/** nginx's code for a client that left without waiting for the answer. It appears in logs only. */
const CLIENT_LEFT = 499;

export const traceIdOf = (request: FastifyRequest) =>
  observations.get(request)?.span.spanContext().traceId ?? '0'.repeat(32);

/**
 * One SERVER span, one measurement and one log line for each request. They say method, route pattern, status and
 * duration; never paths, query strings, headers or bodies, which may hold anything that somebody types.
 */
export class RequestTrace {
  private readonly tracer = trace.getTracer('@cabstand/service-defaults');
  private readonly durations: Histogram = metrics.getMeter('http').createHistogram('http.server.request.duration', {
    unit: 's',
    description: 'Duration of HTTP requests',
    advice: { explicitBucketBoundaries: [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10] },
  });

  constructor(private readonly logger: Logger) {}

  attach(fastify: FastifyInstance): void {
    fastify.addHook('onRequest', (request, _reply, done) => context.with(this.begin(request).context, done));
    // Reading the body goes on in the asynchronous context of the socket; handlers need the request's again.
    fastify.addHook('preValidation', (request, _reply, done) => {
      context.with(observations.get(request)?.context ?? context.active(), done);
    });
    fastify.addHook('onResponse', (request, reply, done) => {
      this.end(request, reply.statusCode);
      done();
    });
    fastify.addHook('onRequestAbort', (request, done) => {
      this.end(request, CLIENT_LEFT);
      done();
    });
  }

  /** For a stream: its request is answered, and its length is no latency. */
  streamOpened(request: FastifyRequest): void {
    this.end(request, 200);
  }

  private begin(request: FastifyRequest): Observation {
    const parent = contextFromTraceparent(request.headers.traceparent);
    const attributes = { 'http.request.method': request.method };
    const span = this.tracer.startSpan(request.method, { kind: SpanKind.SERVER, attributes }, parent);
    const observation = { span, context: trace.setSpan(parent, span), startedAtMs: performance.now(), over: false };
    observations.set(request, observation);
    return observation;
  }

  private end(request: FastifyRequest, status: number): void {
    const observation = observations.get(request);
    if (!observation || observation.over) return;
    observation.over = true;
    const { span, startedAtMs } = observation;
    const { method } = request;
    const route = request.routeOptions.url ?? 'unmatched';
    const durationMs = Math.round((performance.now() - startedAtMs) * 10) / 10;

    span.updateName(`${method} ${route}`);
    span.setAttributes({ 'http.route': route, 'http.response.status_code': status });
    if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
    span.end();
    this.durations.record(durationMs / 1_000, {
      'http.request.method': method,
      'http.route': route,
      'http.response.status_code': status,
    });
    context.with(observation.context, () => {
      this.logger[status >= 500 ? 'warn' : 'info']({ event: 'http.request', method, route, status, durationMs });
    });
  }
}
