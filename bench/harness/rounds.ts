import { shuffled } from './stats.ts';

/**
 * Measures everything once, then everything again, and so on, each time in another order: what else happens on the
 * machine meanwhile hits all of them alike, and figures of one round can be divided by each other.
 */
export async function inRounds<Name extends string>(
  title: string,
  rounds: number,
  random: () => number,
  measures: Partial<Record<Name, () => Promise<number>>>,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(measures) as Name[];
  const results = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, number[]>;
  for (let round = 1; round <= rounds; round++) {
    for (const name of shuffled(names, random)) results[name].push(await measures[name]!());
    const line = names.map((name) => `${name} ${formatted(results[name].at(-1)!)}`).join(', ');
    process.stderr.write(`${title}, round ${round} of ${rounds}: ${line}\n`);
  }
  return results;
}

/** Three digits that matter, however big the number. */
export function formatted(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
