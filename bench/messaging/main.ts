/** `npx nx run bench:messaging`: how fast events are, beside what else could bring them. See docs/performance.md. */
import { conclude, printFigures, type Figure } from '../harness/figures.ts';
import { describeMachine, machine } from '../harness/machine.ts';
import { readOptions } from '../harness/options.ts';
import { onceEnded } from '../harness/processes.ts';
import { randomOf } from '../harness/stats.ts';
import { startFleet, type Fleet } from './fleet.ts';
import { idle } from './idle.ts';
import { drain, latency, sustained, warmUp, type Effort } from './measure.ts';
import { report } from './report.ts';
import { startRuntime } from './runtime.ts';

const { output, values } = readOptions({
  rounds: { type: 'string', default: '5' },
  events: { type: 'string', default: '40000' },
  only: { type: 'string', default: 'drain,sustained,latency,idle,cpu,backlog,payload,replicas,failover,memory' },
  report: { type: 'boolean', default: false },
  'memory-events': { type: 'string', default: '500000' },
  'no-references': { type: 'boolean', default: false },
});
const only = new Set(values.only.split(','));
const wanted = (name: string) => only.has(name);
const effort: Effort = { rounds: Number(values.rounds), events: Number(values.events), random: randomOf(output.seed) };

const startedAt = performance.now();
const here = machine({});
const runtime = await startRuntime();
let fleet: Fleet | undefined;
const end = onceEnded(async () => {
  await fleet?.stop();
  await runtime.stop();
});

const figures: Figure[] = [];
try {
  fleet = await startFleet(runtime, !values['no-references'] && !values.report);
  await warmUp(fleet);
  if (values.report) {
    await report({ fleet, events: effort.events, memoryEvents: Number(values['memory-events']), wanted });
  } else {
    for (const [name, measure] of Object.entries({ drain, sustained, latency, idle })) {
      if (wanted(name)) figures.push(...(await measure(fleet, effort)));
    }
  }
} finally {
  await end();
}
Object.assign(here.versions, runtime.versions);
console.log(
  `${describeMachine(here)}; seed ${output.seed}, ${Math.round((performance.now() - startedAt) / 1_000)} s\n`,
);
if (figures.length > 0) printFigures(figures);
conclude(figures, here, output);
