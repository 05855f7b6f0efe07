import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';

/** What the figures were measured on. */
export interface Machine {
  cores: number;
  cpu: string;
  memoryGb: number;
  /** Of the minute before the measurement: above 1, others were using the machine. */
  loadBefore: number;
  versions: Record<string, string>;
}

export const machine = (versions: Record<string, string>): Machine => ({
  cores: availableParallelism(),
  cpu: cpus()[0]?.model ?? 'unknown',
  memoryGb: Math.round(totalmem() / 2 ** 30),
  loadBefore: loadavg()[0]!,
  versions: { node: process.version, ...versions },
});

export function describeMachine({ cores, cpu, memoryGb, loadBefore, versions }: Machine): string {
  const programs = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const load = `load ${loadBefore.toFixed(1)} before${loadBefore > cores / 2 ? ' (the machine was busy: mistrust absolute numbers)' : ''}`;
  return [`${cores} cores (${cpu})`, `${memoryGb} GB`, ...programs, load].join(', ');
}

/** Milliseconds on a clock that all processes of the machine share. */
export const nowMs = () => Number(process.hrtime.bigint()) / 1e6;

/** CPU time of a process, in ms; of the ones that it started as well. Linux only: elsewhere NaN. */
export function cpuMsOf(pid: number): number {
  try {
    const stats = [pid, ...descendantsOf(pid)].map(statOf);
    return stats.reduce((sum, { ownMs }) => sum + ownMs, 0) + (stats[0]?.waitedForMs ?? 0);
  } catch {
    return NaN;
  }
}

/** Resident memory in MB. */
export function rssMbOf(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(match?.[1] ?? NaN) / 1024;
}

/** USER_HZ, which Linux has fixed at 100 for programs. */
const MS_PER_TICK = 10;

function statOf(pid: number): { ownMs: number; waitedForMs: number } {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ').map(Number);
    return { ownMs: (fields[11]! + fields[12]!) * MS_PER_TICK, waitedForMs: (fields[13]! + fields[14]!) * MS_PER_TICK };
  } catch {
    // It has ended meanwhile; its parent has its time.
    return { ownMs: 0, waitedForMs: 0 };
  }
}

function descendantsOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter(Boolean)
    .map(Number);
  return children.flatMap((child) => {
    try {
      return [child, ...descendantsOf(child)];
    } catch {
      return [];
    }
  });
}
