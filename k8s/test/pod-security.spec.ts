import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { violations, type Level, type Pod } from '../src/pod-security.ts';

/**
 * The Kubernetes project's own pods (pod-security-admission, test/testdata): one folder for each level, with `pass` and
 * `fail` in it.
 */
const FOLDER = process.env.POD_SECURITY_FIXTURES;
/** How many there are of each (v1.36), so that none can go missing unnoticed: 148 in all. */
const PODS: Record<Level, { pass: number; fail: number }> = {
  baseline: { pass: 15, fail: 34 },
  restricted: { pass: 23, fail: 76 },
};

const podsOf = (folder: string, verdict: 'pass' | 'fail') =>
  readdirSync(join(folder, verdict)).map((file) => ({
    file,
    pod: parse(readFileSync(join(folder, verdict, file), 'utf8')) as Pod,
  }));

if (FOLDER) {
  it.each(Object.keys(PODS) as Level[])('every pod that upstream refuses at %s violates it, and no other', (level) => {
    const refused = podsOf(join(FOLDER, level), 'fail');
    const taken = podsOf(join(FOLDER, level), 'pass');
    expect({ pass: taken.length, fail: refused.length }).toEqual(PODS[level]);
    expect(refused.filter(({ pod }) => violations(level, pod).length === 0).map(({ file }) => file)).toEqual([]);
    expect(
      taken
        .map(({ file, pod }) => ({ file, violations: violations(level, pod) }))
        .filter((each) => each.violations.length),
    ).toEqual([]);
  });
} else {
  // Neither here nor on GitHub, where nobody has put them: .ci/run names the folder where there is one.
  it("our checker against upstream's pods", ({ skip }) => skip('POD_SECURITY_FIXTURES names no folder of them'));
}
