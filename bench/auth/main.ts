/** `npx nx run bench:auth`: what knowing who asks costs, beside no authentication and beside the usual set-up. */
import { conclude, figure, printFigures, printTable, ratios, type Figure } from '../harness/figures.ts';
import { describeMachine, machine } from '../harness/machine.ts';
import { readOptions } from '../harness/options.ts';
import { onceEnded } from '../harness/processes.ts';
import { formatted, inRounds } from '../harness/rounds.ts';
import { median, randomOf } from '../harness/stats.ts';
import { ROUTES, startFleet, type Fleet, type Parts, type Route } from './fleet.ts';
import { load } from '../harness/load.ts';
import { startRuntime } from '../harness/service-runtime.ts';

const { output, values } = readOptions({
  rounds: { type: 'string', default: '5' },
  seconds: { type: 'string', default: '4' },
});
const [rounds, seconds] = [Number(values.rounds), Number(values.seconds)];

const startedAt = performance.now();
const here = machine({});
const runtime = await startRuntime('trip');
let fleet: Fleet | undefined;
const end = onceEnded(async () => {
  await fleet?.stop();
  await runtime.stop();
});

let rates: Record<Route, number[]>;
const cpuUs = Object.fromEntries(ROUTES.map((route) => [route, []])) as unknown as Record<Route, number[]>;
const parts: Parts[] = [];
try {
  const { targets, parts: measureParts } = (fleet = await startFleet(runtime));
  for (const route of ROUTES) await load(targets[route], Math.max(1, seconds / 2));
  const measures = Object.fromEntries(
    ROUTES.map((route) => [
      route,
      async () => {
        const { requestsPerS, cpuUs: each } = await load(targets[route], seconds);
        cpuUs[route].push(each);
        return requestsPerS;
      },
    ]),
  ) as Record<Route, () => Promise<number>>;
  rates = await inRounds('requests/s', rounds, randomOf(output.seed), measures);
  for (let round = 0; round < rounds; round++) parts.push(await measureParts());
} finally {
  await end();
}
Object.assign(here.versions, runtime.versions);

const part = (name: keyof Parts) => parts.map((each) => each[name]);
/** What one route costs more than another, round by round. */
const more = (route: Route, than: Route) => cpuUs[route].map((value, round) => value - cpuUs[than][round]!);
const guard = more('service guarded no-op', 'service no-op');
const against = (name: string, route: Route, reference: Route, demand: { atLeast?: number; aim?: number }): Figure =>
  figure(name, '×', ratios(rates[route], rates[reference]), { reference, ...demand });

const figures: Figure[] = [
  against('trip / bare Fastify + pg', 'service trip', 'bare trip', { atLeast: 0.6 }),
  against('authenticated no-op / bare Fastify', 'guarded no-op', 'bare no-op', { atLeast: 0.62, aim: 0.75 }),
  against('authenticated no-op / stock Nest', 'guarded no-op', 'stock no-op', { atLeast: 4.5 }),
  // No handler on Fastify gets beyond this, whatever it checks.
  against('bare Fastify / stock Nest', 'bare no-op', 'stock no-op', {}),
  against('authenticated no-op of the service / bare Fastify', 'service guarded no-op', 'bare no-op', {}),
  figure(
    'verification / request',
    '%',
    guard.map((us, round) => (us / cpuUs['service trip'][round]!) * 100),
    { reference: 'service trip', atMost: 5 },
  ),
  figure('policy decision', 'µs', part('policy'), { atMost: 20 }),
];

/** Of one read of a trip: CPU time of the service's process. */
const layers: [string, readonly number[]][] = [
  ['Fastify, HTTP', cpuUs['bare no-op']],
  ['Nest’s router', more('Nest no-op', 'bare no-op')],
  ['trace, log, metrics, limits, headers', more('service no-op', 'Nest no-op')],
  ['guard: token known, session not revoked, role', guard],
  ['policy', part('policy')],
  ['TypeORM, reading', part('typeorm')],
  ['  of it pg, one row', part('query')],
  ['view: fields by policy', part('view')],
  ['serialisation', part('serialisation')],
  ['all, as measured', cpuUs['service trip']],
];

const spread = (all: readonly number[]) => `${formatted(Math.min(...all))} – ${formatted(Math.max(...all))}`;
const tookS = Math.round((performance.now() - startedAt) / 1_000);
console.log(`${describeMachine(here)}; seed ${output.seed}, ${tookS} s\n`);
printTable(
  ['route', 'requests/s', 'spread', 'CPU µs each'],
  ROUTES.map((route) => [
    route,
    formatted(median(rates[route])),
    spread(rates[route]),
    formatted(median(cpuUs[route])),
  ]),
);
console.log();
printTable(
  ['layer of one trip read', 'CPU µs', 'spread'],
  layers.map(([name, all]) => [name, formatted(median(all)), spread(all)]),
);
console.log();
printFigures(figures);
conclude(figures, here, output);
