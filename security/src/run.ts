import type { AttackClass, Options } from './attack.ts';
import { cors, WEB } from './classes/cors.ts';
import { fuzz } from './classes/fuzz.ts';
import { injection } from './classes/injection.ts';
import { logInjection } from './classes/log-injection.ts';
import { massAssignment } from './classes/mass-assignment.ts';
import type { Result } from './report.ts';
import { World } from './world.ts';

/**
 * What is tried over the APIs of the three built services. The first counts rows that nobody may touch meanwhile, the
 * last leaves dead letters.
 */
export const CLASSES: readonly AttackClass[] = [massAssignment, cors, injection, fuzz, logInjection];

export const startWorld = () => World.start({ WEB_ORIGINS: WEB });

export async function run(world: World, attackClass: AttackClass, options: Options): Promise<Result> {
  const { name, about } = attackClass;
  const startedAtMs = performance.now();
  const verdicts = await attackClass.run(world, options);
  return { name, about, verdicts, tookMs: performance.now() - startedAtMs };
}
