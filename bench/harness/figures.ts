import { writeFileSync } from 'node:fs';
import type { Machine } from './machine.ts';
import { formatted } from './rounds.ts';
import { median } from './stats.ts';

/** One result: the median of several rounds, with what it is measured against and has to reach. */
export interface Figure {
  name: string;
  value: number;
  unit: string;
  /** What the value is a multiple of, or null when it stands for itself. */
  reference: string | null;
  /** What it must not be below; null where nothing is demanded. */
  atLeast: number | null;
  /** What it must not be above. */
  atMost: number | null;
  aim: number | null;
  min: number;
  max: number;
}

export type Demand = Partial<Pick<Figure, 'reference' | 'atLeast' | 'atMost' | 'aim'>>;

export function figure(name: string, unit: string, values: readonly number[], demand: Demand = {}): Figure {
  return {
    name,
    value: median(values),
    unit,
    reference: demand.reference ?? null,
    atLeast: demand.atLeast ?? null,
    atMost: demand.atMost ?? null,
    aim: demand.aim ?? null,
    min: Math.min(...values),
    max: Math.max(...values),
  };
}

/** Round by round: both were measured within seconds of each other. */
export const ratios = (values: readonly number[], references: readonly number[]) =>
  values.map((value, round) => value / references[round]!);

export const isShort = ({ value, atLeast, atMost }: Figure): boolean =>
  // Negated, so that a figure that could not be measured is short as well.
  (atLeast !== null && !(value >= atLeast)) || (atMost !== null && !(value <= atMost));

export function printFigures(figures: readonly Figure[]): void {
  const rows = figures.map((f) => [
    f.name,
    `${formatted(f.value)} ${f.unit}`,
    `${formatted(f.min)} – ${formatted(f.max)}`,
    f.atLeast !== null ? `≥ ${f.atLeast}` : f.atMost !== null ? `≤ ${f.atMost}` : '',
    f.aim !== null ? `${f.atMost !== null ? '≤' : '≥'} ${f.aim}` : '',
    isShort(f) ? 'SHORT' : '',
  ]);
  printTable(['figure', 'median', 'spread', 'demanded', 'aim', ''], rows);
}

export function printTable(header: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = header.map((title, column) => Math.max(3, title.length, ...rows.map((row) => row[column]!.length)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join(' | ')} |`;
  console.log(line(header));
  console.log(
    `| ${widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`,
  );
  for (const row of rows) console.log(line(row));
}

export interface Output {
  json: string | undefined;
  check: boolean;
  seed: number;
}

/** The file, if one is wanted, and the exit code: with `--check` 1 when a figure is short, naming it. */
export function conclude(figures: readonly Figure[], machine: Machine, { json, check, seed }: Output): void {
  if (json) writeFileSync(json, `${JSON.stringify({ figures, seed, machine }, null, 2)}\n`);
  const short = figures.filter(isShort);
  for (const { name, value, unit, atLeast, atMost } of short) {
    const demand = atLeast !== null ? `at least ${atLeast}` : `at most ${atMost}`;
    process.stderr.write(`short: ${name} is ${formatted(value)} ${unit}, not ${demand}\n`);
  }
  if (check && short.length > 0) process.exitCode = 1;
}
