import type { Principal } from '@cabstand/auth';
import { DomainError } from '@cabstand/contracts';
import { Transactions } from '@cabstand/messaging';
import {
  applyDecorators,
  Injectable,
  SetMetadata,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
  type OnApplicationBootstrap,
  type Type,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { ApiHeader } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { createHash } from 'node:crypto';
import { from, lastValueFrom, type Observable } from 'rxjs';
import { DataSource, type EntityManager, type MigrationInterface, type QueryRunner } from 'typeorm';
import { Jobs } from './jobs.ts';
import { requestHash } from './json-body.ts';
import { ApiProblems } from './openapi.ts';
import { PersonalData } from './personal-data.ts';
import { RequestInvalid } from './problem.ts';

const IDEMPOTENT = 'cabstand:idempotent';
/** How long the first answer is given again. */
const KEEP = '24 hours';
const PRUNE_EVERY_MS = 10 * 60_000;
const PRUNE_BATCH = 1_000;

/**
 * Marks a POST as repeatable with an `Idempotency-Key` header: the handler runs in one transaction with the record
 * of its answer, so there is an effect if and only if there is an answer to give again.
 */
export const Idempotent = () =>
  applyDecorators(
    SetMetadata(IDEMPOTENT, true),
    ApiHeader({ name: 'Idempotency-Key', required: false, schema: { type: 'string', minLength: 1, maxLength: 255 } }),
    ApiProblems('IDEMPOTENCY_IN_FLIGHT', 'IDEMPOTENCY_KEY_REUSED'),
  );

interface FirstAnswer {
  requestHash: Buffer;
  status: number;
  body: unknown;
}

/** Refusals are not kept: what was refused had no effect, and may be allowed the next time. */
@Injectable()
export class IdempotencyInterceptor implements NestInterceptor, OnApplicationBootstrap {
  constructor(
    private readonly reflector: Reflector,
    private readonly transactions: Transactions,
    private readonly dataSource: DataSource,
    private readonly personalData: PersonalData,
    private readonly jobs: Jobs,
  ) {}

  onApplicationBootstrap(): void {
    this.jobs.every(PRUNE_EVERY_MS, 'idempotency-keys.prune', (stopping) => this.prune(stopping));
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (!this.reflector.get<boolean>(IDEMPOTENT, context.getHandler())) return next.handle();
    const http = context.switchToHttp();
    const request = http.getRequest<FastifyRequest & { principal?: Principal }>();
    const key = request.headers['idempotency-key'];
    if (key === undefined) return next.handle();
    if (typeof key !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(key)) {
      throw new RequestInvalid([{ path: 'Idempotency-Key', message: 'must be 1 to 255 printable ASCII characters' }]);
    }
    return from(this.once(scopeOf(request), key, request, http.getResponse<FastifyReply>(), next));
  }

  private once(
    scope: string,
    key: string,
    request: FastifyRequest & { principal?: Principal },
    reply: FastifyReply,
    next: CallHandler,
  ): Promise<unknown> {
    const hash = requestHash(request, key);
    const id = createHash('sha256').update(`${scope}\n${key}`).digest();
    return this.transactions.run(async (tx) => {
      // Held until the first request has committed or rolled back, and by the server alone if this process dies.
      const [{ locked }] = await tx.query<[{ locked: boolean }]>('SELECT pg_try_advisory_xact_lock($1) AS locked', [
        String(id.readBigInt64BE()),
      ]);
      if (!locked) throw new DomainError('IDEMPOTENCY_IN_FLIGHT', undefined, { retryAfterS: 1 });

      const first = await this.find(tx, scope, id);
      if (first && !first.requestHash.equals(hash)) throw new DomainError('IDEMPOTENCY_KEY_REUSED');
      if (first) {
        void reply.status(first.status);
        return first.body ?? undefined;
      }
      const body: unknown = await lastValueFrom(next.handle(), { defaultValue: undefined });
      const about = [...idsIn(body), ...(request.principal ? [request.principal.subject] : [])];
      await this.keep(tx, scope, id, { requestHash: hash, status: reply.statusCode, body }, about);
      return body;
    });
  }

  private async find(tx: EntityManager, scope: string, id: Buffer): Promise<FirstAnswer | undefined> {
    const [row] = await tx.query<(FirstAnswer & { body: Buffer | null })[]>(
      `SELECT request_hash AS "requestHash", status, body FROM idempotency_keys
       WHERE scope = $1 AND key = $2 AND created_at > now() - $3::interval`,
      [scope, id.toString('base64url'), KEEP],
    );
    return (
      row && {
        ...row,
        body: row.body && JSON.parse(this.personalData.keys.open(row.body, placeOf(scope, id)).toString()),
      }
    );
  }

  private async keep(
    tx: EntityManager,
    scope: string,
    id: Buffer,
    answer: FirstAnswer,
    about: string[],
  ): Promise<void> {
    // An answer quotes whatever it is about: people, most of the time.
    const body =
      answer.body === undefined
        ? null
        : this.personalData.keys.seal(Buffer.from(JSON.stringify(answer.body)), placeOf(scope, id));
    await tx.query(
      // An older row is one that wasn't pruned yet.
      `INSERT INTO idempotency_keys (scope, key, request_hash, status, body, about) VALUES ($1, $2, $3, $4, $5, $6)
       ON CONFLICT (scope, key) DO UPDATE
         SET request_hash = excluded.request_hash, status = excluded.status, body = excluded.body, about = excluded.about,
             created_at = now()`,
      [scope, id.toString('base64url'), answer.requestHash, answer.status, body, about],
    );
  }

  private async prune(stopping: AbortSignal): Promise<void> {
    for (let pruned = PRUNE_BATCH; pruned === PRUNE_BATCH && !stopping.aborted;) {
      const deleted = await this.dataSource.query<unknown[]>(
        `WITH old AS (
           SELECT scope, key FROM idempotency_keys WHERE created_at < now() - $1::interval
           LIMIT ${PRUNE_BATCH} FOR UPDATE SKIP LOCKED
         ), gone AS (DELETE FROM idempotency_keys USING old WHERE idempotency_keys.scope = old.scope AND idempotency_keys.key = old.key RETURNING 1)
         SELECT 1 FROM gone`,
        [KEEP],
      );
      pruned = deleted.length;
    }
  }
}

/** Nobody meets the keys of another; people without a token share those of the route. */
function scopeOf(request: FastifyRequest & { principal?: Principal }): string {
  const { principal } = request;
  return principal ? `${principal.issuer} ${principal.subject}` : `anonymous ${request.routeOptions.url}`;
}

/** What binds a sealed answer to its row. */
const placeOf = (scope: string, id: Buffer) => `idempotency_keys.body ${scope} ${id.toString('base64url')}`;

/** Every id that an answer names. */
const idsIn = (body: unknown): string[] =>
  JSON.stringify(body ?? null).match(/(?<=")[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(?=")/g) ?? [];

/**
 * Forgets the answers that name any of these ids, or were given to them: they may quote what is being erased. Reads
 * a day's answers; erasing is rare.
 */
export async function forgetAnswersAbout(tx: EntityManager, ids: string[]): Promise<void> {
  await tx.query('DELETE FROM idempotency_keys WHERE about && $1', [ids]);
}

class CreateIdempotencyKeys1700000300000 implements MigrationInterface {
  // Stands here because a bundler may rename the class.
  name = 'CreateIdempotencyKeys1700000300000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE idempotency_keys (
        scope text NOT NULL,
        key text NOT NULL,
        request_hash bytea NOT NULL,
        status int NOT NULL,
        body json,
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (scope, key)
      )`);
    await queryRunner.query('CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at)');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE idempotency_keys');
  }
}

class SealAnswers1770000300000 implements MigrationInterface {
  name = 'SealAnswers1770000300000';

  async up(queryRunner: QueryRunner): Promise<void> {
    // Answers in clear aren't worth the day that they would be kept for.
    await queryRunner.query('TRUNCATE idempotency_keys');
    await queryRunner.query('ALTER TABLE idempotency_keys ADD about text[] NOT NULL, ALTER body TYPE bytea USING NULL');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('TRUNCATE idempotency_keys');
    await queryRunner.query('ALTER TABLE idempotency_keys DROP about, ALTER body TYPE json USING NULL');
  }
}

export const idempotencyMigrations: Type<MigrationInterface>[] = [
  CreateIdempotencyKeys1700000300000,
  SealAnswers1770000300000,
];
