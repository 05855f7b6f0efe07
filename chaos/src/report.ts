import { writeFileSync } from 'node:fs';
import { cpus, platform, totalmem } from 'node:os';

/** One number of a run. `atLeast` and `atMost` are what it is held to. */
export interface Figure {
  name: string;
  value: number;
  unit: string;
  atLeast?: number;
  atMost?: number;
  /** Counts what the run was to do, and not what came of it. */
  isPlan?: true;
}

export function figuresOf<Tally extends object>(prefix: string, tally: Tally, faults: readonly string[]): Figure[] {
  return Object.entries(tally)
    .filter((entry): entry is [string, number] => typeof entry[1] === 'number')
    .map(([name, value]) => ({
      name: `${prefix}: ${words(name)}`,
      value,
      unit: '',
      ...(faults.includes(name) ? { atMost: 0 } : {}),
    }));
}

export const isMet = ({ value, atLeast = -Infinity, atMost = Infinity }: Figure) => value >= atLeast && value <= atMost;

/** Whether everything was done that was planned: what is counted of less says nothing about the rest. */
export const isComplete = (figures: Figure[]) =>
  figures.some(({ isPlan }) => isPlan) && figures.every((figure) => !figure.isPlan || isMet(figure));

export function print(figures: Figure[]): void {
  for (const figure of figures) {
    const { name, value, unit, atLeast, atMost } = figure;
    const bound = atLeast === undefined ? (atMost === undefined ? '' : `= ${atMost}`) : `>= ${atLeast}`;
    const verdict = bound === '' ? '' : isMet(figure) ? 'ok' : figure.isPlan ? 'NOT DONE' : 'BROKEN';
    console.log(`  ${name.padEnd(48)}${String(value).padStart(9)} ${unit.padEnd(3)} ${bound.padEnd(8)}${verdict}`);
  }
}

export function writeJson(file: string, seed: number, figures: Figure[]): void {
  const machine = { cpus: cpus().length, model: cpus()[0]?.model, memoryBytes: totalmem(), platform: platform() };
  writeFileSync(
    file,
    `${JSON.stringify({ complete: isComplete(figures), figures, seed, machine: { ...machine, node: process.version } }, null, 2)}\n`,
  );
}

const words = (name: string) => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
