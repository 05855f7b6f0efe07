/**
 * `npx nx run bench:trips`: whole trips through the three built services, beside the same SQL without them; how soon a
 * driver sees an offer, and what a service needs. Fails when anything of the trips is left wrong.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { SERVICES } from '@cabstand/contracts';
import type { PerService } from '../../apps/e2e/src/per-service.ts';
import type { Platform } from '../../apps/e2e/src/platform.ts';
import { conclude, figure, printFigures, printTable, ratios, type Figure } from '../harness/figures.ts';
import { describeMachine, machine } from '../harness/machine.ts';
import { readOptions } from '../harness/options.ts';
import { onceEnded } from '../harness/processes.ts';
import { formatted, inRounds } from '../harness/rounds.ts';
import { startServers } from '../harness/servers.ts';
import { percentile, randomOf } from '../harness/stats.ts';
import { complaints } from './audit.ts';
import { closedLoop, openLoop } from './load.ts';
import { Pair, type Ride } from './pair.ts';
import { coldStarts, memoryDuring, startPlatform, startServices, stopServices } from './platform.ts';
import { LOG_SETTINGS, record, statementsOf } from './recording.ts';
import { dropSnapshots, Replay, takeSnapshots } from './replay.ts';

const { output, values } = readOptions({
  rounds: { type: 'string', default: '5' },
  pairs: { type: 'string', default: '32' },
  rate: { type: 'string', default: '20' },
  seconds: { type: 'string', default: '8' },
});
const [rounds, perS, seconds] = [Number(values.rounds), Number(values.rate), Number(values.seconds)];
/** Long enough for a hundredth of the trips to be some. */
const OPEN = { rounds: 3, seconds: 2 * seconds, warmUpSeconds: seconds / 2 };
const RECORDED_SECONDS = 5;
const COLD_STARTS = 5;
const IDLE_MS = 5_000;

const say = (line: string) => process.stderr.write(`${line}\n`);
const random = randomOf(output.seed);
const rides: Ride[] = [];

async function settle(platform: Platform): Promise<Pair[]> {
  const pairs: Pair[] = [];
  while (pairs.length < Number(values.pairs)) pairs.push(await Pair.settle(platform.urls));
  await Promise.all(pairs.map((pair) => pair.listen()));
  return pairs;
}

/** How long until drivers saw their offers, round by round, and the most memory meanwhile. */
async function atRate(platform: Platform, pairs: readonly Pair[]) {
  const load = async (forSeconds: number) => {
    const taken = await openLoop(pairs, { perS, seconds: forSeconds, random });
    rides.push(...taken.rides);
    return { begunPerS: taken.perS, offeredMs: taken.rides.map(({ offeredMs }) => offeredMs) };
  };
  await load(OPEN.warmUpSeconds);
  return memoryDuring(platform, async () => {
    const taken: Awaited<ReturnType<typeof load>>[] = [];
    for (let round = 1; round <= OPEN.rounds; round += 1) {
      taken.push(await load(OPEN.seconds));
      const { begunPerS, offeredMs } = taken.at(-1)!;
      const line = `offered p50 ${formatted(percentile(offeredMs, 50))} ms, p99 ${formatted(percentile(offeredMs, 99))} ms`;
      say(`${formatted(begunPerS)} trips/s, round ${round} of ${OPEN.rounds}: ${line}`);
    }
    return taken;
  });
}

