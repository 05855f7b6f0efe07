import { setTimeout as delay } from 'node:timers/promises';
import { nowMs } from '../harness/machine.ts';
import type { Pair, Ride } from './pair.ts';

/** All pairs ride, and ride again, until time is up and the last has arrived. */
export async function closedLoop(pairs: readonly Pair[], seconds: number): Promise<{ rides: Ride[]; perS: number }> {
  const startedAtMs = nowMs();
  const rides: Ride[] = [];
  const keepRiding = async (pair: Pair) => {
    while (nowMs() < startedAtMs + seconds * 1_000) rides.push(await pair.ride());
  };
  await Promise.all(pairs.map(keepRiding));
  return { rides, perS: rides.length / ((nowMs() - startedAtMs) / 1_000) };
}

/**
 * Trips begin at random moments, so many a second, whether or not those before are over. Where all pairs are under way,
 * the platform doesn't hold that rate: the next one waits, and `perS` tells.
 */
export async function openLoop(
  pairs: readonly Pair[],
  wanted: { perS: number; seconds: number; random: () => number },
): Promise<{ rides: Ride[]; perS: number }> {
  const waiting = [...pairs];
  const underWay = new Set<Promise<void>>();
  const rides: Ride[] = [];
  const ride = async (pair: Pair) => {
    rides.push(await pair.ride());
    waiting.push(pair);
  };
  const startedAtMs = nowMs();
  for (let atMs = 0; atMs < wanted.seconds * 1_000; atMs += (-Math.log(1 - wanted.random()) * 1_000) / wanted.perS) {
    await delay(Math.max(0, startedAtMs + atMs - nowMs()));
    while (waiting.length === 0) await Promise.race(underWay);
    const riding = ride(waiting.shift()!).then(() => void underWay.delete(riding));
    underWay.add(riding);
    // Its failure is thrown by whoever awaits it; until then it is nobody's.
    riding.catch(() => undefined);
  }
  const begunPerS = (rides.length + underWay.size) / ((nowMs() - startedAtMs) / 1_000);
  await Promise.all(underWay);
  return { rides, perS: begunPerS };
}
