import { castOf, chaptersOf } from './flow.ts';
import type { Span } from './operator-api.ts';

const span = (spanId: string, parentSpanId: string, from: number, to: number, of: Partial<Span>): Span => ({
  ...{ traceId: 'a', spanId, parentSpanId, service: 'trip', name: '', kind: 'internal' },
  ...{ startedAtMs: from, endedAtMs: to, hasFailed: false, attributes: {} },
  ...of,
});
const at = (place: string, attempt = 1) => ({
  attributes: { 'messaging.destination.name': place, 'messaging.attempt': attempt },
});

it('tells an event’s way with what it waited for', () => {
  const requested = 'trip.requested';
  const spans = [
    span('1', '', 0, 90, { name: 'POST /v1/trips', kind: 'server' }),
    span('2', '1', 5, 80, { name: 'transaction' }),
    span('3', '2', 100, 110, { name: `publish ${requested}`, kind: 'producer', ...at('trip.events') }),
    span('4', '3', 130, 150, {
      ...{ name: `process ${requested}`, kind: 'consumer', service: 'driver', hasFailed: true },
      ...at('driver.trip-events', 2),
    }),
    { ...span('5', '', 500, 501, { name: 'POST /v1/trips/:id/arrive', kind: 'server' }), traceId: 'b' },
  ];
  const chapters = chaptersOf(spans.toReversed());
  expect(chapters.map(({ traceId, startedAtMs }) => [traceId, startedAtMs])).toEqual([
    ['a', 0],
    ['b', 500],
  ]);
  expect(chapters[0]!.steps.map(({ stage, what, durationMs }) => [stage, what, durationMs])).toEqual([
    ['http', 'POST /v1/trips', 90],
    ['outbox', 'trip’s outbox', 20],
    ['exchange', 'trip.requested → trip.events', 10],
    ['queue', 'driver.trip-events', 30],
    ['handler', 'trip.requested', 20],
  ]);
  expect(chapters[0]!.steps.at(-1)).toMatchObject({ hasFailed: true, attempt: 2, service: 'driver' });
  expect(castOf(chapters)).toEqual(['trip', 'driver']);
});

it('tells what it knows where the beginning is missing', () => {
  const [chapter] = chaptersOf([span('4', 'gone', 130, 150, { name: 'process x', kind: 'consumer', ...at('q') })]);
  expect(chapter!.steps).toMatchObject([{ stage: 'handler', what: 'x' }]);
});
