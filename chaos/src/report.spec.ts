import { isComplete, isMet, type Figure } from './report.ts';

const kills = (value: number): Figure => ({ name: 'broker kills', value, unit: '', atLeast: 30, isPlan: true });
const lost = (value: number): Figure => ({ name: 'library: lost', value, unit: '', atMost: 0 });

it.each<[string, Figure[], boolean]>([
  ['everything', [kills(30), lost(0)], true],
  ['everything, which broke a promise', [kills(30), lost(1)], true],
  ['less than planned, which broke none', [kills(29), lost(0)], false],
  ['nothing, because it did not come to its end', [], false],
  ['nothing that it counted', [lost(0)], false],
])('knows whether a run is complete that did %s', (_, figures, complete) => {
  expect(isComplete(figures)).toBe(complete);
});

it('fails a run for what was left out as for what was broken', () => {
  expect([kills(30), lost(0)].every(isMet)).toBe(true);
  expect(isMet(kills(29))).toBe(false);
  expect(isMet(lost(1))).toBe(false);
});
