import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { SERVICES } from '@cabstand/contracts';
import { eventually } from '@cabstand/testing';
import { freePort, ROOT } from '../../infra/index.ts';

/** `npm start` as a process, with a `.local` and ports of its own. */
export class Start {
  output = '';
  readonly child: ChildProcess;
  readonly exit: Promise<number | null>;

  constructor(env: NodeJS.ProcessEnv, ...args: string[]) {
    this.child = spawn(process.execPath, [join(ROOT, 'tools', 'start.ts'), ...args], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    this.exit = new Promise((resolve) => this.child.on('close', resolve));
  }

  says(text: string | RegExp, timeoutMs = 10_000): Promise<void> {
    return eventually(() => expect(this.output).toMatch(text), { timeoutMs, everyMs: 100 });
  }

  /** A figure of the newest status line. */
  figure(name: string): number {
    return Number([...this.output.matchAll(new RegExp(`(\\d+) ${name}`, 'g'))].at(-1)?.[1] ?? NaN);
  }
}

/** An environment with a `.local` and ports of its own. */
export async function startEnvironment(local: string) {
  const ports: Record<string, number> = {};
  const variables = [
    ...['WEB_PORT', 'IDENTITY_PORT', 'LOCAL_TOOLS_PORT'],
    ...SERVICES.flatMap((s) => [`${s.toUpperCase()}_PORT`, `${s.toUpperCase()}_MANAGEMENT_PORT`]),
  ];
  for (const variable of [...variables, 'POSTGRES_PORT', 'RABBITMQ_PORT', 'RABBITMQ_MANAGEMENT_PORT'])
    ports[variable] = await freePort();
  // Nx would take the build for a part of the run that this test belongs to.
  const inherited = Object.entries(process.env).filter(([name]) => !/^(NX_|CABSTAND_)/.test(name));
  const numbers = Object.entries(ports).map(([name, port]) => [name, String(port)]);
  const env: NodeJS.ProcessEnv = { ...Object.fromEntries([...inherited, ...numbers]), CABSTAND_LOCAL: local };
  return { env, ports };
}
