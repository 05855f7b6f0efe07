import fc from 'fast-check';
import { greatCircleM } from '@cabstand/contracts';
import { rank } from './ranking.ts';

const position = fc.record({
  lat: fc.double({ min: 52.4, max: 52.6, noNaN: true }),
  lng: fc.double({ min: 13.2, max: 13.6, noNaN: true }),
});
const candidates = fc.uniqueArray(fc.record({ driverId: fc.uuid(), position }), {
  selector: ({ driverId }) => driverId,
  maxLength: 40,
});

test('no nearer driver is ever missed, and nobody beyond the limit is asked', () => {
  fc.assert(
    fc.property(position, candidates, fc.integer({ min: 0, max: 15_000 }), (pickup, drivers, maxPickupM) => {
      const left = drivers.map(({ driverId, position: at }) => ({ driverId, distanceM: greatCircleM(at, pickup) }));
      // Brute force: take out the nearest, again and again.
      const expected: string[] = [];
      for (;;) {
        const within = left.filter(
          ({ driverId, distanceM }) => distanceM <= maxPickupM && !expected.includes(driverId),
        );
        if (within.length === 0) break;
        const nearestM = Math.min(...within.map(({ distanceM }) => distanceM));
        const ties = within.filter(({ distanceM }) => distanceM === nearestM).map(({ driverId }) => driverId);
        expected.push(ties.sort()[0]!);
      }
      expect(rank(pickup, drivers, maxPickupM).map(({ driverId }) => driverId)).toEqual(expected);
    }),
  );
});

test('the order in which drivers were found doesn’t matter', () => {
  fc.assert(
    fc.property(position, candidates, (pickup, drivers) => {
      expect(rank(pickup, drivers.toReversed(), 10_000)).toEqual(rank(pickup, drivers, 10_000));
    }),
  );
});
