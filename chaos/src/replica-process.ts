import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { inputOptions, outputOptions } from '../../tools/build.ts';
import { ROOT } from '../../infra/index.ts';
import type { ReplicaOptions } from './replica-options.ts';

const READY_WITHIN_MS = 60_000;

/** The library as services get it: bundled. Answers the file to run. */
export async function buildReplica(folder: string): Promise<string> {
  await using bundle = await rolldown({
    ...inputOptions('trip'),
    input: join(ROOT, 'chaos', 'replica', 'main.ts'),
  });
  await bundle.write(outputOptions(folder));
  return join(folder, 'service.js');
}

/** A replica with all its lives. */
export class ReplicaProcess {
  readonly name: string;
  readonly #file: string;
  readonly #options: ReplicaOptions;
  readonly #log: WriteStream;
  #child: ChildProcess | undefined;

  constructor(name: string, file: string, options: ReplicaOptions, logs: string) {
    this.name = name;
    this.#file = file;
    this.#options = options;
    mkdirSync(logs, { recursive: true });
    this.#log = createWriteStream(join(logs, `${name}.log`));
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** @param failPoint `<point>:<nth time>` at which it is to kill itself */
  async start(failPoint = ''): Promise<void> {
    const child = this.#launch(this.#options, failPoint);
    const ready = once(child, 'message');
    const ended = once(child, 'exit').then(() => 'ended');
    const outcome = await Promise.race([ready, ended, expiry(READY_WITHIN_MS)]);
    // Armed, it may well die before it is ready.
    if (outcome === 'ended' && !failPoint) throw new Error(`${this.name} ended while starting: see its log`);
    if (outcome === 'expired') throw new Error(`${this.name} was not ready in ${READY_WITHIN_MS} ms: see its log`);
  }

  /** Whether it killed itself in this time. */
  async diesWithin(ms: number): Promise<boolean> {
    const child = this.#child!;
    if (this.isRunning) await Promise.race([once(child, 'exit'), expiry(ms)]);
    return child.signalCode === 'SIGKILL';
  }

  async kill(): Promise<void> {
    if (!this.isRunning) return;
    const exited = once(this.#child!, 'exit');
    this.#child!.kill('SIGKILL');
    await exited;
  }

  /** In order, as a deployment does it. Answers the exit code and how long it took. */
  async stop(): Promise<{ code: number | null; tookMs: number }> {
    if (!this.isRunning) return { code: 0, tookMs: 0 };
    const startedAtMs = performance.now();
    const exited = once(this.#child!, 'exit');
    this.#child!.kill('SIGTERM');
    const [code] = (await exited) as [number | null];
    return { code, tookMs: performance.now() - startedAtMs };
  }

  /** Writes nothing new, and goes on with everything else. */
  quiet(): void {
    if (this.isRunning) this.#child!.send('quiet');
  }

  async migrate(): Promise<void> {
    const [code] = (await once(this.#launch({ ...this.#options, migrate: true }, ''), 'exit')) as [number | null];
    if (code !== 0) throw new Error(`migrating for ${this.name} ended with ${code}: see its log`);
  }

  #launch(options: ReplicaOptions, failPoint: string): ChildProcess {
    const child = fork(this.#file, [], {
      execArgv: ['--enable-source-maps'],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: {
        CHAOS_REPLICA: JSON.stringify(options),
        NODE_COMPILE_CACHE: join(this.#file, '..', 'cache'),
        ...(failPoint ? { CABSTAND_FAIL_POINT: failPoint } : {}),
      },
    });
    this.#log.write(`--- started${failPoint && ` with ${failPoint}`}\n`);
    for (const output of [child.stdout, child.stderr]) output?.pipe(this.#log, { end: false });
    this.#child = child;
    return child;
  }
}

/** Doesn't keep the process. */
const expiry = (ms: number) => new Promise<'expired'>((resolve) => setTimeout(() => resolve('expired'), ms).unref());
