import { percentile } from '../harness/stats.ts';
import type { Worker } from '../harness/processes.ts';
import type { Pace } from './workers/measuring.ts';

/** Something that brings events from one process to another. */
export interface Pipeline {
  workers: { publisher: Worker; consumer: Worker };
  /** To be called before each measurement: what earlier ones left goes away. */
  prepare(): Promise<void>;
  /** Brings so many events from where they wait to where they are handled. Answers events per second. */
  drain(count: number, options?: DrainOptions): Promise<number>;
}

export interface DrainOptions {
  bodyBytes?: number;
  /** The library's: for a handler of one event at a time instead of a set-based one. */
  ordinary?: boolean;
  /** Called when the backlog is there and the clock starts. */
  started?: () => void;
}

export interface Latency {
  p50Ms: number;
  p99Ms: number;
}

export async function latencyOf({ workers }: Pipeline, pace: Pace): Promise<Latency> {
  const elapsedMs = await latenciesOf(workers, pace);
  return { p50Ms: percentile(elapsedMs, 50), p99Ms: percentile(elapsedMs, 99) };
}

/** From the commit (without a database: from the call that publishes) until the event is handled and committed. */
export async function latenciesOf({ publisher, consumer }: Pipeline['workers'], pace: Pace): Promise<number[]> {
  await consumer.call('begin', { keepTimes: true });
  const published = await publisher.call<[string, number][]>('paced', pace);
  await consumer.call('reached', { count: published.length });
  const handledAt = new Map(await consumer.call<[string, number][]>('times'));
  return published.map(([id, at]) => Math.max(0, handledAt.get(id)! - at));
}
