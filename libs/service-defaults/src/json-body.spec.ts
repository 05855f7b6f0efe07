import fc from 'fast-check';
import { isDeeperThan, unstorablePath } from './json-body.ts';

test.each([
  [{ a: { b: ['x', 'y\0'] } }, 'a.b.1'],
  [{ a: '\ud800' }, 'a'],
  [{ 'k\0': 1 }, ''],
  ['\0', ''],
])('finds what cannot be stored in %j', (value, path) => expect(unstorablePath(value)).toBe(path));

test('lets everything else through', () => {
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
      const text = JSON.stringify(value);
      const isStorable = !text.includes('\\u0000') && !/\\ud[89a-f]/.test(text);
      fc.pre(isStorable);
      expect(unstorablePath(value)).toBeUndefined();
    }),
  );
});

test('walks 100,000 levels without recursion', () => {
  const deep = JSON.parse(`${'['.repeat(100_000)}"\\u0000"${']'.repeat(100_000)}`) as unknown;
  expect(unstorablePath(deep)).toMatch(/^0\.0\.0/);
});

test.each([
  ['{"a":[1]}', 2, false],
  ['{"a":[1]}', 1, true],
  ['[[],[],[[]]]', 2, true],
  ['[[],[],[]]', 2, false],
  ['{"a":"[[[{{{"}', 1, false],
  ['{"a":"\\"[[[","b":"\\\\"}', 1, false],
  ['{"a":"\\\\","b":[[1]]}', 2, true],
  ['"[[[', 1, false],
  [']]][[', 1, false],
])('sees that %s nests deeper than %d: %p', (json, most, isDeeper) => {
  expect(isDeeperThan(most, json)).toBe(isDeeper);
});
