import type { ServiceName } from '@cabstand/contracts';
import { context, isValidSpanId, isValidTraceId, metrics, ROOT_CONTEXT, trace, type Context } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { RuntimeNodeInstrumentation } from '@opentelemetry/instrumentation-runtime-node';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { randomUUID } from 'node:crypto';
import type { BaseConfig } from './config.ts';

/** Traces and metrics of this process: OpenTelemetry allows one of each. */
export interface Telemetry {
  prometheus: PrometheusExporter;
  /** Sends what is left; gives up after a second. */
  shutdown(): Promise<void>;
}
let started: Telemetry | undefined;

/**
 * Traces and metrics are always collected, so that every log line and error answer has a trace id and
 * `/metrics` works; they are sent out by OTLP where the standard variables say so. Spans are made by hand:
 * instrumentation that patches modules doesn't survive bundling.
 */
export function startTelemetry(service: ServiceName, config: BaseConfig): Telemetry {
  if (started) return started;
  const resource = resourceFromAttributes({ 'service.name': service, 'service.instance.id': randomUUID() });
  const endpoint = config.OTEL_EXPORTER_OTLP_ENDPOINT;
  const sendsTraces = Boolean(endpoint ?? config.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT);
  const sendsMetrics = Boolean(endpoint ?? config.OTEL_EXPORTER_OTLP_METRICS_ENDPOINT);

  const tracing = new BasicTracerProvider({
    resource,
    spanProcessors: sendsTraces ? [new BatchSpanProcessor(new OTLPTraceExporter())] : [],
  });
  const prometheus = new PrometheusExporter({ preventServerStart: true });
  const metering = new MeterProvider({
    resource,
    readers: [
      prometheus,
      ...(sendsMetrics ? [new PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter() })] : []),
    ],
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  trace.setGlobalTracerProvider(tracing);
  metrics.setGlobalMeterProvider(metering);
  observeProcess(metering);

  const shutdown = async () => {
    const timeout = new Promise((resolve) => setTimeout(resolve, 1_000).unref());
    await Promise.race([Promise.allSettled([tracing.shutdown(), metering.shutdown()]), timeout]);
  };
  started = { prometheus, shutdown };
  return started;
}

function observeProcess(metering: MeterProvider): void {
  new RuntimeNodeInstrumentation().setMeterProvider(metering);
  metering
    .getMeter('process')
    .createObservableGauge('process.memory.usage', { unit: 'By', description: 'Resident set size' })
    .addCallback((result) => result.observe(process.memoryUsage.rss()));
}

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** The context that a `traceparent` header (W3C Trace Context) stands for; a new trace without a valid one. */
export function contextFromTraceparent(traceparent: string | string[] | undefined): Context {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(String(traceparent)) ?? [];
  if (!traceId || !spanId || !flags || !isValidTraceId(traceId) || !isValidSpanId(spanId)) return ROOT_CONTEXT;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: parseInt(flags, 16), isRemote: true });
}
