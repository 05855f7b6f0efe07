import { ApiError, pause } from '../client/http.ts';
import type { ServiceUrls } from '../client/api.ts';
import type { Day } from './day.ts';
import type { Stats } from './stats.ts';
import type { Streets } from './streets.ts';
import { between, randomOf } from './world.ts';

export interface City {
  urls: ServiceUrls;
  seed: number;
  /** How many times faster than life everything goes. */
  speed: number;
  day: Day;
  streets: Streets;
  stats: Stats;
  signal: AbortSignal;
}

/** Same name in the same city: accounts are found again on the next run. */
export function credentialsOf(role: 'driver' | 'passenger', city: City, number: number) {
  return { email: `${role}-${number}.seed-${city.seed}@city.example`, password: `correct horse ${role} ${number}` };
}

export const FIRST_NAMES = ['Ada', 'Bruno', 'Chidi', 'Dana', 'Emre', 'Fatima', 'Goran', 'Hana', 'Ines', 'Jun'] as const;
export const LAST_NAMES = ['Adler', 'Brandt', 'Costa', 'Demir', 'Eze', 'Fischer', 'Garcia', 'Horvat'] as const;

/** Whoever lives here goes on whatever happens: what fails is counted and tried again, later and later. */
export abstract class Inhabitant {
  protected readonly city: City;
  protected readonly random: () => number;
  #failures = 0;

  protected constructor(city: City, streamOfRandomness: number) {
    this.city = city;
    this.random = randomOf(city.seed * 1_000_003 + streamOfRandomness);
  }

  /** Everything the inhabitant does from one decision to the next. */
  protected abstract step(): Promise<void>;

  async live(): Promise<void> {
    // Signing in is expensive on purpose, so a city doesn't wake up all at once.
    await this.wait(between(this.random, 0, 3_000));
    while (!this.city.signal.aborted) {
      try {
        await this.step();
        this.#failures = 0;
      } catch (error) {
        if (this.city.signal.aborted) return;
        this.city.stats.failed(error);
        this.#failures += 1;
        const backOffMs = Math.min(10_000, 250 * 2 ** this.#failures);
        const askedMs = error instanceof ApiError ? (error.retryAfterS ?? 0) * 1_000 : 0;
        await this.wait(Math.max(askedMs, between(this.random, backOffMs / 2, backOffMs)));
      }
    }
  }

  protected wait(ms: number): Promise<void> {
    return pause(ms, this.city.signal);
  }
}

/** Signs in; where there is no such account yet, opens it first. */
export async function moveIn(
  member: { session: { signIn(): Promise<unknown> } },
  register: () => Promise<unknown>,
): Promise<void> {
  try {
    await member.session.signIn();
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 401) throw error;
    await register();
    await member.session.signIn();
  }
}
