import { setTimeout as delay } from 'node:timers/promises';

/**
 * Repeats an assertion until it holds. The last failure is thrown when time is up.
 * Use it wherever a test waits for something asynchronous: a fixed sleep is either too short or too slow.
 */
export async function eventually<T>(
  assertion: () => T | Promise<T>,
  { timeoutMs = 20_000, everyMs = 25 }: { timeoutMs?: number; everyMs?: number } = {},
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    try {
      return await assertion();
    } catch (error) {
      if (Date.now() >= deadline) throw error;
      await delay(everyMs);
    }
  }
}
