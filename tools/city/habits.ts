import { randomOf } from './world.ts';

/** Shares of 1, of the occasions. */
const SHARES = {
  /** Nothing is heard of the offer: it runs out. */
  'overhears an offer': 0.02,
  'declines an offer': 0.1,
  /** On the way to the pickup: a flat tyre, a passenger who isn't found. */
  'cancels as the driver': 0.02,
  'takes a break after a trip': 0.04,
  'cancels as the passenger': 0.08,
};
export type Habit = keyof typeof SHARES;

/**
 * What one person decides. Each kind of decision has random numbers of its own: how long something took, and what else
 * was decided meanwhile, changes nothing in it, and the same seed is the same city.
 */
export class Habits {
  readonly #person: string;
  readonly #streams = new Map<string, () => number>();

  constructor(seed: number, person: string) {
    this.#person = `${seed}/${person}`;
  }

  /** Numbers from 0 to 1 that serve this purpose only. */
  dice(purpose: string): () => number {
    let stream = this.#streams.get(purpose);
    if (!stream) this.#streams.set(purpose, (stream = randomOf(hash(`${this.#person}/${purpose}`))));
    return stream;
  }

  does(habit: Habit): boolean {
    return this.dice(habit)() < SHARES[habit];
  }
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let state = 0x811c9dc5;
  for (const character of text) state = Math.imul(state ^ character.charCodeAt(0), 0x01000193);
  return state;
}
