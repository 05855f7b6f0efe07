import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { recordProcess } from '../../infra/index.ts';
import { lockHolder, tryLock, unlock, withLock } from './lock.ts';

const folder = mkdtempSync(join(tmpdir(), 'cabstand-lock-'));
const file = join(folder, 'start.lock');

afterEach(() => rmSync(file, { force: true }));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a lock between processes', () => {
  it('is refused, naming the process that holds it, for as long as that one runs', async () => {
    const other = spawn(process.execPath, ['--eval', 'setInterval(() => {}, 1000)']);
    writeFileSync(file, JSON.stringify(recordProcess(folder, 'other', other.pid!)));
    expect(tryLock(file)?.pid).toBe(other.pid);
    unlock(file);
    expect(lockHolder(file)?.pid).toBe(other.pid);

    other.kill('SIGKILL');
    await new Promise((resolve) => other.on('close', resolve));
    expect(tryLock(file)).toBeNull();
    expect(lockHolder(file)?.pid).toBe(process.pid);
  });

  it('is taken over from a process whose id another one has now', () => {
    writeFileSync(file, JSON.stringify({ name: 'gone', pid: process.pid, startedAt: 'long ago' }));
    expect(tryLock(file)).toBeNull();
  });

  it('lets work of one process through at a time, and is free after a failure', async () => {
    await expect(withLock(file, () => Promise.reject(new Error('failed inside')))).rejects.toThrow('failed inside');
    const order: string[] = [];
    const work = (name: string) =>
      withLock(file, async () => {
        order.push(`${name} in`);
        await new Promise((resolve) => setImmediate(resolve));
        order.push(`${name} out`);
      });
    await Promise.all([work('a'), work('b')]);
    expect(order).toEqual(['a in', 'a out', 'b in', 'b out']);
  });
});
