import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { ROOT, tailOf } from '../../infra/index.ts';

/** The environment in which `node`, `nx` and the others are this repository's own. */
export const toolEnvironment = (env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv => ({
  ...env,
  PATH: [join(ROOT, 'node_modules', '.bin'), env.PATH].join(delimiter),
});

/** Runs a command with its output in a log. @throws Error with the log's end when the command fails */
export async function runLogged(
  logFile: string,
  command: string,
  args: string[],
  env: NodeJS.ProcessEnv = toolEnvironment(),
): Promise<void> {
  mkdirSync(dirname(logFile), { recursive: true });
  const log = openSync(logFile, 'w');
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      const child = spawn(command, args, { cwd: ROOT, env, stdio: ['ignore', log, log], detached: true });
      child.on('error', reject);
      child.on('exit', resolve);
    });
    if (code !== 0) throw new Error(`${[command, ...args].join(' ')} failed:\n${tailOf(logFile, 30)}`);
  } finally {
    closeSync(log);
  }
}
