import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../../infra/index.ts';
import type { Verdict } from './attack.ts';
import type { Result } from './report.ts';

/** Attacks that stand beside what withstands them, as specs: each test is one attack. */
export interface SpecClass {
  name: string;
  about: string;
  files: string[];
}

export const SPEC_CLASSES: readonly SpecClass[] = [
  {
    name: 'tokens',
    about: 'forged, borrowed, stripped, oversized and ambiguous access tokens, at each of the three services',
    files: ['passenger', 'driver', 'trip'].map((app) => `apps/${app}/test/tokens.attacks.spec.ts`),
  },
  {
    name: 'sessions',
    about: 'stolen, replayed, swapped and outlived refresh tokens, cookies and sessions',
    files: ['apps/e2e/test/sessions.attacks.spec.ts'],
  },
  {
    name: 'request smuggling',
    about: 'requests that servers have framed differently, byte by byte over sockets: one answer, and hung up',
    files: ['libs/service-defaults/test/smuggling.attacks.spec.ts'],
  },
  {
    name: 'resources',
    about: 'slow, endless, deep, wide and many: connections, headers, bodies, streams',
    files: ['libs/service-defaults/test/resources.attacks.spec.ts'],
  },
];

interface SpecResults {
  testResults: {
    name: string;
    message: string;
    status: string;
    assertionResults: { fullName: string; status: string; failureMessages: string[] }[];
  }[];
}

export async function runSpecs({ name, about, files }: SpecClass): Promise<Result> {
  const startedAtMs = performance.now();
  const verdicts: Verdict[] = [];
  for (const file of files) verdicts.push(...(await runSpec(file)));
  return { name, about, verdicts, tookMs: performance.now() - startedAtMs };
}

async function runSpec(file: string): Promise<Verdict[]> {
  if (!existsSync(join(ROOT, file))) return [{ attack: file, broken: 'is not there' }];
  const folder = mkdtempSync(join(tmpdir(), 'cabstand-security-'));
  const output = join(folder, 'results.json');
  const vitest = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs');
  const args = [vitest, 'run', '--project', 'attacks', file, '--outputFile', output];
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: 'ignore' });
  await once(child, 'exit');
  try {
    const { testResults } = JSON.parse(readFileSync(output, 'utf8')) as SpecResults;
    const verdicts = testResults.flatMap(({ status, message, assertionResults }) => [
      ...assertionResults.map((test): Verdict => ({
        attack: test.fullName,
        broken: test.status === 'passed' ? undefined : (test.failureMessages[0] ?? test.status).slice(0, 400),
      })),
      ...(status === 'failed' && assertionResults.length === 0
        ? [{ attack: file, broken: message.slice(0, 400) }]
        : []),
    ]);
    return verdicts.length > 0 ? verdicts : [{ attack: file, broken: 'tried nothing' }];
  } catch (error) {
    return [{ attack: file, broken: `did not run: ${String(error)}` }];
  } finally {
    rmSync(folder, { recursive: true });
  }
}
