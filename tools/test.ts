/**
 * npm test                 lint, types, unit, integration and e2e tests of every project
 * npm run test:platform    what needs root, images, faults, attacks or long runs
 *
 * Starts PostgreSQL and RabbitMQ for the run on free ports, under .local/test: it passes beside a running `npm start`
 * and leaves nothing behind. Its last line adds up all suites; lint and type check, of all projects at once, count as one
 * check each.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import {
  ensureChromium,
  ensureContainerTools,
  ensurePromtool,
  removeStaleTestRuntimes,
  ROOT,
  startTestRuntime,
  testFolder,
} from '../infra/index.ts';
import { addUp, failedTasks, readTestResults, tasksOf, type Tally } from './runtime/test-results.ts';
import { bold, dim, green, Output, red, seconds, toolEnvironment } from './runtime/index.ts';

const isPlatform = process.argv.includes('--platform');
const CHECKS = ['lint-all', 'typecheck-all'];
const SUITES = isPlatform ? ['platform', 'alone'] : ['test', 'integration', 'e2e'];
const TARGETS = isPlatform ? SUITES : [...CHECKS, ...SUITES];
const RESULTS = join(ROOT, 'dist', 'results');
/** Of every page, by the e2e tests: `test:platform`, which takes none, leaves them there. */
const SCREENSHOTS = join(ROOT, 'dist', 'screenshots');

const startedAtMs = performance.now();
const out = new Output();
let nx: ChildProcess | null = null;
let stopRuntime: () => Promise<void> = () => Promise.resolve();
let interrupted = false;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (interrupted) return;
    interrupted = true;
    out.line(`${signal}: ending the tests`);
    // The whole group: Nx, its tasks and what these have started.
    if (nx?.pid) process.kill(-nx.pid, 'SIGTERM');
  });
}

/** Runs Nx with its output shown as it comes; answers its exit code and what it printed. */
function runNx(args: string[], env: NodeJS.ProcessEnv): Promise<{ code: number; printed: string }> {
  const child = spawn('nx', args, { cwd: ROOT, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  nx = child;
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      printed += `${line}\n`;
      out.line(line);
    });
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? 1, printed }));
  });
}

async function startServers(say: (line: string) => void) {
  await removeStaleTestRuntimes();
  const { stop, ...runtime } = await startTestRuntime(testFolder(), say);
  stopRuntime = stop;
  return { what: 'PostgreSQL and RabbitMQ on free ports, under .local/test', value: runtime };
}

async function run(): Promise<boolean> {
  rmSync(RESULTS, { recursive: true, force: true });
  if (!isPlatform) rmSync(SCREENSHOTS, { recursive: true, force: true });
  out.line(bold(`Cabstand: ${isPlatform ? 'platform tests' : 'lint, types, unit, integration and e2e tests'}`));
  const tasks = await tasksOf(TARGETS);
  if (isPlatform) {
    await out.step('alerts', async () => ({ what: await ensurePromtool((line) => out.line(line)), value: null }));
    await out.step('tools', async () => ({ what: await ensureContainerTools((line) => out.line(line)), value: null }));
  } else {
    await out.step('browser', async () => ({ what: await ensureChromium((line) => out.line(line)), value: null }));
  }
  const runtime = await out.step('servers', startServers);
  const env = { ...toolEnvironment(), CABSTAND_TEST_RUNTIME: JSON.stringify(runtime), FORCE_COLOR: '0' };
  const nothing = { code: 0, printed: '' };
  const args = ['run-many', `--targets=${TARGETS.join(',')}`, '--output-style=static', '--nxBail=false'];
  const { code, printed } = interrupted ? nothing : await runNx(args, env);
  await out.step('servers', async () => {
    await stopRuntime();
    return { what: 'stopped', value: null };
  });

  const failed = failedTasks(printed);
  const tallies = TARGETS.map((target): Tally => {
    const projects = tasks.filter((task) => task.target === target).map(({ project }) => project);
    if (SUITES.includes(target)) {
      const hasFailed = (project: string) => failed.has(`${project}:${target}`);
      return addUp(
        target,
        projects.map((project) => readTestResults(RESULTS, project, target, hasFailed(project))),
      );
    }
    const bad = projects.filter((project) => failed.has(`${project}:${target}`));
    return {
      target,
      passed: projects.length - bad.length,
      failed: bad.length,
      failures: bad.map((p) => `${p}:${target}`),
    };
  });
  report(tallies);
  const all = addUp('all', tallies);
  // What failed before any suite could run (a build, Nx itself) is a failure as well.
  const unseen = (code !== 0 || interrupted) && all.failed === 0 ? 1 : 0;
  if (unseen) out.line(red(`  nx ended with exit code ${code}; what it printed above says why`));
  out.line(dim(`  took ${seconds(startedAtMs)}`));
  out.line(`${all.passed} passed, ${all.failed + unseen} failed`);
  return all.failed + unseen === 0;
}

function report(tallies: Tally[]): void {
  out.line();
  for (const { target, passed, failed, failures } of tallies) {
    const mark = failed === 0 ? green('✓') : red('✗');
    out.line(`  ${mark} ${target.padEnd(12)} ${passed} passed, ${failed} failed`);
    for (const failure of failures) out.line(`      ${red(failure)}`);
  }
}

try {
  process.exitCode = (await run()) ? 0 : 1;
} catch (error) {
  await stopRuntime();
  out.line(red((error as Error).message));
  out.line('0 passed, 1 failed');
  process.exitCode = 1;
}
