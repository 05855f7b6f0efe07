import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { ROOT } from '../../infra/index.ts';
import type { Reply, Request } from './worker.ts';

const STOP_MS = 10_000;

/** A process that takes part in a benchmark. */
export interface Worker {
  readonly pid: number;
  call<Result = void>(command: string, argument?: unknown): Promise<Result>;
  stop(): Promise<void>;
}

/**
 * Compiles the workers: Node runs TypeScript by leaving the types out, which is not enough for decorators. Packages
 * are taken as installed. Answers where each one is, by its name.
 */
export async function compileWorkers(folder: string, names: readonly string[]): Promise<(name: string) => string> {
  const out = join(ROOT, 'dist', folder);
  for (const name of names) {
    await using bundle = await rolldown({
      input: join(ROOT, folder, `${name}.ts`),
      cwd: ROOT,
      platform: 'node',
      tsconfig: true,
      external: (id) => /^[@a-z]/.test(id) && !/^@(cabstand|oxc-project)\//.test(id),
    });
    const file = join(out, `${name}.js`);
    await bundle.write({ file, format: 'esm', codeSplitting: false, keepNames: true, sourcemap: 'inline' });
  }
  return (name) => join(out, `${name}.js`);
}

/** `quiet`: what it prints is thrown away, as when a service logs. */
export async function startWorker(file: string, settings: unknown, { quiet = false } = {}): Promise<Worker> {
  const child = fork(file, [], {
    stdio: ['ignore', quiet ? 'ignore' : 'inherit', 'inherit', 'ipc'],
    execArgv: ['--enable-source-maps', '--no-warnings'],
    env: { ...process.env, NODE_ENV: 'production' },
  });
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  child.on('message', (reply: Reply) => {
    const caller = waiting.get(reply.id);
    waiting.delete(reply.id);
    if ('error' in reply) caller?.reject(new Error(`${file}: ${reply.error}`));
    else caller?.resolve(reply.result);
  });
  child.on('exit', (code, signal) => {
    for (const { reject } of waiting.values()) reject(new Error(`${file} ended (${signal ?? code})`));
  });
  let lastId = 0;
  const call = <Result>(command: string, argument?: unknown): Promise<Result> => {
    const reply = Promise.withResolvers<unknown>();
    const request: Request = { id: ++lastId, command, argument };
    waiting.set(request.id, reply);
    child.send(request, (error) => error && reply.reject(error));
    return reply.promise as Promise<Result>;
  };
  await call('start', settings);
  return { pid: child.pid!, call, stop: () => end(child) };
}

/** What ends everything, once however often it is called: at the end of a run, and when somebody ends the run. */
export function onceEnded(close: () => Promise<void>): () => Promise<void> {
  let ended: Promise<void> | undefined;
  const end = () => (ended ??= close());
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void end().then(() => process.exit(130)));
  return end;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  // A worker ends when nobody is there any more to tell it things.
  child.disconnect();
  await gone;
  clearTimeout(timer);
}
