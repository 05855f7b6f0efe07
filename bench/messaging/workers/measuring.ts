import { randomUUIDv7 } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { nowMs } from '../../harness/machine.ts';

/** A consumer's count of what it has handled, and when. */
export class Tally {
  private count = 0;
  private lastAt = NaN;
  private target = Infinity;
  private whole = Promise.withResolvers<number>();
  private times: [string, number][] | null = null;

  /** With an inbox: to be called once the transaction has committed. */
  handled(id: string): void {
    this.lastAt = nowMs();
    this.times?.push([id, this.lastAt]);
    if (++this.count === this.target) this.whole.resolve(this.lastAt);
  }

  readonly commands = {
    begin: ({ keepTimes }: { keepTimes: boolean }) => {
      this.count = 0;
      this.target = Infinity;
      this.times = keepTimes ? [] : null;
    },
    /** Answers, once so many are handled since the beginning, when the last of them was. */
    reached: ({ count }: { count: number }) => {
      if (this.count >= count) return this.lastAt;
      this.target = count;
      this.whole = Promise.withResolvers();
      return this.whole.promise;
    },
    count: () => this.count,
    times: () => this.times ?? [],
    usage,
  };
}

export const usage = () => {
  const { user, system } = process.cpuUsage();
  return { cpuMs: (user + system) / 1_000, rssMb: process.memoryUsage.rss() / 2 ** 20 };
};
export type Usage = ReturnType<typeof usage>;

export interface Pace {
  ratePerS: number;
  durationMs: number;
}

/** Open loop: what is slow is not waited for. `publish` answers when it had committed. */
export async function paced({ ratePerS, durationMs }: Pace, publish: (id: string) => Promise<number>) {
  const total = Math.round((ratePerS * durationMs) / 1_000);
  const startedAt = nowMs();
  const published: Promise<[string, number]>[] = [];
  while (published.length < total) {
    while (published.length < Math.min(total, ((nowMs() - startedAt) * ratePerS) / 1_000)) {
      const id = randomUUIDv7();
      published.push(publish(id).then((at) => [id, at]));
    }
    await wait(1);
  }
  return Promise.all(published);
}

export interface Writing {
  writers: number;
  durationMs: number;
}

export interface Written {
  startedAt: number;
  endedAt: number;
  count: number;
}

/** So many writers, each as fast as it can. Answers when they began and how much they wrote. */
export async function written(
  { writers, durationMs }: Writing,
  write: (id: string) => Promise<void>,
): Promise<Written> {
  const startedAt = nowMs();
  let count = 0;
  const writer = async () => {
    for (; nowMs() - startedAt < durationMs; count++) await write(randomUUIDv7());
  };
  await Promise.all(Array.from({ length: writers }, writer));
  return { startedAt, endedAt: nowMs(), count };
}

/** Publications whose confirms may be outstanding, for everything that doesn't decide it itself. */
export const WINDOW = 500;

/** Calls `fn` so often, with at most `width` under way. */
export async function pipelined(count: number, width: number, fn: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) await fn(next++);
  };
  await Promise.all(Array.from({ length: width }, lane));
}
