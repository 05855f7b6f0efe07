import { setTimeout as delay } from 'node:timers/promises';
import { DriverMoved, liveExchange } from '@cabstand/contracts';
import { connect, type Channel } from 'amqplib';
import type { Platform } from '../../apps/e2e/src/platform.ts';
import { call } from '../../tools/client/http.ts';
import { nowMs } from '../harness/machine.ts';
import type { Worker } from '../harness/processes.ts';
import { HOME, type RideUnderWay } from './rides.ts';
import type { Arrival } from './workers/readers.ts';

/** A position every 20 ms moves the driver by less than a metre: each latitude is of one position alone. */
const STEP_DEG = 0.000_001;
const ARRIVES_WITHIN_MS = 10_000;

/** Speaks as the driver service does of drivers who are on a trip. */
export class Positions {
  readonly #channel: Channel;
  readonly #close: () => Promise<void>;
  #steps = 0;

  private constructor(channel: Channel, close: () => Promise<void>) {
    this.#channel = channel;
    this.#close = close;
  }

  static async open({ broker }: Platform): Promise<Positions> {
    const connection = await connect(broker.adminUrl);
    return new Positions(await connection.createChannel(), () => connection.close());
  }

  /** Answers the latitude, by which the position is known again. */
  async move({ tripId, driverId }: RideUnderWay): Promise<string> {
    const lat = Number((HOME.lat + ++this.#steps * STEP_DEG).toFixed(6));
    const moved = { driverId, tripId, position: { ...HOME, lat }, at: new Date().toISOString() };
    const options = { contentType: 'application/json', type: DriverMoved.type, persistent: false };
    const isRoom = this.#channel.publish(
      liveExchange('driver'),
      DriverMoved.type,
      Buffer.from(JSON.stringify(moved)),
      options,
    );
    if (!isRoom) await new Promise((resolve) => this.#channel.once('drain', resolve));
    return String(lat);
  }

  close(): Promise<void> {
    return this.#close();
  }
}

export interface Delivery {
  positionsMs: number[];
  changesMs: number[];
}

interface Sent {
  tripId: string;
  mark: string;
  atMs: number;
}

/**
 * Drivers move one after the other, so many positions a second; meanwhile drivers arrive at their pickups. Answers for
 * each stream of each of these trips how long it took.
 * @throws Error when anything doesn't come to somebody who follows the trip
 */
export async function deliver(
  { urls }: Platform,
  readers: Worker,
  positions: Positions,
  { rides, arriving, perS }: { rides: readonly RideUnderWay[]; arriving: readonly RideUnderWay[]; perS: number },
): Promise<Delivery> {
  await readers.call('taken');
  const sent = { positions: [] as Sent[], changes: [] as Sent[] };
  const arriveEvery = Math.floor(rides.length / arriving.length);
  const calls: Promise<unknown>[] = [];
  const startedAtMs = nowMs();
  for (const [index, ride] of rides.entries()) {
    await delay(Math.max(0, startedAtMs + (index * 1_000) / perS - nowMs()));
    const atMs = nowMs();
    sent.positions.push({ tripId: ride.tripId, mark: await positions.move(ride), atMs });
    const next = index % arriveEvery === 0 ? arriving[index / arriveEvery] : undefined;
    if (!next) continue;
    sent.changes.push({ tripId: next.tripId, mark: 'arrived', atMs: nowMs() });
    const arrive = `${urls.trip}/v1/trips/${next.tripId}/arrive`;
    calls.push(call('POST', arrive, { token: next.driverToken, timeoutMs: 30_000 }));
  }
  await Promise.all(calls);
  const came = await untilAll(readers, [...sent.positions, ...sent.changes]);
  const tookMs = (all: readonly Sent[]) =>
    all.flatMap(({ atMs, ...what }) => came.get(keyOf(what))!.map((arrivedAtMs) => arrivedAtMs - atMs));
  return { positionsMs: tookMs(sent.positions), changesMs: tookMs(sent.changes) };
}

const FOLLOWERS = 2;
const keyOf = ({ tripId, mark }: Pick<Sent, 'tripId' | 'mark'>) => `${tripId} ${mark}`;

async function untilAll(readers: Worker, sent: readonly Sent[]): Promise<Map<string, number[]>> {
  const came = new Map(sent.map((each): [string, number[]] => [keyOf(each), []]));
  const deadlineMs = nowMs() + ARRIVES_WITHIN_MS;
  for (;;) {
    for (const arrival of await readers.call<Arrival[]>('taken')) came.get(keyOf(arrival))?.push(arrival.atMs);
    const missing = [...came].filter(([, arrivals]) => arrivals.length < FOLLOWERS);
    if (missing.length === 0) return came;
    if (nowMs() > deadlineMs) throw new Error(`${missing.length} of ${sent.length} events did not come to everybody`);
    await delay(100);
  }
}
