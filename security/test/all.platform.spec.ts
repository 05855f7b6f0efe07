import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../../infra/index.ts';

interface Figure {
  name: string;
  value: number;
  atLeast?: number;
  atMost?: number;
}
const isMet = ({ value, atLeast = -Infinity, atMost = Infinity }: Figure) => value >= atLeast && value <= atMost;

it('withstands every class of attacks', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cabstand-security-'));
  const file = join(folder, 'figures.json');
  // Its output is the table, and names the seed that replays it.
  const child = spawn(process.execPath, [join(ROOT, 'security', 'src', 'main.ts'), '--json', file], {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  const { figures, seed } = JSON.parse(readFileSync(file, 'utf8')) as { figures: Figure[]; seed: number };
  rmSync(folder, { recursive: true });
  expect({ seed, broken: figures.filter((figure) => !isMet(figure)), code }).toEqual({ seed, broken: [], code: 0 });
}, 1_500_000);
