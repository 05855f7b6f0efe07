import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { violations, type Level, type Pod } from '../src/pod-security.ts';

/**
 * The Kubernetes project's own pods (pod-security-admission, test/testdata): one folder for each level, with `pass` and
 * `fail` in it.
 */
const FOLDER = process.env.POD_SECURITY_FIXTURES;
const LEVELS: Level[] = ['baseline', 'restricted'];

const podsOf = (folder: string, verdict: 'pass' | 'fail') =>
  readdirSync(join(folder, verdict)).map((file) => ({
    file,
    pod: parse(readFileSync(join(folder, verdict, file), 'utf8')) as Pod,
  }));

if (FOLDER) {
  it.each(LEVELS)('every pod that upstream refuses at %s violates it, and no other', (level) => {
    const refused = podsOf(join(FOLDER, level), 'fail');
    const taken = podsOf(join(FOLDER, level), 'pass');
    process.stdout.write(`${level}: ${refused.length} pods to refuse, ${taken.length} to take\n`);
    expect(refused.length).toBeGreaterThan(30);
    expect(refused.filter(({ pod }) => violations(level, pod).length === 0).map(({ file }) => file)).toEqual([]);
    expect(
      taken
        .map(({ file, pod }) => ({ file, violations: violations(level, pod) }))
        .filter((each) => each.violations.length),
    ).toEqual([]);
  });
} else {
  it("our checker is not held against upstream's pods: POD_SECURITY_FIXTURES names no folder of them", () => undefined);
}
