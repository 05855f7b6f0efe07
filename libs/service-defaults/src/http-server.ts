import { DomainError } from '@cabstand/contracts';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Socket } from 'node:net';
import type { BaseConfig } from './config.ts';
import { acceptJsonOnly } from './json-body.ts';
import { problem, PROBLEM_JSON, RequestInvalid } from './problem.ts';
import { traceIdOf, type RequestTrace } from './request-trace.ts';
import { tlsOf, type TlsConfig } from './tls.ts';

const BODY_LIMIT_BYTES = 256 * 1024;
/** Bodies up to this are read to their end before they are refused: a client that is still sending misses the answer. */
const DISCARD_LIMIT_BYTES = 32 * 1024 * 1024;
const HEADERS_LIMIT_BYTES = 16 * 1024;
/** For a request to arrive completely; a slow sender holds a connection no longer. */
const REQUEST_TIMEOUT_MS = 15_000;
const HEADERS_TIMEOUT_MS = 10_000;
/** For a 503 that doesn't say itself when trying again makes sense. */
const RETRY_AFTER_S = 2;

export type HttpConfig = Pick<BaseConfig, 'TRUSTED_PROXIES'> & TlsConfig;

/** Whether the service is shutting down. */
export interface Lifecycle {
  draining: boolean;
}

/** Fastify with limits, JSON bodies only, and each request observed. */
export function createHttpAdapter(lifecycle: Lifecycle, requests: RequestTrace, config: HttpConfig): FastifyAdapter {
  const limits = { maxHeaderSize: HEADERS_LIMIT_BYTES, headersTimeout: HEADERS_TIMEOUT_MS };
  const edge = tlsOf(config)?.edge();
  const adapter = new FastifyAdapter({
    bodyLimit: BODY_LIMIT_BYTES,
    ...(edge ? { https: { ...limits, ...edge, handshakeTimeout: HEADERS_TIMEOUT_MS } } : { http: limits }),
    requestTimeout: REQUEST_TIMEOUT_MS,
    trustProxy: config.TRUSTED_PROXIES.length > 0 && config.TRUSTED_PROXIES,
    // What arrives during shutdown on a connection that is still open is answered like anything else.
    return503OnClosing: false,
    clientErrorHandler: answerUnreadable,
    frameworkErrors: (_error: FastifyError, _request: FastifyRequest, reply: FastifyReply) => {
      sendProblem(reply, new DomainError('REQUEST_MALFORMED', 'the path is not a valid URL'));
    },
  });
  const fastify = adapter.getInstance<FastifyInstance>();
  requests.attach(fastify);
  acceptJsonOnly(fastify);
  fastify.addHook('onRequest', (request, _reply, done) => {
    const isStorable = !request.url.includes('%00');
    done(
      isStorable
        ? undefined
        : new RequestInvalid([{ path: 'url', message: 'holds a character that cannot be stored' }]),
    );
  });
  fastify.addHook('onRequest', (request, _reply, done) => {
    const announcedBytes = Number(request.headers['content-length']);
    if (!(announcedBytes > BODY_LIMIT_BYTES && announcedBytes <= DISCARD_LIMIT_BYTES)) return done();
    request.raw.once('end', () => done(new DomainError('BODY_TOO_LARGE')));
    request.raw.resume();
  });
  fastify.addHook('onSend', (_request, reply, payload, done) => {
    if (lifecycle.draining) reply.header('connection', 'close');
    reply.header('x-content-type-options', 'nosniff');
    // Answers belong to whom they were given; tokens are among them.
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store');
    done(null, payload);
  });
  return adapter;
}

export function sendProblem(reply: FastifyReply, error: DomainError, status?: number): void {
  const body = problem(error, traceIdOf(reply.request), status);
  const retryAfterS = error.retryAfterS ?? (body.status === 503 ? RETRY_AFTER_S : undefined);
  if (retryAfterS !== undefined) void reply.header('retry-after', String(retryAfterS));
  // RFC 9110, section 15.5.2: a 401 always says how to authenticate; the guard has said more where a token was bad.
  if (body.status === 401 && !reply.hasHeader('www-authenticate')) void reply.header('www-authenticate', 'Bearer');
  void reply.status(body.status).header('content-type', PROBLEM_JSON).send(JSON.stringify(body));
}

/** What isn't HTTP, or has headers without end, never reaches Fastify: this answers on the bare socket. */
function answerUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, reason, detail] = unreadable(error.code);
  const body = JSON.stringify(problem(new DomainError('REQUEST_MALFORMED', detail), '0'.repeat(32), status));
  socket.end(
    [
      `HTTP/1.1 ${status} ${reason}`,
      `content-type: ${PROBLEM_JSON}`,
      `content-length: ${Buffer.byteLength(body)}`,
      'connection: close',
      '',
      body,
    ].join('\r\n'),
  );
}

function unreadable(code: string | undefined): [status: number, reason: string, detail: string] {
  if (code === 'HPE_HEADER_OVERFLOW') return [431, 'Request Header Fields Too Large', 'the headers are too large'];
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return [408, 'Request Timeout', 'the request took too long to arrive'];
  return [400, 'Bad Request', 'the request is not valid HTTP'];
}
