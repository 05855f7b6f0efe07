import { readFileSync } from 'node:fs';

export interface Usage {
  residentMiB: number;
  /** The most that it ever was. */
  peakMiB: number;
  cpuS: number;
}

/** What a process has used so far, as Linux counts it (proc_pid_status(5), proc_pid_stat(5)). */
export function usageOf(pid: number): Usage {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const mib = (name: string) => Math.round(Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)![1]) / 1_024);
  // Behind the name, which may hold spaces; user and system time are the 12th and 13th field from there.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
  const TICKS_PER_S = 100;
  return {
    residentMiB: mib('VmRSS'),
    peakMiB: mib('VmHWM'),
    cpuS: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S,
  };
}
