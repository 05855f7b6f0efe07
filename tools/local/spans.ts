/** What is kept of an exported span. */
export interface Span {
  service: string;
  traceId: string;
  spanId: string;
  parentSpanId: string | undefined;
  name: string;
  kind: 'internal' | 'server' | 'client' | 'producer' | 'consumer';
  /** Milliseconds since 1970, to the microsecond. */
  startedAtMs: number;
  endedAtMs: number;
  hasFailed: boolean;
  attributes: Record<string, unknown>;
}

interface OtlpAttribute {
  key: string;
  value: Record<string, unknown>;
}
interface OtlpSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind?: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  status?: { code?: number };
  attributes?: OtlpAttribute[];
}
/** The body of OTLP over HTTP in JSON (opentelemetry-proto, ExportTraceServiceRequest), as far as it is read here. */
export interface OtlpTraces {
  resourceSpans?: {
    resource?: { attributes?: OtlpAttribute[] };
    scopeSpans?: { spans?: OtlpSpan[] }[];
  }[];
}

const KINDS = ['internal', 'internal', 'server', 'client', 'producer', 'consumer'] as const;
const ERROR = 2;

export function spansOf({ resourceSpans = [] }: OtlpTraces): Span[] {
  return resourceSpans.flatMap(({ resource, scopeSpans = [] }) => {
    const service = String(flat(resource?.attributes)['service.name']);
    return scopeSpans
      .flatMap(({ spans = [] }) => spans)
      .map(({ traceId, spanId, name, ...span }) => ({
        ...{ service, traceId, spanId, name },
        parentSpanId: span.parentSpanId || undefined,
        kind: KINDS[span.kind ?? 0] ?? 'internal',
        startedAtMs: millisecondsOf(span.startTimeUnixNano),
        endedAtMs: millisecondsOf(span.endTimeUnixNano),
        hasFailed: span.status?.code === ERROR,
        attributes: flat(span.attributes),
      }));
  });
}

/** Nanoseconds since 1970 are more than a double holds exactly. */
const millisecondsOf = (nanoseconds: string) => Number(BigInt(nanoseconds) / 1_000n) / 1_000;

const flat = (attributes: OtlpAttribute[] = []): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
