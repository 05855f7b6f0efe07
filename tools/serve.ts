/** `nx serve <service>`: one service, rebuilt and restarted on every change, with what it needs beside it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { SERVICES, type ServiceName } from '@cabstand/contracts';
import { watch } from 'rolldown';
import { assertPortsFree, ROOT } from '../infra/index.ts';
import { inputOptions, outputOptions, writeSurroundings } from './build.ts';
import { publicUrl, serviceEnvironment } from './runtime/environment.ts';
import { useInfrastructure } from './runtime/infrastructure.ts';
import { loadDotEnv, readSettings } from './runtime/settings.ts';

/** A service drains for up to 10 s; what takes longer than this hangs. */
const STOP_GRACE_MS = 15_000;

const say = (line: string) => console.log(`serve: ${line}`);

/** The running service. One at a time: the next starts when the last has exited and its ports are free. */
class Served {
  private child: ChildProcess | null = null;
  private last: ChildProcess | null = null;
  private queue: Promise<void> = Promise.resolve();
  private stopped = false;
  private readonly folder: string;
  private readonly env: Record<string, string>;

  constructor(folder: string, env: Record<string, string>) {
    this.folder = folder;
    this.env = env;
    process.once('exit', () => this.last?.kill('SIGKILL'));
  }

  restart(): Promise<void> {
    return this.enqueue(async () => {
      await this.end();
      if (this.stopped) return;
      const [code] = (await once(this.run('migrate'), 'exit')) as [number | null];
      if (code !== 0 || this.stopped) return say('migrations failed: the service is not started');
      this.child = this.run();
      this.child.once('exit', (status, signal) => {
        // Exits that were not asked for: the next change starts it again.
        if (this.child) say(`the service ended (${signal ?? `exit ${status}`}); waiting for a change`);
        this.child = null;
      });
    });
  }

  stop(): Promise<void> {
    this.stopped = true;
    return this.enqueue(() => this.end());
  }

  private run(...args: string[]): ChildProcess {
    // A session of its own: Ctrl-C reaches this process alone, which stops the service in order.
    const child = spawn(process.execPath, ['main.js', ...args], {
      cwd: this.folder,
      env: this.env,
      stdio: ['ignore', 'inherit', 'inherit'],
      detached: true,
    });
    this.last = child;
    return child;
  }

  private async end(): Promise<void> {
    const child = this.child;
    this.child = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    const force = setTimeout(() => child.kill('SIGKILL'), STOP_GRACE_MS);
    await exited;
    clearTimeout(force);
  }

  private enqueue(work: () => Promise<void>): Promise<void> {
    this.queue = this.queue.then(work);
    return this.queue;
  }
}

async function serve(service: ServiceName): Promise<void> {
  loadDotEnv();
  const settings = readSettings();
  const { http, management } = settings.ports[service];
  const name = service.toUpperCase();
  await assertPortsFree([
    { what: service, port: http, variable: `${name}_PORT` },
    { what: `${service}'s management`, port: management, variable: `${name}_MANAGEMENT_PORT` },
  ]);
  const { infrastructure, leave } = await useInfrastructure(settings, async (what, work) => {
    const done = await work(say);
    say(`${what}: ${done.what}`);
    return done.value;
  });

  // Not the folder of `nx build`: a running `npm start` serves from there.
  const folder = join(ROOT, 'dist', 'serve', service);
  const env = await serviceEnvironment(settings, infrastructure, service);
  const served = new Served(folder, { LOG_FORMAT: 'pretty', ...env });
  const watcher = watch({ ...inputOptions(service), output: outputOptions(folder) });
  watcher.on('event', async (event) => {
    if (event.code === 'ERROR') say(`not built, the last build goes on: ${event.error.message}`);
    if (event.code === 'ERROR' || event.code === 'BUNDLE_END') await event.result.close();
    if (event.code !== 'BUNDLE_END') return;
    say(`built in ${event.duration} ms; ${publicUrl(settings, service)}`);
    await writeSurroundings(folder);
    // Not awaited: the watcher goes on while the old process drains.
    void served.restart();
  });

  let stopping = false;
  const stop = async () => {
    // Terminals, npm and Nx may each deliver the same signal.
    if (stopping) return;
    stopping = true;
    // First: Nx ends this process five seconds after it has told it to stop.
    await leave();
    await watcher.close();
    await served.stop();
    process.exit(0);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void stop());
}

const { positionals } = parseArgs({ allowPositionals: true, strict: false });
const service = SERVICES.find((name) => name === positionals[0]);
if (!service) {
  console.error(`usage: node tools/serve.ts ${SERVICES.join('|')}`);
  process.exit(1);
}
await serve(service).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
