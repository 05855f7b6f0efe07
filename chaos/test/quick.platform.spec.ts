import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../../infra/index.ts';
import { isMet, type Figure } from '../src/report.ts';

it('keeps every promise in a quick run', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cabstand-chaos-'));
  const file = join(folder, 'figures.json');
  const main = join(ROOT, 'chaos', 'src', 'main.ts');
  // Its output is the story of the run, and names the seed that replays it.
  const child = spawn(process.execPath, [main, 'quick', '--json', file], {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  const { figures, seed } = JSON.parse(readFileSync(file, 'utf8')) as { figures: Figure[]; seed: number };
  rmSync(folder, { recursive: true });
  expect({ seed, broken: figures.filter((figure) => !isMet(figure)), code }).toEqual({ seed, broken: [], code: 0 });
}, 600_000);
