import { along, distanceM, headingDeg, offset, randomOf } from './world.ts';

it('draws the same numbers from the same seed, and others from another', () => {
  const take = (seed: number) => Array.from({ length: 100 }, randomOf(seed));
  expect(take(7)).toEqual(take(7));
  expect(take(7)).not.toEqual(take(8));
});

it('drives a way around its corners, and stops where it ends', () => {
  const [from, corner, to] = [offset(0, 0), offset(0, 300), offset(400, 300)];
  const first = along(from, [corner, to], 100);
  expect(distanceM(from, first.at)).toBeCloseTo(100, 0);
  expect(first.left).toEqual([corner, to]);
  const second = along(first.at, first.left, 300);
  expect(distanceM(corner, second.at)).toBeCloseTo(100, 0);
  expect(headingDeg(corner, second.at)).toBe(90);
  expect(second.left).toEqual([to]);
  expect(along(second.at, second.left, 10_000)).toEqual({ at: to, left: [] });
});
