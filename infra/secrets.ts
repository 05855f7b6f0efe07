import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Reads a secret of the installation, making it on first use. Files are readable by their owner alone. */
export function secret(
  dir: string,
  name: string,
  make: () => string = () => randomBytes(24).toString('base64url'),
): string {
  const file = join(dir, 'secrets', name);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  try {
    // `wx`: of two that start at once, one writes and both read the same.
    writeFileSync(file, make(), { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return readFileSync(file, 'utf8');
}
