import { Day, demandAt, tripAt } from './day.ts';
import { randomOf } from './world.ts';

it('wants the most trips in the rush hours, few at night, and changes without jumps', () => {
  expect(demandAt(8)).toBe(1);
  expect(demandAt(18)).toBe(1);
  expect(demandAt(4)).toBeLessThan(0.2);
  for (let hour = 0; hour < 24; hour += 0.05) {
    expect(demandAt(hour)).toBeGreaterThan(0);
    expect(Math.abs(demandAt(hour + 0.05) - demandAt(hour))).toBeLessThan(0.03);
  }
});

it('goes to the offices in the morning, and home from them in the evening', () => {
  const share = (hour: number, end: 'from' | 'to', name: string) => {
    const random = randomOf(1);
    return Array.from({ length: 2_000 }, () => tripAt(hour, random)[end].name === name).filter(Boolean).length / 2_000;
  };
  expect(share(8, 'to', 'offices')).toBeGreaterThan(2 * share(8, 'from', 'offices'));
  expect(share(18, 'from', 'offices')).toBeGreaterThan(2 * share(18, 'to', 'offices'));
  expect(share(1, 'from', 'riverside')).toBeGreaterThan(0.3);
});

it('begins in the morning', () => {
  expect(new Day(10).hour()).toBeCloseTo(7.5, 1);
});
