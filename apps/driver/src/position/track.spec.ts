import fc from 'fast-check';
import { follow, followAll, MAX_CLOCK_SKEW_MS, type Point, type Track } from './track.ts';

const now = new Date('2026-01-01T12:00:00Z');
/** A point so many metres north of the start, so many seconds ago. */
const at = (metres: number, agoS: number): Point => ({
  ...{ lat: metres / 111_195, lng: 0, headingDeg: null, speedMps: null },
  at: new Date(now.getTime() - agoS * 1_000),
});
const nowhere: Track = { last: null, suspect: null };

test('follows a driver who drives', () => {
  const { track, dropped } = followAll(nowhere, [at(0, 3), at(40, 2), at(80, 1)], now);
  expect({ track, dropped }).toEqual({ track: { last: at(80, 1), suspect: null }, dropped: [] });
});

test.each([
  ['older than what is known', at(0, 5), 'out-of-order'],
  ['just as old', at(0, 4), 'out-of-order'],
  ['an hour old', at(0, 3_601), 'stale'],
  ['ahead of time', at(0, -11), 'future'],
  ['farther than a car gets', at(1_000, 3), 'absurd'],
])('drops a point that is %s', (_, point, reason) => {
  const { track, dropped } = follow({ last: at(0, 4), suspect: null }, point, now);
  expect(dropped).toBe(reason);
  expect(track.last).toEqual(at(0, 4));
});

test('a device whose clock is a little ahead is believed', () => {
  expect(follow(nowhere, at(0, -MAX_CLOCK_SKEW_MS / 1_000), now).dropped).toBeNull();
});

test('when the next point confirms the impossible one, it was the older that was wrong', () => {
  const jump = follow({ last: at(0, 4), suspect: null }, at(50_000, 3), now);
  expect(jump.dropped).toBe('absurd');
  expect(follow(jump.track, at(50_020, 2), now)).toEqual({
    track: { last: at(50_020, 2), suspect: null },
    dropped: null,
  });
  expect(follow(jump.track, at(30, 2), now)).toEqual({ track: { last: at(30, 2), suspect: null }, dropped: null });
});

test('time never goes back, in whatever order points come and in whatever batches', () => {
  const point = fc.record({ metres: fc.integer({ min: 0, max: 3_000 }), agoS: fc.integer({ min: -20, max: 5_000 }) });
  // Of two points of the same moment the first one counts, so a batch without them says the same in any order.
  const batch = fc.uniqueArray(point, { selector: ({ agoS }) => agoS });
  fc.assert(
    fc.property(fc.array(batch), (batches) => {
      let track = nowhere;
      for (const batch of batches) {
        const points = batch.map(({ metres, agoS }) => at(metres, agoS));
        const next = followAll(track, points, now);
        if (track.last) expect(next.track.last!.at >= track.last.at).toBe(true);
        expect(followAll(track, points.toReversed(), now)).toEqual(next);
        track = next.track;
      }
    }),
  );
});
