import { randomInt } from 'node:crypto';
import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import type { Output } from './figures.ts';

/**
 * `--json FILE`, `--check` and `--seed N`, which every benchmark takes, and its own.
 * @throws TypeError naming an option that there isn't
 */
export function readOptions<Own extends ParseArgsOptionsConfig>(own: Own, args = process.argv.slice(2)) {
  const options = { json: { type: 'string' }, check: { type: 'boolean' }, seed: { type: 'string' }, ...own } as const;
  // Nx spells `--check` as `--check=true` when it is given without `--` before it.
  const spelled = args.map((arg) => arg.replace(/=true$/, ''));
  const { values } = parseArgs({ args: spelled, options, strict: true });
  const common = values as { json?: string; check?: boolean; seed?: string };
  const output: Output = {
    json: common.json,
    check: common.check ?? false,
    seed: common.seed === undefined ? randomInt(2 ** 31) : Number(common.seed),
  };
  return { output, values };
}
