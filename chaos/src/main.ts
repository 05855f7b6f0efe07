/**
 * node chaos/src/main.ts quick|full|cluster [--seed N] [--minutes N] [--json FILE] [--check]
 *
 * Kills what can be killed while events are under way, and counts what became of them.
 */
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from '../../infra/index.ts';
import { isComplete, isMet, print, writeJson, type Figure } from './report.ts';
import { say } from './say.ts';
import { FOLDER, removeStaleRuns } from './servers.ts';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string' },
    minutes: { type: 'string' },
    json: { type: 'string' },
    check: { type: 'boolean' },
  },
});
const mode = positionals[0];
if (mode !== 'quick' && mode !== 'full' && mode !== 'cluster') {
  console.error('usage: node chaos/src/main.ts quick|full|cluster [--seed N] [--minutes N] [--json FILE] [--check]');
  process.exit(2);
}

const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(values.seed);
console.log(`chaos:${mode} with seed ${seed}; replay with: npx nx run chaos:${mode} -- --seed ${seed}`);
await removeStaleRuns();
// A copy, because a build in between would take the services' files away; named before what reads it is loaded.
process.env.CABSTAND_DIST = join(FOLDER, 'apps');
if (mode !== 'cluster') cpSync(join(ROOT, 'dist', 'apps'), process.env.CABSTAND_DIST, { recursive: true });
const [{ Run }, { ClusterRun }] = await Promise.all([import('./run.ts'), import('./cluster-run.ts')]);
const run = mode === 'cluster' ? new ClusterRun(seed) : new Run(mode, seed, Number(values.minutes ?? 600) * 60_000);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => void run.stop().finally(() => process.exit(1)));
}

let figures: Figure[] = [];
let failure: unknown;
try {
  figures = await run.execute();
} catch (error) {
  failure = error;
} finally {
  await run.stop();
}

print(figures);
const broken = figures.filter((figure) => !isMet(figure));
for (const { name, value, isPlan } of broken) console.log(`${isPlan ? 'NOT DONE' : 'BROKEN'}: ${name} is ${value}`);
if (mode !== 'cluster') {
  console.log('A confirm of this single node means that the event is on its disk, not that another node has it.');
}
if (failure) console.log(`NOT DONE: the run did not come to its end: ${String(failure)}`);
if (values.json) writeJson(values.json, seed, figures);
const isSound = broken.length === 0 && !failure;
// What a failed run leaves is for reading its logs.
if (isSound) rmSync(FOLDER, { recursive: true, force: true });
else console.log(`logs: ${FOLDER}`);
const isBroken = broken.some(({ isPlan }) => !isPlan);
if (!isComplete(figures)) say(`the run is not complete: its figures are those of a part of the plan (seed ${seed})`);
if (isBroken || isSound) say(`${isSound ? 'kept every promise' : 'promises were broken'} (seed ${seed})`);
// With or without --check: a promise that is broken fails the run.
process.exit(isSound ? 0 : 1);
