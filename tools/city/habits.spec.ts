import { Habits, type Habit } from './habits.ts';

const decisions = (habits: Habits, habit: Habit, times: number) =>
  Array.from({ length: times }, () => habits.does(habit));

it('decides the same with the same seed, whatever else is decided in between', () => {
  const alone = decisions(new Habits(7, 'driver-1'), 'declines an offer', 200);
  const busy = new Habits(7, 'driver-1');
  const between = alone.map((_, index) => {
    for (let waits = index % 3; waits > 0; waits -= 1) busy.dice('pace')();
    busy.does('overhears an offer');
    return busy.does('declines an offer');
  });
  expect(between).toEqual(alone);
  expect(decisions(new Habits(8, 'driver-1'), 'declines an offer', 200)).not.toEqual(alone);
  expect(decisions(new Habits(7, 'driver-2'), 'declines an offer', 200)).not.toEqual(alone);
});

it.each<[Habit, number]>([
  ['overhears an offer', 0.02],
  ['declines an offer', 0.1],
  ['cancels as the driver', 0.02],
  ['takes a break after a trip', 0.04],
  ['cancels as the passenger', 0.08],
])('%s about %d of the times, the whole city taken together', (habit, share) => {
  const people = Array.from({ length: 500 }, (_, index) => new Habits(1, `person-${index}`));
  const often = people.flatMap((person) => decisions(person, habit, 20)).filter(Boolean).length / 10_000;
  expect(Math.abs(often - share)).toBeLessThan(share / 4);
});
