import { ApiError, pause } from '../client/http.ts';
import type { ServiceUrls } from '../client/api.ts';
import type { Day } from './day.ts';
import type { Stats } from './stats.ts';
import type { Streets } from './streets.ts';
import { Habits } from './habits.ts';
import { between } from './world.ts';

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
  protected readonly habits: Habits;
  /** How long things take: it decides nothing. */
  protected readonly pace: () => number;
  #failures = 0;

  protected constructor(city: City, name: string) {
    this.city = city;
    this.habits = new Habits(city.seed, name);
    this.pace = this.habits.dice('pace');
  }

  /** Everything the inhabitant does from one decision to the next. */
  protected abstract step(): Promise<void>;

  async live(): Promise<void> {
    // Signing in is expensive on purpose, so a city doesn't wake up all at once.
    await this.wait(between(this.pace, 0, 3_000));
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
        await this.wait(Math.max(askedMs, between(this.pace, backOffMs / 2, backOffMs)));
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
