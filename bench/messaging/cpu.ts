import { cpuMsOf } from '../harness/machine.ts';
import type { Pipeline } from './pipeline.ts';
import type { BenchRuntime } from './runtime.ts';

/** The CPU time that each process takes for an event: hardly changed by what else the machine has to do. */
export function cpuMeter({ workers }: Pipeline, { pids }: BenchRuntime) {
  const processes: Record<string, number | null> = {
    broker: pids.rabbitmq,
    PostgreSQL: pids.postgres,
    publisher: workers.publisher.pid,
    consumer: workers.consumer.pid,
  };
  const read = () => Object.values(processes).map((pid) => (pid === null ? NaN : cpuMsOf(pid)));
  let before: number[] = [];
  return {
    start: () => void (before = read()),
    perEventUs: (count: number): Record<string, number> => {
      const usedUs = read().map((ms, i) => ((ms - before[i]!) * 1_000) / count);
      return Object.fromEntries(Object.keys(processes).map((name, i) => [name, usedUs[i]!]));
    },
  };
}
