import { greatCircleM, type GeoPoint } from '@cabstand/contracts';
import fc from 'fast-check';
import { PositionIndex } from './position-index.ts';

/** Crowded places, so that there is somebody near; at the poles and the antimeridian, where grids go wrong. */
const centres: GeoPoint[] = [
  { lat: 52.52, lng: 13.405 },
  { lat: 0, lng: 180 },
  { lat: -16.5, lng: -179.999 },
  { lat: 90, lng: 0 },
  { lat: 89.97, lng: 60 },
  { lat: -89.999, lng: -120 },
];
const wrapped = (lng: number) => (lng > 180 ? lng - 360 : lng < -180 ? lng + 360 : lng);
const shift = fc.double({ min: -0.03, max: 0.03, noNaN: true });
const near = ({ lat, lng }: GeoPoint) =>
  fc.record({ north: shift, east: shift, turn: fc.integer({ min: -180, max: 180 }) }).map(({ north, east, turn }) => ({
    lat: Math.max(-90, Math.min(90, lat + north)),
    // So near a pole any longitude is near.
    lng: Math.abs(lat) > 89 ? turn : wrapped(lng + east),
  }));
const anywhere = fc.record({
  lat: fc.double({ min: -90, max: 90, noNaN: true }),
  lng: fc.double({ min: -180, max: 180, noNaN: true }),
});

/** A history of reports: a driver may be heard of again, elsewhere. */
const scene = fc.constantFrom(...centres).chain((centre) =>
  fc.record({
    pickup: near(centre),
    reports: fc.array(
      fc.record({
        driver: fc.nat(60),
        position: fc.oneof({ weight: 9, arbitrary: near(centre) }, { weight: 1, arbitrary: anywhere }),
        atMs: fc.nat(10),
      }),
      { maxLength: 150 },
    ),
    forgottenMs: fc.nat(4),
    sinceMs: fc.nat(8),
    count: fc.integer({ min: 1, max: 70 }),
    maxM: fc.oneof(fc.integer({ min: 1, max: 12_000 }), fc.constant(21_000_000)),
  }),
);
/** Many who stay, far away: with them a search goes by cells, without them by drivers. */
const crowd = { count: 200, at: (i: number) => ({ lat: -30 + (i % 60) / 100, lng: 20 + Math.floor(i / 60) / 100 }) };

it.each([
  ['few', 0],
  ['many', crowd.count],
])('no nearer driver is ever missed among %s, wherever on earth', (_, others) => {
  fc.assert(
    fc.property(scene, ({ pickup, reports, forgottenMs, sinceMs, count, maxM }) => {
      const index = new PositionIndex();
      const known = new Map<string, { position: GeoPoint; atMs: number }>();
      const report = (driverId: string, position: GeoPoint, atMs: number) => {
        index.set(driverId, position, atMs);
        known.set(driverId, { position, atMs });
      };
      for (let i = 0; i < others; i++) report(`far-${i}`, crowd.at(i), 10);
      for (const { driver, position, atMs } of reports) report(`driver-${driver}`, position, atMs);
      index.forgetBefore(forgottenMs);
      for (const [driverId, { atMs }] of known) if (atMs < forgottenMs) known.delete(driverId);
      expect(index.size).toBe(known.size);

      const found = index.nearest(pickup, count, maxM, sinceMs);
      const distances = [...known]
        .filter(([, { atMs }]) => atMs >= sinceMs)
        .map(([driverId, { position }]) => ({ driverId, distanceM: greatCircleM(position, pickup) }))
        .filter(({ distanceM }) => distanceM <= maxM)
        .sort((a, b) => a.distanceM - b.distanceM)
        .slice(0, count);
      const foundM = found.map(({ position }) => greatCircleM(position, pickup)).sort((a, b) => a - b);
      expect(foundM).toHaveLength(distances.length);
      // Of two at the same distance, to the millimetre, either is right.
      expect(Math.max(0, ...distances.map(({ distanceM }, i) => Math.abs(foundM[i]! - distanceM)))).toBeLessThan(0.001);
      expect(new Set(found.map(({ driverId }) => driverId)).size).toBe(found.length);
      expect(found).toEqual(found.map(({ driverId }) => ({ driverId, ...known.get(driverId) })));
    }),
    { numRuns: 200 },
  );
});

it('grows without losing anybody', () => {
  const index = new PositionIndex();
  for (let i = 0; i < 5_000; i++) index.set(`driver-${i}`, { lat: 52 + i / 50_000, lng: 13 }, 1);
  for (let i = 0; i < 5_000; i++) index.set(`driver-${i}`, { lat: 52 + i / 50_000, lng: 13.1 }, i);
  expect(index.nearest({ lat: 52, lng: 13.1 }, 10_000, 20_000, 0)).toHaveLength(5_000);
  expect(index.get('driver-4999')).toEqual({
    driverId: 'driver-4999',
    position: { lat: 52.09998, lng: 13.1 },
    atMs: 4_999,
  });
  index.forgetBefore(4_000);
  expect(index.nearest({ lat: 52, lng: 13.1 }, 10_000, 20_000, 0)).toHaveLength(1_000);
});
