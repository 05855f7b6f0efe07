/** `npx nx run bench:streams`: how many trip streams one replica of the trip service holds, and what they cost. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Platform } from '../../apps/e2e/src/platform.ts';
import { conclude, figure, printFigures } from '../harness/figures.ts';
import { describeMachine, machine, nowMs, rssMbOf } from '../harness/machine.ts';
import { readOptions } from '../harness/options.ts';
import { compileWorkers, onceEnded, startWorker, type Worker } from '../harness/processes.ts';
import { formatted, inRounds } from '../harness/rounds.ts';
import { startServers } from '../harness/servers.ts';
import { median, percentile, randomOf, shuffled } from '../harness/stats.ts';
import { startPlatform, startServices, stopServices } from '../trips/platform.ts';
import { deliver, Positions, type Delivery } from './delivery.ts';
import { createPeoplesIssuer, startRides, type RideUnderWay } from './rides.ts';
import type { Arrival, StreamToOpen } from './workers/readers.ts';

const { output, values } = readOptions({
  streams: { type: 'string', default: '10000' },
  rate: { type: 'string', default: '1000' },
  rounds: { type: 'string', default: '5' },
  seconds: { type: 'string', default: '6' },
});
const [streams, perS, rounds] = [Number(values.streams), Number(values.rate), Number(values.rounds)];
const ARRIVALS_PER_ROUND = 50;
const WARM_UP_STREAMS = 400;
/** What is opened first costs what it costs once: compiling, and room for the rest. */
const SETTLE_MS = 4_000;
/**
 * Readers who take nothing are sent more than the kernel keeps for a connection, 4 MB, and in less than the 30 s after
 * which they are cut off. Position by position, because of those that come together only the last is sent.
 */
const SLOW = { readers: 8, positions: 25_000, perS: 1_000, rounds: 2 };

const say = (line: string) => process.stderr.write(`${line}\n`);
const random = randomOf(output.seed);
const streamsOf = ({ tripId, passengerToken, driverToken }: RideUnderWay): StreamToOpen[] =>
  [passengerToken, driverToken].map((token) => ({ tripId, token, reads: true }));

/** MB that the service holds, once it has come to rest. */
async function restingMb(platform: Platform): Promise<number> {
  await delay(SETTLE_MS);
  return rssMbOf(platform.services.trip[0].pid);
}

/** The most that the service holds while one driver moves and moves, MB, and how many positions came to each reader. */
async function mostMbWith(
  reads: boolean,
  platform: Platform,
  readers: Worker,
  positions: Positions,
  ride: RideUnderWay,
) {
  const reader = { tripId: ride.tripId, token: ride.passengerToken, reads };
  await readers.call('open', Array<StreamToOpen>(SLOW.readers).fill(reader));
  await readers.call('taken');
  const startedAtMs = nowMs();
  let mostMb = 0;
  for (let sent = 0; sent < SLOW.positions; sent += 1) {
    await delay(Math.max(0, startedAtMs + (sent * 1_000) / SLOW.perS - nowMs()));
    await positions.move(ride);
    if (sent % 100 === 0) mostMb = Math.max(mostMb, rssMbOf(platform.services.trip[0].pid));
  }
  const came = (await readers.call<Arrival[]>('taken')).length / SLOW.readers;
  if (reads) say(`${formatted(came)} of ${SLOW.positions} positions came to each of ${SLOW.readers} readers`);
  await readers.call('close');
  return mostMb;
}

