import { randomUUID } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { withAdmin } from '../../infra/index.ts';
import type { BenchServers } from '../harness/servers.ts';
import { idsIn, transactionsIn, type Transaction } from './statement-log.ts';

const FILE = 'statements';
/** For the server's start: its log in a form that can be read back. It says nothing until somebody records. */
export const LOG_SETTINGS = {
  logging_collector: 'on',
  log_destination: 'jsonlog',
  log_filename: FILE,
  log_rotation_age: '0',
  log_rotation_size: '0',
};

/** Sessions take in changed settings when they are woken, which is at once; and what they do last is over soon. */
const SETTLE_MS = 1_000;
const WRITTEN_WITHIN_MS = 30_000;

export interface Recording<T> {
  result: T;
  /** Those that name somebody or something, and what the relays did. */
  transactions: Transaction[];
  /** Statements of the others: what the services ask again and again, whether or not anybody rides. */
  leftOut: number;
}

/** What the services sent to their databases while `work` went on, by the server's own log. It is slower meanwhile. */
export async function record<T>({ dir, postgres }: BenchServers, work: () => Promise<T>): Promise<Recording<T>> {
  const file = join(dir, 'postgres', 'log', `${FILE}.json`);
  return withAdmin(postgres.url, async (admin) => {
    const set = async (what: string) => {
      await admin.query(`ALTER SYSTEM ${what}`);
      await admin.query('SELECT pg_reload_conf()');
      await delay(SETTLE_MS);
    };
    const { size: before } = statSync(file);
    await set(`SET log_statement = 'all'`);
    const result = await work();
    await delay(SETTLE_MS);
    const end = `end of recording ${randomUUID()}`;
    await admin.query(`SELECT '${end}'`);
    await set('RESET log_statement');
    const log = await logUntil(file, before, end);
    const all = transactionsIn(log).filter(({ database }) => database !== 'postgres');
    const transactions = all.filter((each) => isRelays(each) || idsIn(each).size > 0);
    return { result, transactions, leftOut: statementsOf(all) - statementsOf(transactions) };
  });
}

export const isRelays = ({ application }: Transaction): boolean => application.endsWith(' relay');

export const statementsOf = (transactions: readonly Transaction[]): number =>
  transactions.reduce((sum, { statements }) => sum + statements.length, 0);

/** The log is written by a process of its own, a moment later. */
async function logUntil(file: string, from: number, end: string): Promise<string> {
  const deadlineMs = Date.now() + WRITTEN_WITHIN_MS;
  for (;;) {
    const log = readFileSync(file).subarray(from).toString('utf8');
    // From line to line: beyond the end the last may be half written.
    const at = log.indexOf(end);
    if (at !== -1) return log.slice(0, log.lastIndexOf('\n', at));
    if (Date.now() > deadlineMs) throw new Error(`PostgreSQL did not write its log to ${file}`);
    await delay(50);
  }
}