/** Records what the services do with trips as fast as they can, and measures that, and the same SQL by itself. */
async function againstSql(platform: Platform, pairs: readonly Pair[]) {
  const ride = async (forSeconds: number) => {
    const { rides: taken, perS: rate } = await closedLoop(pairs, forSeconds);
    rides.push(...taken);
    return { rate, trips: taken.length };
  };
  for (const pair of pairs) pair.leave();
  await stopServices(platform);
  servers.beforeStop(() => dropSnapshots(servers.postgres.url));
  await takeSnapshots(servers.postgres.url, platform);
  await startServices(platform);
  await Promise.all(pairs.map((pair) => pair.listen()));
  const { result, transactions, leftOut } = await record(servers, () => ride(RECORDED_SECONDS));
  const sent = { trips: result.trips, statements: statementsOf(transactions), leftOut };
  say(`recorded ${sent.trips} trips: ${sent.statements} statements, and ${leftOut} that belong to no trip`);
  const replay = new Replay(servers.postgres.url, platform, transactions, result.trips);
  const rates = await inRounds('trips/s', rounds, random, {
    services: async () => (await ride(seconds)).rate,
    sql: () => replay.run(),
  });
  return { rates, sent, perTransaction: sent.statements / transactions.length };
}

const startedAt = performance.now();
const here = machine({});
const servers = await startServers(LOG_SETTINGS);
Object.assign(here.versions, servers.versions);
const end = onceEnded(() => servers.stop());
let wrong: string[];
let idle: PerService<number>;
let starts: PerService<number[]>;
let open: Awaited<ReturnType<typeof atRate>>;
let closed: Awaited<ReturnType<typeof againstSql>>;
try {
  const platform = await startPlatform(servers);
  servers.beforeStop(() => platform.stop());
  await stopServices(platform);
  starts = await coldStarts(platform, COLD_STARTS);
  await startServices(platform);
  idle = (await memoryDuring(platform, () => delay(IDLE_MS))).mb;
  const pairs = await settle(platform);
  open = await atRate(platform, pairs);
  closed = await againstSql(platform, pairs);
  wrong = await complaints(platform, rides);
  for (const pair of pairs) pair.leave();
} finally {
  await end();
}

const percent = (rank: number) => open.result.map(({ offeredMs }) => percentile(offeredMs, rank));
const reference = 'the same SQL by bare pg';
const figures: Figure[] = [
  figure(`complete trips / ${reference}`, '×', ratios(closed.rates.services, closed.rates.sql), {
    ...{ reference, atLeast: 0.25, aim: 0.4 },
  }),
  figure('complete trips', 'trips/s', closed.rates.services),
  figure(reference, 'trips/s', closed.rates.sql),
  figure(
    `trips begun of ${perS} a second`,
    'trips/s',
    open.result.map(({ begunPerS }) => begunPerS),
    { atLeast: 0.9 * perS },
  ),
  figure(`request → offer at ${perS} trips/s, p50`, 'ms', percent(50), { atMost: 60, aim: 25 }),
  figure(`request → offer at ${perS} trips/s, p99`, 'ms', percent(99), { atMost: 250, aim: 80 }),
  ...SERVICES.map((service) => figure(`memory of ${service}, idle`, 'MB', [idle[service]], { atMost: 140, aim: 105 })),
  ...SERVICES.map((service) =>
    figure(`memory of ${service} at ${perS} trips/s`, 'MB', [open.mb[service]], { atMost: 240, aim: 170 }),
  ),
  ...SERVICES.map((service) =>
    figure(`cold start of ${service} to ready`, 's', starts[service], { atMost: 1.2, aim: 0.7 }),
  ),
];
const tookS = Math.round((performance.now() - startedAt) / 1_000);
console.log(`${describeMachine(here)}; seed ${output.seed}, ${tookS} s, ${rides.length} trips\n`);
printTable(
  ['recorded', 'for each trip'],
  [
    ['statements', formatted(closed.sent.statements / closed.sent.trips)],
    ['statements of a transaction', formatted(closed.perTransaction)],
    ['left out: statements that belong to no trip', formatted(closed.sent.leftOut / closed.sent.trips)],
  ],
);
console.log();
printFigures(figures);
for (const complaint of wrong.slice(0, 20)) process.stderr.write(`wrong: ${complaint}\n`);
conclude(figures, here, output);
if (wrong.length > 0) process.exitCode = 1;