const startedAt = performance.now();
const here = machine({});
const servers = await startServers();
Object.assign(here.versions, servers.versions);
const end = onceEnded(() => servers.stop());
const deliveries: Delivery[] = [];
let kbPerStream: number;
let held: { open: number; ended: number };
let slowMb: number[];
try {
  const issuer = await createPeoplesIssuer();
  servers.beforeStop(() => Promise.resolve(issuer.drop()));
  const platform = await startPlatform(servers, {
    alsoTrusted: [issuer.trustedIssuer('passenger', 'driver')],
    env: { STREAMS_PER_REPLICA: String(streams + WARM_UP_STREAMS + SLOW.readers) },
  });
  servers.beforeStop(() => platform.stop());
  const file = await compileWorkers(join('bench', 'streams', 'workers'), ['readers']);
  const readers = await startWorker(file('readers'), { url: platform.urls.trip });
  servers.beforeStop(() => readers.stop());
  const positions = await Positions.open(platform);
  servers.beforeStop(() => positions.close());
  const rides = await startRides(platform, issuer, (streams + WARM_UP_STREAMS) / 2);
  const [first, others] = [rides.slice(0, WARM_UP_STREAMS / 2), rides.slice(WARM_UP_STREAMS / 2)];

  const memory = await inRounds('most MB', SLOW.rounds, random, {
    read: () => mostMbWith(true, platform, readers, positions, first[0]!),
    unread: () => mostMbWith(false, platform, readers, positions, first[0]!),
  });
  slowMb = memory.unread.map((mb, round) => mb - memory.read[round]!);
  // Anew: what was made room for now would count for nothing below.
  await stopServices(platform);
  await startServices(platform);

  await readers.call('open', first.flatMap(streamsOf));
  await deliver(platform, readers, positions, { rides: first, arriving: first.slice(0, ARRIVALS_PER_ROUND), perS });
  await readers.call('close');
  const beforeMb = await restingMb(platform);
  await readers.call('open', others.flatMap(streamsOf));
  const afterMb = await restingMb(platform);
  kbPerStream = ((afterMb - beforeMb) * 1_024) / streams;
  say(`${streams} streams: from ${formatted(beforeMb)} to ${formatted(afterMb)} MB`);

  const inOrder = shuffled(others, random);
  for (let round = 1; round <= rounds; round += 1) {
    const moving = Array.from({ length: perS * Number(values.seconds) }, (_, i) => inOrder[i % inOrder.length]!);
    const arriving = inOrder.slice((round - 1) * ARRIVALS_PER_ROUND, round * ARRIVALS_PER_ROUND);
    deliveries.push(await deliver(platform, readers, positions, { rides: moving, arriving, perS }));
    const { positionsMs, changesMs } = deliveries.at(-1)!;
    const p50 = [positionsMs, changesMs].map((all) => formatted(percentile(all, 50))).join(' and ');
    say(`${perS} positions/s, round ${round} of ${rounds}: p50 ${p50} ms`);
  }
  held = await readers.call('count');
} finally {
  await end();
}

const rank = (of: keyof Delivery, percent: number) => deliveries.map((each) => percentile(each[of], percent));
const figures = [
  figure('streams held', 'streams', [held.open], { atLeast: 1_000, aim: 10_000 }),
  figure('memory per stream', 'kB', [kbPerStream]),
  figure('position → stream, p50', 'ms', rank('positionsMs', 50)),
  figure('position → stream, p99', 'ms', rank('positionsMs', 99)),
  figure('arrived → stream, p50', 'ms', rank('changesMs', 50)),
  figure('arrived → stream, p99', 'ms', rank('changesMs', 99)),
  figure(`${SLOW.readers} readers who take nothing, more memory than with others`, 'MB', slowMb, { atMost: 64 }),
];
const tookS = Math.round((performance.now() - startedAt) / 1_000);
const events = median(deliveries.map(({ positionsMs, changesMs }) => positionsMs.length + changesMs.length));
console.log(`${describeMachine(here)}; seed ${output.seed}, ${tookS} s, ${formatted(events)} events a round\n`);
printFigures(figures);
if (held.ended > 0) process.stderr.write(`wrong: the service ended ${held.ended} streams\n`);
conclude(figures, here, output);
if (held.ended > 0) process.exitCode = 1;
