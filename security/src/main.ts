/**
 * node security/src/main.ts [--quick] [--class NAME]... [--seed N] [--json FILE] [--check]
 *
 * Attacks the built services, and prints how much of each class got through.
 */
import { parseArgs } from 'node:util';
import { startTestRuntime, testFolder } from '../../infra/index.ts';
import { isSound, print, writeJson, type Result } from './report.ts';
import { CLASSES, run, startWorld } from './run.ts';
import { runSpecs, SPEC_CLASSES } from './specs.ts';

const { values } = parseArgs({
  // Nx spells `--check` as `--check=true` when it is given without `--` before it.
  args: process.argv.slice(2).map((arg) => arg.replace(/=true$/, '')),
  options: {
    quick: { type: 'boolean', default: false },
    class: { type: 'string', multiple: true },
    seed: { type: 'string' },
    json: { type: 'string' },
    check: { type: 'boolean' },
  },
});
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
const isChosen = ({ name }: { name: string }) => values.class?.includes(name) ?? true;
const [specs, own] = [SPEC_CLASSES.filter(isChosen), CLASSES.filter(isChosen)];
if (specs.length + own.length === 0) {
  console.error(
    `there is no such class; there are: ${[...SPEC_CLASSES, ...CLASSES].map(({ name }) => name).join(', ')}`,
  );
  process.exit(2);
}
console.log(`security:all with seed ${seed}; replay with: npx nx run security:all -- --seed ${seed}`);

let stopServers = (): Promise<void> => Promise.resolve();
if (!process.env.CABSTAND_TEST_RUNTIME) {
  const { stop, ...runtime } = await startTestRuntime(testFolder('-security'), console.log);
  stopServers = stop;
  process.env.CABSTAND_TEST_RUNTIME = JSON.stringify(runtime);
}
const results: Result[] = [];
try {
  for (const specClass of specs) results.push(await runSpecs(specClass));
  for (const attackClass of own) {
    // Of its own: what one class leaves behind is not the next one's.
    const world = await startWorld();
    try {
      results.push(await run(world, attackClass, { seed, quick: values.quick }));
    } finally {
      await world.stop();
    }
  }
} finally {
  await stopServers();
}
print(results);
if (values.json) writeJson(values.json, seed, results);
// With or without --check: an attack that got through fails the run.
process.exit(results.every(isSound) ? 0 : 1);
