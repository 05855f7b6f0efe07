import { setImmediate } from 'node:timers/promises';
import { ApiError } from '../../../tools/client/http.ts';

/** What was sent this shortly before the signal may not have reached the server: nobody promised an answer to it. */
const ON_THE_WAY_MS = 20;

/** Clients that do the same over and over, and take note of requests that were sent in good time and never answered. */
export class Load {
  readonly unanswered: string[] = [];
  readonly #clients: Promise<void>[] = [];
  #ended = false;
  #toldAtMs = Infinity;

  /** One call. Refusals are answers; so is being told that nobody listens any more. */
  keepCalling(call: () => Promise<unknown>): void {
    this.#clients.push(this.#repeat(call, true));
  }

  /** Several calls, of which the later ones may well start too late. */
  keepDoing(act: () => Promise<unknown>): void {
    this.#clients.push(this.#repeat(act, false));
  }

  /** From now on the server may refuse new connections; what it has begun it has to finish. */
  serverIsTold(): void {
    this.#toldAtMs = performance.now();
  }

  async end(): Promise<void> {
    this.#ended = true;
    await Promise.all(this.#clients);
  }

  async #repeat(act: () => Promise<unknown>, mustBeAnswered: boolean): Promise<void> {
    while (!this.#ended) {
      const startedAtMs = performance.now();
      try {
        await act();
      } catch (error) {
        const inGoodTime = startedAtMs < this.#toldAtMs - ON_THE_WAY_MS;
        const cause = error instanceof Error ? (error.cause ?? error) : error;
        if (mustBeAnswered && !(error instanceof ApiError) && inGoodTime && !String(cause).includes('ECONNREFUSED'))
          this.unanswered.push(String(cause));
      }
      await setImmediate();
    }
  }
}
