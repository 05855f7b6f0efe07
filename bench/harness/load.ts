import autocannon from 'autocannon';
import { cpuMsOf } from './machine.ts';
import type { Worker } from './processes.ts';

/** As the benchmarks of Fastify itself have it: enough that the server is never idle. */
const CONNECTIONS = 100;

/** A route of one of the processes. */
export interface Target {
  worker: Pick<Worker, 'pid'>;
  url: string;
  token?: string;
  /** Made for each request: what is posted, and by whom. Without it, the route is read. */
  post?: () => { body: string; token: string };
}

export interface Load {
  requestsPerS: number;
  /** CPU time that the process spends on one request, µs; what others do on the machine is not in it. */
  cpuUs: number;
}

const asPosted = ({ body, token }: { body: string; token: string }) => ({
  body,
  headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
});

/** @throws Error when an answer is anything but a 2xx: what is fast at refusing would look good */
export async function load({ worker, url, token, post }: Target, durationS: number): Promise<Load> {
  const cpuBeforeMs = cpuMsOf(worker.pid);
  const result = await autocannon({
    url,
    connections: CONNECTIONS,
    duration: durationS,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    ...(post
      ? { requests: [{ method: 'POST', setupRequest: (request) => ({ ...request, ...asPosted(post()) }) }] }
      : {}),
  });
  const failures = result.non2xx + result.errors + result.timeouts;
  if (failures > 0 || result['2xx'] === 0)
    throw new Error(`${url}: ${failures} failed, ${JSON.stringify(result.statusCodeStats)}`);
  const requests = result['2xx'];
  return {
    requestsPerS: requests / result.duration,
    cpuUs: ((cpuMsOf(worker.pid) - cpuBeforeMs) * 1_000) / requests,
  };
}
