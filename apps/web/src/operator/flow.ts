import type { Span } from './operator-api.ts';

export type Stage = 'http' | 'outbox' | 'exchange' | 'queue' | 'handler';

/** One thing that happened to an event, or that waited to happen. */
export interface Step {
  stage: Stage;
  service: string;
  /** A route, an exchange with the event's type, a queue, or the event that is handled. */
  what: string;
  startedAtMs: number;
  durationMs: number;
  hasFailed: boolean;
  /** Handlings of a message are counted from 1. */
  attempt: number;
}

/** What one request, or one sweep, set off. */
export interface Chapter {
  traceId: string;
  startedAtMs: number;
  steps: Step[];
}

/** The story of a trip from the spans of its traces: HTTP call → outbox → exchange → queue → handler, and again. */
export function chaptersOf(spans: Span[]): Chapter[] {
  return [...Map.groupBy(spans, ({ traceId }) => traceId)]
    .map(([traceId, trace]) => {
      const byId = new Map(trace.map((span) => [span.spanId, span]));
      const steps = trace
        .flatMap((span) => stepsOf(span, byId.get(span.parentSpanId ?? '')))
        .toSorted((a, b) => a.startedAtMs - b.startedAtMs || ORDER[a.stage] - ORDER[b.stage]);
      return { traceId, startedAtMs: steps[0]?.startedAtMs ?? 0, steps };
    })
    .filter(({ steps }) => steps.length > 0)
    .toSorted((a, b) => a.startedAtMs - b.startedAtMs);
}

const ORDER: Record<Stage, number> = { http: 0, outbox: 1, exchange: 2, queue: 3, handler: 4 };

function stepsOf(span: Span, parent: Span | undefined): Step[] {
  const { service, name, startedAtMs, endedAtMs, hasFailed, attributes } = span;
  const place = String(attributes['messaging.destination.name']);
  const step = { service, hasFailed, attempt: Number(attributes['messaging.attempt'] ?? 1) };
  const took = { startedAtMs, durationMs: endedAtMs - startedAtMs };
  const waited = (sinceMs: number) => ({
    startedAtMs: Math.min(sinceMs, startedAtMs),
    durationMs: Math.max(0, startedAtMs - sinceMs),
    hasFailed: false,
  });
  if (span.kind === 'server') return [{ ...step, ...took, stage: 'http', what: name }];
  if (span.kind === 'producer') {
    const what = `${name.replace('publish ', '')} → ${place}`;
    const outbox: Step[] = parent
      ? [{ ...step, ...waited(parent.endedAtMs), stage: 'outbox', what: `${service}’s outbox` }]
      : [];
    return [...outbox, { ...step, ...took, stage: 'exchange', what }];
  }
  if (span.kind !== 'consumer') return [];
  // The broker has it from when it was sent, some time before it says so.
  const queue: Step[] = parent ? [{ ...step, ...waited(parent.startedAtMs), stage: 'queue', what: place }] : [];
  return [...queue, { ...step, ...took, stage: 'handler', what: name.replace('process ', '') }];
}

/** Services that take part, in the order in which they come in. */
export const castOf = (chapters: Chapter[]): string[] => [
  ...new Set(chapters.flatMap(({ steps }) => steps.map(({ service }) => service))),
];
