import { AccessDenied, networkOf, SecurityEvents, type FloodKind, type Principal } from '@cabstand/auth';
import { DomainError, type ErrorCode } from '@cabstand/contracts';
import { Catch, HttpException, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { types } from 'node:util';
import { sendProblem } from './http-server.ts';

/** What Nest and Fastify say with a status is said with one of our codes. */
const CODES: Record<number, ErrorCode> = {
  400: 'REQUEST_MALFORMED',
  401: 'TOKEN_INVALID',
  403: 'ROLE_FORBIDDEN',
  404: 'NOT_FOUND',
  413: 'BODY_TOO_LARGE',
  415: 'MEDIA_TYPE_UNSUPPORTED',
  429: 'RATE_LIMITED',
  503: 'OVERLOADED',
};

/** Refusals that somebody may be trying their luck with. */
const FLOODS: Partial<Record<ErrorCode, FloodKind>> = {
  CREDENTIALS_INVALID: 'login-failed',
  REFRESH_TOKEN_INVALID: 'login-failed',
  TOKEN_INVALID: 'token-rejected',
  ROLE_FORBIDDEN: 'access-denied',
  RATE_LIMITED: 'rate-limited',
};

/**
 * PostgreSQL's classes for "not now": connection exceptions (08), insufficient resources (53), operator
 * intervention (57: shut down, starting up, statement timed out); may not log in (28), no such database yet, lock not
 * available, idle for too long.
 */
const UNAVAILABLE_SQLSTATE = /^(08|28|53|57)...$|^(3D000|55P03|25P03)$/;
const UNAVAILABLE_ERRNO = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
]);
/** pg and pg-pool give these no code. */
const UNAVAILABLE_MESSAGE =
  /^(timeout (exceeded|expired)|Query read timeout|Connection terminated|Cannot use a pool after|Client .+ not queryable)/;
/** TypeORM's: the pool isn't open, or the connection broke while it was in use. */
const UNAVAILABLE_NAME = new Set(['ConnectionIsNotSetError', 'QueryRunnerAlreadyReleasedError']);

/** Whether the database couldn't be used, as opposed to having refused what it was asked. */
export function isDatabaseUnavailable(error: unknown): boolean {
  // By what it is, not by its class: what Node's own modules throw may have another `Error` above it.
  if (!types.isNativeError(error)) return false;
  if ('errors' in error && Array.isArray(error.errors) && error.errors.some(isDatabaseUnavailable)) return true;
  const code = 'code' in error ? String(error.code) : '';
  return (
    UNAVAILABLE_SQLSTATE.test(code) ||
    UNAVAILABLE_ERRNO.has(code) ||
    UNAVAILABLE_MESSAGE.test(error.message) ||
    UNAVAILABLE_NAME.has(error.name)
  );
}

const callerOf = (request: FastifyRequest & { principal?: Principal }) => request.principal ?? networkOf(request.ip);

/** Answers every failure as RFC 9457 problem details. What isn't a known refusal says nothing of its cause. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger(ProblemFilter.name);

  constructor(private readonly security: SecurityEvents) {}

  catch(error: unknown, host: ArgumentsHost): void {
    if (host.getType() !== 'http') throw error;
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    const refusal = this.refusalOf(error);
    const flood = refusal instanceof AccessDenied ? 'access-denied' : FLOODS[refusal.code];
    if (flood) this.security.count(flood, callerOf(reply.request));
    // A stream that has begun can only end.
    if (reply.sent || reply.raw.headersSent) reply.raw.destroy();
    else sendProblem(reply, refusal);
  }

  private refusalOf(error: unknown): DomainError {
    if (error instanceof DomainError) return error;
    if (isDatabaseUnavailable(error)) {
      this.logger.warn({ event: 'database.unavailable', err: error });
      return new DomainError('DATABASE_UNAVAILABLE');
    }
    const cause = error instanceof HttpException ? error.cause : undefined;
    if (cause instanceof DomainError) return cause;
    const code =
      error instanceof HttpException
        ? (CODES[error.getStatus()] ?? (error.getStatus() < 500 && 'REQUEST_MALFORMED'))
        : false;
    if (code) return new DomainError(code);
    this.logger.error({ event: 'http.failed', err: error });
    return new DomainError('INTERNAL');
  }
}
