import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { forgetProcess, LOCAL, recordProcess, stopProcess, type ProcessRecord } from '../../infra/index.ts';
import { followLog } from './service-log.ts';

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
/** A process that ran this long before it ended is taken for a healthy one that had an accident. */
const HEALTHY_AFTER_MS = 30_000;

/** How long to wait before start number `failures + 1` in a row. */
export const restartWaitMs = (failures: number) => Math.min(FIRST_WAIT_MS * 2 ** (failures - 1), LONGEST_WAIT_MS);

export interface Supervised {
  name: string;
  args: string[];
  env: Record<string, string>;
  say: (line: string) => void;
  onMessage?: (message: unknown) => void;
}

/** Keeps a Node.js process running: one that ends by itself is named and started again, later each time. */
export class Supervisor {
  readonly #options: Supervised;
  #child: ChildProcess | null = null;
  #record: ProcessRecord | null = null;
  #failures = 0;
  #timer: NodeJS.Timeout | null = null;
  #stopping = false;

  constructor(options: Supervised) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.name;
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  start(): void {
    const { name, args, env, say, onMessage } = this.#options;
    const startedAtMs = performance.now();
    const child = spawn(process.execPath, args, {
      env,
      // A session of its own: Ctrl-C reaches us alone, and we stop everything in order.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', ...(onMessage ? (['ipc'] as const) : [])],
    });
    this.#child = child;
    if (child.pid) this.#record = recordProcess(LOCAL, name, child.pid);
    const streams = [child.stdout, child.stderr].filter((stream) => stream !== null);
    const log = followLog(join(LOCAL, 'logs', `${name}.log`), streams, (line) => say(`[${name}] ${line}`));
    if (onMessage) child.on('message', onMessage);
    child.on('error', (error) => say(`${name}: ${error.message}`));
    // `close`, not `exit`: what it printed last has been read by then.
    child.on('close', (code, signal) => {
      log.end();
      forgetProcess(LOCAL, name);
      this.#child = null;
      if (this.#stopping) return;
      this.#failures = performance.now() - startedAtMs > HEALTHY_AFTER_MS ? 1 : this.#failures + 1;
      const waitMs = restartWaitMs(this.#failures);
      say(`${name} ended unexpectedly (${signal ?? `exit code ${code}`}); starting it again in ${waitMs / 1_000} s`);
      this.#timer = setTimeout(() => this.start(), waitMs);
    });
  }

  /** SIGTERM, and SIGKILL to one that takes longer than the grace period. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    if (this.#timer) clearTimeout(this.#timer);
    const { name, say } = this.#options;
    if (!this.#child || !this.#record) return;
    const startedAtMs = performance.now();
    await stopProcess(this.#record, { graceMs });
    if (performance.now() - startedAtMs >= graceMs)
      say(`${name} did not stop within ${graceMs / 1_000} s and was ended`);
  }

  /** Ends the process as an accident would; it is started again. */
  crash(): void {
    this.#child?.kill('SIGKILL');
  }

  kill(): void {
    this.#stopping = true;
    this.#child?.kill('SIGKILL');
  }
}
