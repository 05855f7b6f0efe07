import { z } from 'zod';
import { duration } from './config.ts';

test.each([
  ['500ms', 500],
  ['15s', 15_000],
  ['2m', 120_000],
  ['24h', 86_400_000],
  ['30d', 2_592_000_000],
])('reads %s as %d ms', (text, ms) => expect(duration().parse(text)).toBe(ms));

test.each(['', '15', 's', '1.5s', '-1s', '15 s', '15sec', '1s1s', ' 15s'])('refuses %p as a duration', (text) => {
  expect(duration().safeParse(text).success).toBe(false);
});

test('takes the default as it would be written', () => {
  expect(z.object({ TTL: duration('5m') }).parse({})).toEqual({ TTL: 300_000 });
});
