import { FAULTS, tallyOf, type Evidence } from './tally.ts';

/** Four transactions: one ordinary, one published twice, one poison, one rolled back. */
const sound = (): Evidence => ({
  attempted: new Set(['a', 'b', 'p', 'r']),
  acknowledged: new Set(['a', 'p']),
  committed: new Set(['a', 'b', 'p']),
  poison: new Set(['p']),
  publications: [
    { token: 'a', subject: 's', sequence: 1 },
    { token: 'b', subject: 's', sequence: 2 },
    { token: 'a', subject: 's', sequence: 1 },
    { token: 'p', subject: 't', sequence: 1 },
  ],
  effects: ['a', 'b'],
  deadLetters: ['p'],
  stuck: 0,
});

const faultsOf = (evidence: Evidence) => {
  const tally = tallyOf(evidence);
  return FAULTS.filter((fault) => tally[fault] > 0);
};

it('finds nothing wrong with a run that kept every promise, though it published twice', () => {
  expect(tallyOf(sound())).toMatchObject({ attempted: 4, committed: 3, published: 3, publishedAgain: 1 });
  expect(faultsOf(sound())).toEqual([]);
});

it.each<[string, (evidence: Evidence) => void, string[]]>([
  ['an effect that is missing', (e) => (e.effects = ['a']), ['lost']],
  ['an effect that is there twice', (e) => e.effects.push('a'), ['duplicated']],
  ['an effect of what is dead as well', (e) => e.deadLetters.push('a'), ['duplicated', 'wronglyDead']],
  [
    'a rolled back transaction that was heard of',
    (e) => e.publications.push({ token: 'r', subject: 'u', sequence: 1 }),
    ['publishedWithoutCommit'],
  ],
  ['a commit that nobody was told of', (e) => e.publications.shift(), ['outOfOrder']],
  ['a promise without a row', (e) => e.acknowledged.add('r'), ['acknowledgedButNotCommitted']],
  ['an event that overtook', (e) => e.publications.reverse().splice(1, 1), ['outOfOrder']],
  ['poison that had an effect', (e) => (e.effects.push('p'), e.deadLetters.pop()), ['wronglyDead']],
  ['something that did not come to rest', (e) => (e.stuck = 1), ['stuck']],
])('names %s', (_, tamper, faults) => {
  const evidence = sound();
  tamper(evidence);
  expect(faultsOf(evidence)).toEqual(faults);
});

it('names a commit that was never published', () => {
  const evidence = sound();
  evidence.publications = evidence.publications.filter(({ token }) => token !== 'b');
  expect(faultsOf(evidence)).toEqual(['neverPublished']);
});
