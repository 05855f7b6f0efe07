/** `npx nx run bench:dispatch`: how fast the nearest drivers are found and reserved, and positions taken in. */
import { conclude, figure, printFigures, printTable, ratios } from '../harness/figures.ts';
import { load } from '../harness/load.ts';
import { describeMachine, machine } from '../harness/machine.ts';
import { readOptions } from '../harness/options.ts';
import { compileWorkers, onceEnded, startWorker } from '../harness/processes.ts';
import { formatted, inRounds } from '../harness/rounds.ts';
import { median, randomOf } from '../harness/stats.ts';
import { City } from './city.ts';
import { startPostgis } from './postgis.ts';
import { startReporters } from './reporters.ts';

const { output, values } = readOptions({
  rounds: { type: 'string', default: '5' },
  seconds: { type: 'string', default: '3' },
  drivers: { type: 'string', default: '50000' },
});
const [rounds, seconds, drivers] = [Number(values.rounds), Number(values.seconds), Number(values.drivers)];
const SEARCHES = 5_000;
const RESERVATIONS = 200;

const here = machine({});
const random = randomOf(output.seed);
const startedAt = performance.now();
const stops: (() => Promise<unknown>)[] = [];
const end = onceEnded(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

/** Median µs of a search among so many in the same area. */
const cities = new Map([1_000, 500_000].map((count) => [count, cityOf(count)]));
function cityOf(count: number): City {
  return new City(
    Array.from({ length: count }, (_, i) => `driver-${i}`),
    random,
  );
}
const searchUs = (count: number) => Promise.resolve(median(cities.get(count)!.searchTimes(SEARCHES)));

const all = await (async () => {
  try {
    const postgis = await startPostgis();
    stops.push(() => postgis.stop());
    const file = await compileWorkers('bench/dispatch/workers', ['matching']);
    const settings = { databaseUrl: postgis.url, drivers, seed: output.seed };
    const matching = await startWorker(file('matching'), settings);
    stops.push(() => matching.stop());
    const reporters = await startReporters(random);
    stops.push(() => reporters.stop());

    const { targets } = reporters;
    for (const target of Object.values(targets)) await load(target, seconds);
    const reservationMs = async (way: string) =>
      median(await matching.call<number[]>('reservations', { way, count: RESERVATIONS }));
    const perS = async (target: keyof typeof targets) => (await load(targets[target], seconds)).requestsPerS;
    return {
      searches: await inRounds('searches/s', rounds, random, {
        index: () => matching.call<number>('searchesPerS', seconds * 1_000),
        PostGIS: () => matching.call<number>('postgisSearchesPerS', seconds * 1_000),
      }),
      reserve: await inRounds('search and reserve, ms', rounds, random, {
        index: () => reservationMs('index'),
        PostGIS: () => reservationMs('postgis'),
      }),
      growth: await inRounds('search, µs', rounds, random, {
        '1,000': () => searchUs(1_000),
        '500,000': () => searchUs(500_000),
      }),
      requests: await inRounds('requests/s', rounds, random, {
        positions: () => perS('positions'),
        'no-op': () => perS('no-op'),
      }),
    };
  } finally {
    await end();
  }
})();

const { searches, reserve, growth, requests } = all;
const figures = [
  figure('positions / authenticated no-op POST', '×', ratios(requests.positions, requests['no-op']), {
    ...{ reference: 'no-op', atLeast: 0.6, aim: 0.8 },
  }),
  figure(`exact 5 nearest of ${formatted(drivers)} / PostGIS`, '×', ratios(searches.index, searches.PostGIS), {
    ...{ reference: 'PostGIS', atLeast: 20, aim: 100 },
  }),
  figure('search and reserve, p50: PostGIS / index', '×', ratios(reserve.PostGIS, reserve.index), {
    ...{ reference: 'PostGIS', atLeast: 1.5, aim: 3 },
  }),
  figure('search, p50: 500,000 / 1,000 drivers', '×', ratios(growth['500,000'], growth['1,000']), {
    ...{ reference: '1,000', atMost: 2, aim: 1 },
  }),
];

console.log(
  `${describeMachine(here)}; seed ${output.seed}, ${Math.round((performance.now() - startedAt) / 1_000)} s\n`,
);
const rows = (unit: string, measured: Record<string, number[]>) =>
  Object.entries(measured).map(([name, each]) => {
    return [
      `${name}, ${unit}`,
      formatted(median(each)),
      `${formatted(Math.min(...each))} – ${formatted(Math.max(...each))}`,
    ];
  });
printTable(
  ['measured', 'median', 'spread'],
  [
    ...rows('requests/s', requests),
    ...rows('searches/s with as many moves', searches),
    ...rows('search and reserve, ms', reserve),
    ...rows('drivers: one search, µs', growth),
  ],
);
console.log();
printFigures(figures);
conclude(figures, here, output);
