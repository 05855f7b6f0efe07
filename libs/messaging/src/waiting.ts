import { setTimeout as delay } from 'node:timers/promises';
import { isNativeError } from 'node:util/types';

const LONGEST_MS = 5_000;

/** Waits longer after each failure, never in step with other replicas. */
export class Backoff {
  private failures = 0;

  constructor(
    private readonly signal: AbortSignal,
    private readonly shortestMs = 100,
  ) {}

  async wait(): Promise<void> {
    const ms = Math.min(LONGEST_MS, this.shortestMs * 2 ** this.failures++) * (0.75 + Math.random() / 2);
    await sleep(ms, this.signal);
  }

  reset(): void {
    this.failures = 0;
  }
}

/** Returns early, without an error, when the signal is aborted. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal, ref: false }).catch(() => undefined);
}

/** For endings: what a dead network or a hanging handler holds up must not hold up the stop. */
export async function within(ms: number, ending: Promise<unknown>): Promise<void> {
  await Promise.race([ending, sleep(ms)]);
}

/** Something to wait for that may have happened already: a wake-up between two waits is not lost. */
export class Bell {
  private rung = false;
  private hear: (() => void) | undefined;

  ring(): void {
    this.rung = true;
    this.hear?.();
  }

  /** Returns once rung since the last time this returned, or when the time is over. */
  async wait(ms: number): Promise<void> {
    if (!this.rung) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.hear = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.hear = undefined;
    }
    this.rung = false;
  }
}

/** For logs: what failed and where, without the message, which may quote data. */
export function outline(error: unknown): string {
  if (!isNativeError(error)) return typeof error;
  const code = 'code' in error ? ` (${String(error.code)})` : '';
  // A message may look like frames.
  const frames = (error.stack ?? '')
    .replace(error.message, '')
    .split('\n')
    .filter((line) => line.startsWith('    at '));
  return [`${error.name}${code}`, ...frames.slice(0, 8)].join('\n');
}
