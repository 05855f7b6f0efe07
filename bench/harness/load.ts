import autocannon from 'autocannon';
import { cpuMsOf } from '../harness/machine.ts';
import type { Worker } from '../harness/processes.ts';

/** As the benchmarks of Fastify itself have it: enough that the server is never idle. */
const CONNECTIONS = 100;

/** A route of one of the processes. */
export interface Target {
  worker: Worker;
  url: string;
  token?: string;
}

export interface Load {
  requestsPerS: number;
  /** CPU time that the process spends on one request, µs; what others do on the machine is not in it. */
  cpuUs: number;
}

/** @throws Error when an answer is anything but a 2xx: what is fast at refusing would look good */
export async function load({ worker, url, token }: Target, durationS: number): Promise<Load> {
  const cpuBeforeMs = cpuMsOf(worker.pid);
  const result = await autocannon({
    url,
    connections: CONNECTIONS,
    duration: durationS,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  });
  const failures = result.non2xx + result.errors + result.timeouts;
  if (failures > 0 || result['2xx'] === 0) throw new Error(`${url}: ${failures} of ${result.requests.total} failed`);
  const requests = result['2xx'];
  return {
    requestsPerS: requests / result.duration,
    cpuUs: ((cpuMsOf(worker.pid) - cpuBeforeMs) * 1_000) / requests,
  };
}
