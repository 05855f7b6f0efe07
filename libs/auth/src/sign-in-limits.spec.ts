import { waitMs } from './sign-in-limits.ts';

test.each([
  [1, 0],
  [5, 0],
  [6, 1_000],
  [7, 2_000],
  [9, 8_000],
  [10, 900_000],
  [11, 900_000],
])('the wait doubles, and then is a lock: failure %d costs %d ms', (failures, ms) => {
  expect(waitMs(failures, { free: 5, lockAfter: 10, lockMs: 900_000 })).toBe(ms);
});
