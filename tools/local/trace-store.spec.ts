import { spansOf, type OtlpTraces } from './spans.ts';
import { TraceStore } from './trace-store.ts';

const hex = (number: number) => number.toString(16).padStart(32, '0');

/** As the services send it. */
function exported(service: string, traceId: string, name: string, startedAtMs: number, subject?: string): OtlpTraces {
  const attributes = subject ? [{ key: 'cloudevents.event_subject', value: { stringValue: subject } }] : [];
  const at = `${startedAtMs}000000`;
  const span = { traceId, spanId: name, name, kind: 4, startTimeUnixNano: at, endTimeUnixNano: at, attributes };
  return {
    resourceSpans: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: service } }] },
        scopeSpans: [{ spans: [span] }],
      },
    ],
  };
}

const add = (store: TraceStore, ...of: Parameters<typeof exported>) => store.add(spansOf(exported(...of)));

it('tells the whole of each trace that an event of a trip belongs to, in whatever order its parts come', () => {
  const store = new TraceStore();
  add(store, 'driver', hex(1), 'process trip.requested', 20, 'a');
  add(store, 'trip', hex(1), 'publish trip.requested', 10, 'a');
  add(store, 'trip', hex(1), 'POST /v1/trips', 0);
  add(store, 'trip', hex(2), 'GET /v1/trips', 5);
  add(store, 'trip', hex(3), 'publish trip.arrived', 30, 'a');
  add(store, 'trip', hex(4), 'publish trip.requested', 8, 'b');
  expect(store.about('a').map(({ service, name, startedAtMs }) => [service, name, startedAtMs])).toEqual([
    ['trip', 'POST /v1/trips', 0],
    ['trip', 'publish trip.requested', 10],
    ['driver', 'process trip.requested', 20],
    ['trip', 'publish trip.arrived', 30],
  ]);
  expect(store.about('c')).toEqual([]);
});

it('keeps the newest 10,000 and is not swept away by what has no event', () => {
  const store = new TraceStore();
  for (let i = 0; i < 10_001; i++) add(store, 'trip', hex(i), 'publish trip.requested', i, `trip ${i}`);
  for (let i = 20_000; i < 25_000; i++) add(store, 'driver', hex(i), 'POST /v1/drivers/me/positions', i);
  expect(store.size).toBe(10_000);
  expect(store.about('trip 0')).toEqual([]);
  expect(store.about('trip 1')).toHaveLength(1);
  // The first of those without an event are forgotten, the last are not: their event may be on its way.
  add(store, 'trip', hex(20_000), 'publish trip.arrived', 1, 'old');
  add(store, 'trip', hex(24_999), 'publish trip.arrived', 1, 'new');
  expect([store.about('old').length, store.about('new').length]).toEqual([1, 2]);
});

it('is exact to the microsecond', () => {
  const otlp = exported('trip', hex(1), 'x', 0);
  otlp.resourceSpans![0]!.scopeSpans![0]!.spans![0]!.startTimeUnixNano = '1760000000123456789';
  expect(spansOf(otlp)[0]!.startedAtMs).toBe(1_760_000_000_123.456);
});
