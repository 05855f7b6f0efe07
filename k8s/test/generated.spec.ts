import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

it('what is generated says what the contracts and the alerts say', () => {
  const script = join(import.meta.dirname, '..', 'generate.ts');
  const { stdout, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
  expect(stdout + stderr).toBe('');
}, 60_000);
