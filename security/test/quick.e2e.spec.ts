import { isSound, through } from '../src/report.ts';
import { CLASSES, run, startWorld } from '../src/run.ts';
import type { World } from '../src/world.ts';

let world: World;
beforeAll(async () => void (world = await startWorld()));
afterAll(() => world?.stop());

// One platform for all: what is tried is less than `npx nx run security:all` tries, and the same each time.
it.each(CLASSES)('withstands $name', async (attackClass) => {
  const result = await run(world, attackClass, { quick: true, seed: 1 });
  expect(through(result)).toEqual([]);
  expect(isSound(result)).toBe(true);
});
