import { execFileSync, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** A process that we started. Its start time tells it from a later process with the same id. */
export interface ProcessRecord {
  name: string;
  pid: number;
  startedAt: string;
}

export interface SpawnOptions {
  /** The folder of the installation: the record goes to its `run`, the output to its `logs`. */
  dir: string;
  name: string;
  command: string;
  args: string[];
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  uid?: number;
  gid?: number;
}

/** When a process started, in whatever form the system tells it; null when there is no such process. */
export function startTimeOf(pid: number): string | null {
  try {
    if (process.platform === 'linux') {
      // The name, in parentheses, may hold spaces; state is the first field after it and start time the 20th.
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
      return fields[0] === 'Z' ? null : fields[19]!;
    }
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || null;
  } catch {
    return null;
  }
}

export const isRunning = (record: ProcessRecord): boolean => startTimeOf(record.pid) === record.startedAt;

const recordFile = (dir: string, name: string) => join(dir, 'run', `${name}.json`);

export function recordProcess(dir: string, name: string, pid: number): ProcessRecord {
  const record = { name, pid, startedAt: startTimeOf(pid) ?? '' };
  mkdirSync(join(dir, 'run'), { recursive: true });
  writeFileSync(recordFile(dir, name), JSON.stringify(record));
  return record;
}

export function forgetProcess(dir: string, name: string): void {
  rmSync(recordFile(dir, name), { force: true });
}

/** The names in a folder; none where there is no such folder. */
export function filesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

/** The processes of an installation that are still running. */
export function recordedProcesses(dir: string): ProcessRecord[] {
  return filesIn(join(dir, 'run'))
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(join(dir, 'run', name), 'utf8')) as Partial<ProcessRecord>)
    .filter((record): record is ProcessRecord => typeof record.pid === 'number' && isRunning(record as ProcessRecord));
}

/**
 * Starts a process that is nobody's child: a shell puts it in the background and ends. Ctrl-C in the terminal does not
 * reach it, nor does Nx, which at the end of a task stops everything that descends from it: who stops it, and when,
 * is decided here. Its output goes to `logs/<name>.log`.
 */
export async function spawnRecorded(options: SpawnOptions): Promise<{ record: ProcessRecord; logFile: string }> {
  const { dir, name, command, args, env, cwd, uid, gid } = options;
  const logFile = join(dir, 'logs', `${name}.log`);
  mkdirSync(dirname(logFile), { recursive: true });
  const log = openSync(logFile, 'w');
  try {
    const shell = spawn('/bin/sh', ['-c', '"$0" "$@" >&2 & echo $!', command, ...args], {
      ...{ cwd, env, uid, gid },
      detached: true,
      stdio: ['ignore', 'pipe', log],
    });
    let pid = '';
    for await (const text of shell.stdout!) pid += String(text);
    return { record: recordProcess(dir, name, Number(pid)), logFile };
  } finally {
    closeSync(log);
  }
}

/** Asks a process to stop, and after the grace period ends it. Does nothing when it has gone already. */
export async function stopProcess(
  record: ProcessRecord,
  { signal = 'SIGTERM', graceMs = 15_000 }: { signal?: NodeJS.Signals; graceMs?: number } = {},
): Promise<void> {
  const send = (name: NodeJS.Signals) => {
    try {
      if (isRunning(record)) process.kill(record.pid, name);
    } catch {
      // It ended between the look and the signal.
    }
  };
  send(signal);
  const deadline = Date.now() + graceMs;
  while (isRunning(record) && Date.now() < deadline) await delay(25);
  send('SIGKILL');
  while (isRunning(record) && Date.now() < deadline + 5_000) await delay(25);
}

/** The last lines of a log, for the message that says why something did not start. */
export function tailOf(logFile: string, lines = 15): string {
  try {
    return readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  } catch {
    return '';
  }
}
