import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { addUp, failedTasks, readTestResults } from './test-results.ts';

const folder = mkdtempSync(join(tmpdir(), 'cabstand-results-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const suite = (status: string, ...assertions: [status: string, fullName: string][]) => ({
  name: '/somewhere/fare.spec.ts',
  status,
  assertionResults: assertions.map(([status, fullName]) => ({ status, fullName })),
});
const write = (project: string, numPassedTests: number, ...testResults: object[]) =>
  writeFileSync(join(folder, `${project}.test.json`), JSON.stringify({ numPassedTests, testResults }));

describe('the count of a test run', () => {
  it('names each failed test', () => {
    write('trip', 2, suite('failed', ['passed', 'a'], ['failed', 'fare is final'], ['passed', 'b']));
    expect(readTestResults(folder, 'trip', 'test', true)).toEqual({
      target: 'test',
      passed: 2,
      failed: 1,
      failures: ['fare is final'],
    });
  });

  it('counts a suite that could not run, and a project that failed outside its tests, as failures', () => {
    write('driver', 0, suite('failed'));
    write('web', 1, suite('passed', ['passed', 'a']));
    expect(readTestResults(folder, 'driver', 'test', true)).toMatchObject({ passed: 0, failed: 1 });
    expect(readTestResults(folder, 'web', 'test', true)).toMatchObject({ passed: 1, failed: 1 });
    expect(readTestResults(folder, 'nobody', 'test', true)).toMatchObject({ passed: 0, failed: 1 });
    expect(readTestResults(folder, 'nobody', 'test', false)).toMatchObject({ passed: 0, failed: 0 });
  });

  it('adds up', () => {
    const tally = (passed: number, failed: number) => ({ target: 'test', passed, failed, failures: [] });
    expect(addUp('all', [tally(3, 0), tally(4, 1)])).toMatchObject({ passed: 7, failed: 1 });
  });
});

describe("Nx's output", () => {
  it('tells which tasks failed', () => {
    const printed =
      ' NX   Running targets failed\n\n\x1b[31mFailed tasks:\x1b[39m\n\n- infra:lint\n- trip:typecheck\n\n  Run duration: 7s\n';
    expect(failedTasks(printed)).toEqual(new Set(['infra:lint', 'trip:typecheck']));
    expect(failedTasks(' NX   Successfully ran target lint')).toEqual(new Set());
  });

  it('tells which tasks were interrupted', () => {
    const printed = 'Tasks stopped before they finished:\n\n- e2e:e2e\n\nFailed tasks:\n\n- infra:lint\n';
    expect(failedTasks(printed)).toEqual(new Set(['e2e:e2e', 'infra:lint']));
  });
});
