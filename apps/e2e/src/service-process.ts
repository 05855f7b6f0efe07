import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import type { ServiceName } from '@cabstand/contracts';
import { eventually } from '@cabstand/testing';
import { freePort } from '../../../infra/ports.ts';
import { ROOT } from '../../../infra/paths.ts';

/** Another build can be held to the same promises: that of a release, or of a colleague. */
const DIST = process.env.CABSTAND_DIST ?? join(ROOT, 'dist', 'apps');

export interface Readiness {
  status: number;
  body: { messaging?: string };
}

/** What is built, run as it is run for real: a process of its own that knows nothing but its environment. */
export class ServiceProcess {
  readonly service: ServiceName;
  readonly url: string;
  readonly managementUrl: string;
  /** Every line that the process wrote, over all its lives. */
  readonly log: string[] = [];
  readonly #env: Record<string, string>;
  #child: ChildProcess | undefined;

  private constructor(service: ServiceName, env: Record<string, string>, port: number, managementPort: number) {
    this.service = service;
    this.url = `http://127.0.0.1:${port}`;
    this.managementUrl = `http://127.0.0.1:${managementPort}`;
    this.#env = { ...env, PORT: String(port), MANAGEMENT_PORT: String(managementPort), HOST: '127.0.0.1' };
  }

  static async prepare(service: ServiceName, env: Record<string, string>, port?: number): Promise<ServiceProcess> {
    return new ServiceProcess(service, env, port ?? (await freePort()), await freePort());
  }

  /** Answers when the service says that it is ready. */
  async start(): Promise<void> {
    const child = launch(this.service, [], this.#env);
    this.#child = child;
    for (const output of [child.stdout, child.stderr]) {
      if (output) createInterface({ input: output }).on('line', (line) => this.log.push(line));
    }
    await eventually(
      async () => {
        if (child.exitCode !== null) throw new Error(`${this.service} ended with ${child.exitCode}:\n${this.tail()}`);
        const { status } = await this.readiness();
        if (status !== 200) throw new Error(`${this.service} is not ready (${status}):\n${this.tail()}`);
      },
      { timeoutMs: 60_000 },
    );
  }

  /** Of the process that was started last. */
  get pid(): number {
    return this.#child!.pid!;
  }

  async readiness(): Promise<Readiness> {
    const response = await fetch(`${this.managementUrl}/readyz`, { signal: AbortSignal.timeout(5_000) });
    return { status: response.status, body: (await response.json()) as Readiness['body'] };
  }

  async isLive(): Promise<boolean> {
    const response = await fetch(`${this.managementUrl}/livez`, { signal: AbortSignal.timeout(5_000) });
    return response.status === 200;
  }

  async metrics(): Promise<string> {
    return (await fetch(`${this.managementUrl}/metrics`)).text();
  }

  /** Sends the signal and waits for the end: the exit code (null when the signal itself ended it) and how long it took. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<{ code: number | null; tookMs: number }> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return { code: null, tookMs: 0 };
    const startedAtMs = performance.now();
    child.kill(signal);
    const [code] = (await once(child, 'exit')) as [number | null];
    return { code, tookMs: performance.now() - startedAtMs };
  }

  tail(lines = 30): string {
    return this.log.slice(-lines).join('\n');
  }
}

export interface Finished {
  code: number | null;
  output: string;
}

/** Runs a service's program to its end: migrations, or a start that has to fail. */
export async function runToEnd(service: ServiceName, args: string[], env: Record<string, string>): Promise<Finished> {
  const child = launch(service, args, env);
  const output: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => output.push(String(chunk)));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output: output.join('') };
}

function launch(service: ServiceName, args: string[], env: Record<string, string>): ChildProcess {
  const main = join(DIST, service, 'main.js');
  // Nothing of our own environment: what a service needs, it is told.
  return spawn(process.execPath, [main, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
}
