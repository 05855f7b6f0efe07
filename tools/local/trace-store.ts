import type { Span } from './spans.ts';

/** Traces of events. */
const MOST = 10_000;
/** Traces that no event belongs to yet: most of them (a position, a page that asks again) never get one. */
const MOST_WITHOUT_EVENT = 2_000;
const MOST_SPANS = 500;
/** Of the aggregate that an event is about, on the spans that publish and handle it. */
const SUBJECT = 'cloudevents.event_subject';

/** The newest traces, in memory: what tells the story of a trip on a developer's machine, and nothing more. */
export class TraceStore {
  /** Maps keep the order of insertion: the first is the oldest. */
  readonly #traces = new Map<string, Span[]>();
  readonly #withoutEvent = new Map<string, Span[]>();
  readonly #tracesOf = new Map<string, Set<string>>();

  get size(): number {
    return this.#traces.size;
  }

  add(spans: Span[]): void {
    for (const span of spans) {
      const subject = span.attributes[SUBJECT];
      if (typeof subject === 'string') this.#keep(span.traceId, subject);
      const trace = this.#traces.get(span.traceId) ?? this.#undecided(span.traceId);
      if (trace.length < MOST_SPANS) trace.push(span);
    }
  }

  /** Every span of every trace in which an event about it was published or handled, in order of their start. */
  about(subject: string): Span[] {
    const traces = [...(this.#tracesOf.get(subject) ?? [])].flatMap((id) => this.#traces.get(id) ?? []);
    return traces.toSorted((a, b) => a.startedAtMs - b.startedAtMs);
  }

  #keep(traceId: string, subject: string): void {
    const known = this.#tracesOf.get(subject) ?? new Set();
    this.#tracesOf.set(subject, known.add(traceId));
    if (this.#traces.has(traceId)) return;
    this.#traces.set(traceId, this.#withoutEvent.get(traceId) ?? []);
    this.#withoutEvent.delete(traceId);
    if (this.#traces.size > MOST) this.#forgetOldest();
  }

  #undecided(traceId: string): Span[] {
    const known = this.#withoutEvent.get(traceId);
    if (known) return known;
    const trace: Span[] = [];
    this.#withoutEvent.set(traceId, trace);
    const [oldest] = this.#withoutEvent.keys();
    if (this.#withoutEvent.size > MOST_WITHOUT_EVENT) this.#withoutEvent.delete(oldest!);
    return trace;
  }

  #forgetOldest(): void {
    const [[traceId, spans]] = this.#traces.entries() as unknown as [[string, Span[]]];
    this.#traces.delete(traceId);
    for (const subject of new Set(spans.map(({ attributes }) => String(attributes[SUBJECT])))) {
      const traces = this.#tracesOf.get(subject);
      traces?.delete(traceId);
      if (traces?.size === 0) this.#tracesOf.delete(subject);
    }
  }
}
