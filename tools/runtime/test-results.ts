import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify, stripVTControlCharacters } from 'node:util';
import { ROOT } from '../../infra/index.ts';
import { toolEnvironment } from './commands.ts';

export interface Tally {
  target: string;
  passed: number;
  failed: number;
  /** Names of what failed. */
  failures: string[];
}

interface TestResults {
  numPassedTests: number;
  testResults: {
    name: string;
    status: string;
    assertionResults: { status: string; fullName: string }[];
  }[];
}

/**
 * What Vitest wrote for one project. A suite that could not run at all counts as one failure, as does a failed task that
 * wrote nothing or in which no test failed: an error that nobody caught, a server that did not start.
 */
export function readTestResults(folder: string, project: string, target: string, hasFailed: boolean): Tally {
  let results: TestResults;
  try {
    results = JSON.parse(readFileSync(join(folder, `${project}.${target}.json`), 'utf8')) as TestResults;
  } catch {
    results = { numPassedTests: 0, testResults: [] };
  }
  const failures = results.testResults.flatMap(({ name, status, assertionResults }) => {
    const failed = assertionResults
      .filter((assertion) => assertion.status === 'failed')
      .map(({ fullName }) => fullName);
    if (failed.length > 0) return failed;
    return status === 'failed' ? [`${name.replace(`${ROOT}/`, '')} could not run`] : [];
  });
  if (hasFailed && failures.length === 0) failures.push(`${project}:${target} failed outside its tests`);
  return { target, passed: results.numPassedTests, failed: failures.length, failures };
}

export function addUp(target: string, tallies: Tally[]): Tally {
  return {
    target,
    passed: tallies.reduce((sum, { passed }) => sum + passed, 0),
    failed: tallies.reduce((sum, { failed }) => sum + failed, 0),
    failures: tallies.flatMap(({ failures }) => failures),
  };
}

/** The tasks that Nx names at its end as failed, or as stopped before they finished. */
export function failedTasks(printed: string): Set<string> {
  const [, ...lists] = stripVTControlCharacters(printed).split(
    /^(?:Failed tasks|Tasks stopped before they finished):$/m,
  );
  return new Set([...lists.join('').matchAll(/^- (\S+:\S+)$/gm)].map(([, task]) => task!));
}

/** Every project that has one of the targets. */
export async function tasksOf(targets: string[]): Promise<{ project: string; target: string }[]> {
  const options = { cwd: ROOT, env: toolEnvironment() };
  const found = [];
  for (const target of targets) {
    const { stdout } = await promisify(execFile)(
      'nx',
      ['show', 'projects', `--with-target=${target}`, '--json'],
      options,
    );
    for (const project of JSON.parse(stdout) as string[]) found.push({ project, target });
  }
  return found;
}
