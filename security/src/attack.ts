import type { World } from './world.ts';

export interface Options {
  /** The short form, for `npm test`. */
  quick: boolean;
  seed: number;
}

export interface Verdict {
  /** What was tried. */
  attack: string;
  /** How it got through; nothing when it was withstood. */
  broken?: string | undefined;
}

/** One kind of attack, over everything that it can be tried on. */
export interface AttackClass {
  name: string;
  about: string;
  run(world: World, options: Options): Promise<Verdict[]>;
}
