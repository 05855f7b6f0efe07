import { AsyncLocalStorage } from 'node:async_hooks';
import type { EventEmitter } from 'node:events';
import { isNativeError } from 'node:util/types';
import { Injectable } from '@nestjs/common';
import { SpanStatusCode, trace } from '@opentelemetry/api';
import { DataSource, QueryFailedError, type EntityManager, type QueryRunner } from 'typeorm';
import { failPoint } from './fail-point.ts';

/** serialization_failure and deadlock_detected: the same work may well succeed when done again. */
const RETRYABLE = new Set(['40001', '40P01']);
const RETRIES = 3;

interface Transaction {
  tx: EntityManager;
  afterCommit: Set<() => void>;
  over: boolean;
}

/** What pg's typings leave out. */
interface PgClient {
  processID?: number | null;
  /** Emits the messages of the protocol. */
  connection: EventEmitter<{ commandComplete: [{ text: string }] }> & { stream: { destroy(): void } };
}

export interface RunOptions {
  /** Once aborted, the transaction's connection is destroyed: whatever it was doing can't commit any more. */
  signal?: AbortSignal;
  /** How often it is run again after a deadlock or serialization failure. */
  retries?: number;
}

/** The one way to change the database: the business rows, outbox and inbox commit together or not at all. */
@Injectable()
export class Transactions {
  private readonly current = new AsyncLocalStorage<Transaction>();
  private readonly tracer = trace.getTracer('@cabstand/messaging');

  constructor(private readonly dataSource: DataSource) {}

  /**
   * Runs `fn` in a READ COMMITTED transaction (PostgreSQL's default), or in the one that is under way around it. The outermost is
   * run again, up to three times, after a deadlock or serialization failure: `fn` must not have effects
   * outside of `tx`; those belong into `afterCommit`.
   */
  async run<T>(fn: (tx: EntityManager) => Promise<T>, options: RunOptions = {}): Promise<T> {
    const around = this.current.getStore();
    if (around && !around.over) return fn(around.tx);
    return this.tracer.startActiveSpan('transaction', async (span) => {
      try {
        for (let attempt = 0; ; attempt++) {
          try {
            return await this.attempt(fn, options.signal);
          } catch (error) {
            if (attempt >= (options.retries ?? RETRIES) || !isRetryable(error) || options.signal?.aborted) throw error;
            span.addEvent('retry');
          }
        }
      } catch (error) {
        // The message may quote data; the class says what kind of failure it was.
        span.setStatus({ code: SpanStatusCode.ERROR, message: isNativeError(error) ? error.name : 'unknown' });
        throw error;
      } finally {
        span.end();
      }
    });
  }

  /** Calls `fn` once the outermost transaction has committed; at once outside of any. The same `fn` is called once. */
  afterCommit(fn: () => void): void {
    const around = this.current.getStore();
    if (around && !around.over) around.afterCommit.add(fn);
    else fn();
  }

  private async attempt<T>(fn: (tx: EntityManager) => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    const runner = this.dataSource.createQueryRunner();
    let client: PgClient | undefined;
    const cutOff = () => this.terminate(client);
    const transaction: Transaction = { tx: runner.manager, afterCommit: new Set(), over: false };
    let result: T;
    try {
      client = (await runner.connect()) as PgClient;
      signal?.addEventListener('abort', cutOff);
      signal?.throwIfAborted();
      await runner.startTransaction();
      try {
        result = await this.current.run(transaction, () => fn(runner.manager));
        failPoint('transaction.before-commit');
        await this.commit(runner, client);
        failPoint('transaction.after-commit');
      } catch (error) {
        // A connection that is gone cannot roll back and need not.
        await runner.rollbackTransaction().catch(() => undefined);
        throw error;
      }
    } finally {
      transaction.over = true;
      signal?.removeEventListener('abort', cutOff);
      await runner.release();
    }
    for (const callback of transaction.afterCommit) callback();
    return result;
  }

  /** PostgreSQL answers COMMIT of a failed transaction by rolling it back, and reports no error. */
  private async commit(runner: QueryRunner, { connection }: PgClient): Promise<void> {
    let completed = '';
    const note = ({ text }: { text: string }) => (completed = text);
    connection.on('commandComplete', note);
    await runner.commitTransaction().finally(() => connection.off('commandComplete', note));
    if (completed === 'ROLLBACK') throw new Error('a failed statement has undone the transaction');
  }

  /** Closing the socket alone would leave the server at the statement it is in, holding its locks. */
  private terminate(client: PgClient | undefined): void {
    client?.connection.stream.destroy();
    if (!client?.processID) return;
    // Should it fail, the server notices the closed socket after that statement.
    this.dataSource.query('SELECT pg_terminate_backend($1)', [client.processID]).catch(() => undefined);
  }
}

function isRetryable(error: unknown): boolean {
  const driverError: unknown = error instanceof QueryFailedError ? error.driverError : error;
  return isNativeError(driverError) && 'code' in driverError && RETRYABLE.has(String(driverError.code));
}
