import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isRunning, startTimeOf, type ProcessRecord } from '../../infra/index.ts';

/** The holder of a lock file, if it still runs. */
export function lockHolder(file: string): ProcessRecord | null {
  try {
    const record = JSON.parse(readFileSync(file, 'utf8')) as ProcessRecord;
    return isRunning(record) ? record : null;
  } catch {
    return null;
  }
}

/** Takes a lock for this process; answers its holder when that is another one. A dead holder's lock is taken over. */
export function tryLock(file: string): ProcessRecord | null {
  mkdirSync(dirname(file), { recursive: true });
  const me: ProcessRecord = { name: 'lock', pid: process.pid, startedAt: startTimeOf(process.pid) ?? '' };
  // A link appears with its content, where a file that is being written could be read empty.
  const mine = `${file}.${process.pid}`;
  writeFileSync(mine, JSON.stringify(me));
  try {
    for (;;) {
      try {
        linkSync(mine, file);
        return null;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const holder = lockHolder(file);
      if (holder) return holder;
      rmSync(file, { force: true });
    }
  } finally {
    rmSync(mine, { force: true });
  }
}

export function unlock(file: string): void {
  if (lockHolder(file)?.pid === process.pid) rmSync(file, { force: true });
}

/** Runs `work` while no other process runs its own under the same lock. */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  while (tryLock(file)) await delay(50);
  try {
    return await work();
  } finally {
    unlock(file);
  }
}
