import { writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import type { Verdict } from './attack.ts';

export interface Result {
  name: string;
  about: string;
  verdicts: Verdict[];
  tookMs: number;
}

export const through = ({ verdicts }: Result) => verdicts.filter(({ broken }) => broken !== undefined);
/** A class that tried nothing shows nothing. */
export const isSound = (result: Result) => result.verdicts.length > 0 && through(result).length === 0;

const SHOWN = 20;

export function print(results: Result[]): void {
  for (const result of results) {
    for (const { attack, broken } of through(result).slice(0, SHOWN))
      console.log(`THROUGH: ${result.name}: ${attack}: ${broken}`);
    if (through(result).length > SHOWN)
      console.log(`THROUGH: ${result.name}: and ${through(result).length - SHOWN} more`);
  }
  const rows = results.map((result) => [
    result.name,
    String(result.verdicts.length),
    String(through(result).length),
    `${(result.tookMs / 1_000).toFixed(1)} s`,
    isSound(result) ? 'withstood' : result.verdicts.length === 0 ? 'NOTHING TRIED' : 'BROKEN',
    result.about,
  ]);
  const header = ['class', 'attacks', 'through', 'took', 'result', 'what is tried'];
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)));
  const line = (cells: string[]) => `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`;
  console.log([line(header), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n'));
}

/** The shape that benchmarks and fault runs write too: for each class, how many got through. */
export function writeJson(file: string, seed: number, results: Result[]): void {
  const figures = results.flatMap((result) => [
    {
      name: `${result.name}: attacks`,
      value: result.verdicts.length,
      unit: '',
      reference: null,
      atLeast: 1,
      aim: null,
    },
    { name: `${result.name}: through`, value: through(result).length, unit: '', reference: null, atMost: 0, aim: null },
  ]);
  const machine = { cpus: cpus().length, model: cpus()[0]?.model, memoryBytes: totalmem(), node: process.version };
  writeFileSync(file, `${JSON.stringify({ figures, seed, machine }, null, 2)}\n`);
}
