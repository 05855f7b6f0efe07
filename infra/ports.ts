import { execFileSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { connect, createServer } from 'node:net';

/** Below 32768, where Linux begins to give ports to outgoing connections: one of those may take the port meanwhile. */
const FREE_PORTS = { from: 20_000, to: 32_000 };

/** A port of 127.0.0.1 that nobody listens on at the moment; chosen at random, so that two who ask don't get the same. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(FREE_PORTS.from, FREE_PORTS.to);
    if (await canListenOn(port)) return port;
  }
}

function canListenOn(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** Whether someone accepts connections on the port; a port bound on all interfaces counts. */
export function isPortInUse(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => (socket.destroy(), resolve(true)));
    socket.once('error', () => resolve(false));
  });
}

/** Who listens on a port, as `node (pid 4711)`; null when it can't be told (another user's process, no tool). */
export function portHolder(port: number): string | null {
  return process.platform === 'linux' ? holderFromProc(port) : holderFromLsof(port);
}

function holderFromProc(port: number): string | null {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  const inodes = new Set(
    ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) =>
      linesOf(file)
        .map((line) => line.trim().split(/\s+/))
        // 0A is LISTEN; the tenth field is the socket's inode.
        .filter((fields) => fields[1]?.endsWith(`:${wanted}`) && fields[3] === '0A')
        .map((fields) => `socket:[${fields[9]}]`),
    ),
  );
  if (inodes.size === 0) return null;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (readdirSync(`/proc/${pid}/fd`).some((fd) => holds(`/proc/${pid}/fd/${fd}`, inodes)))
        return `${linesOf(`/proc/${pid}/comm`)[0]} (pid ${pid})`;
    } catch {
      // Another user's process, or one that has ended meanwhile.
    }
  }
  return null;
}

function holds(fd: string, inodes: Set<string>): boolean {
  try {
    return inodes.has(readlinkSync(fd));
  } catch {
    return false;
  }
}

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n');
  } catch {
    return [];
  }
}

function holderFromLsof(port: number): string | null {
  try {
    const fields = execFileSync('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-Fpc'], { encoding: 'utf8' }).split(
      '\n',
    );
    const of = (letter: string) => fields.find((field) => field.startsWith(letter))?.slice(1);
    return `${of('c')} (pid ${of('p')})`;
  } catch {
    return null;
  }
}

/** @throws Error naming every port of the list that is taken, with its holder and the variable that moves it. */
export async function assertPortsFree(ports: { what: string; port: number; variable: string }[]): Promise<void> {
  const problems: string[] = [];
  for (const { what, port, variable } of ports) {
    if (!(await isPortInUse(port))) continue;
    const holder = portHolder(port) ?? 'a process that this user cannot see';
    problems.push(`port ${port} (${what}) is in use by ${holder}; stop it, or choose another port with ${variable}`);
  }
  if (problems.length > 0) throw new Error(problems.join('\n'));
}
