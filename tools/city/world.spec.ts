import { distanceM, headingDeg, pointNear, randomOf, towards } from './world.ts';

it('is the same city for the same seed, and another one for another', () => {
  const take = (seed: number) => {
    const random = randomOf(seed);
    return Array.from({ length: 100 }, () => pointNear(random, 3_000));
  };
  expect(take(7)).toEqual(take(7));
  expect(take(7)).not.toEqual(take(8));
});

it('places people within the radius, all around', () => {
  const random = randomOf(1);
  const centre = { lat: 52.52, lng: 13.405 };
  const points = Array.from({ length: 1_000 }, () => pointNear(random, 1_000, centre));
  const distances = points.map((point) => distanceM(centre, point));
  expect(Math.max(...distances)).toBeLessThan(1_001);
  // Half of a disc's area lies beyond 71 % of its radius.
  expect(distances.filter((distance) => distance > 707).length).toBeGreaterThan(430);
  expect(new Set(points.map((point) => Math.floor(headingDeg(centre, point) / 90))).size).toBe(4);
});

it('drives the straight way, and stops where it ends', () => {
  const from = { lat: 52.52, lng: 13.405 };
  const to = { lat: 52.53, lng: 13.405 };
  const half = towards(from, to, distanceM(from, to) / 2);
  expect(half.lat).toBeCloseTo(52.525, 5);
  expect(headingDeg(from, half)).toBe(0);
  expect(towards(half, to, 10_000)).toEqual(to);
});
