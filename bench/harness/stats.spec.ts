import { inRounds } from './rounds.ts';
import { figure, isShort, ratios } from './figures.ts';
import { median, percentile, randomOf, shuffled } from './stats.ts';

test('the median of an even number of values is between the two in the middle', () => {
  expect(median([9, 1, 3])).toBe(3);
  expect(median([4, 1, 3, 2])).toBe(2.5);
});

test('a percentile is a value that was measured', () => {
  const values = Array.from({ length: 100 }, (_, i) => i + 1);
  expect([50, 99, 100].map((percent) => percentile(values, percent))).toEqual([50, 99, 100]);
  expect(percentile([7], 99)).toBe(7);
});

test('a seed replays the order', () => {
  const order = (seed: number) => shuffled([1, 2, 3, 4, 5, 6, 7, 8], randomOf(seed)).join();
  expect(order(1)).toBe(order(1));
  expect(order(1)).not.toBe(order(2));
});

test('each round measures everything once', async () => {
  const calls: string[] = [];
  const measure = (name: string) => () => Promise.resolve(calls.push(name));
  const results = await inRounds('order', 3, randomOf(1), { a: measure('a'), b: measure('b') });
  expect(
    [0, 2, 4].map((first) =>
      calls
        .slice(first, first + 2)
        .sort()
        .join(),
    ),
  ).toEqual(['a,b', 'a,b', 'a,b']);
  expect(results.a).toHaveLength(3);
});

test('a figure is short when it misses its demand in either direction, or was not measured', () => {
  const shortOf = (value: number, demand: object) => isShort(figure('f', '×', [value], demand));
  expect(shortOf(0.59, { atLeast: 0.6 })).toBe(true);
  expect(shortOf(0.6, { atLeast: 0.6 })).toBe(false);
  expect(shortOf(4.1, { atMost: 4 })).toBe(true);
  expect(shortOf(4, { atMost: 4 })).toBe(false);
  expect(shortOf(NaN, { atLeast: 0.6 })).toBe(true);
  expect(shortOf(0, {})).toBe(false);
});

test('quotients are made within a round', () => {
  expect(ratios([10, 30], [10, 10])).toEqual([1, 3]);
});
