import { DomainError } from '@cabstand/contracts';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Socket } from 'node:net';
import type { BaseConfig } from './config.ts';
import { acceptJsonOnly } from './json-body.ts';
import { problem, PROBLEM_JSON } from './problem.ts';
import { BODY_LIMIT_BYTES, checkRequests, hungUp } from './request-checks.ts';
import { addCommonHeaders, allowOrigins } from './response-headers.ts';
import { traceIdOf, type RequestTrace } from './request-trace.ts';
import { tlsOf, type TlsConfig } from './tls.ts';

const HEADERS_LIMIT_BYTES = 16 * 1024;
/** For a request to arrive completely; a slow sender holds a connection no longer, give or take the interval below. */
const REQUEST_TIMEOUT_MS = 10_000;
const HEADERS_TIMEOUT_MS = 5_000;
const CONNECTIONS_CHECK_EVERY_MS = 1_000;
/** Whoever takes nothing of an answer for so long is cut off. Streams send a heartbeat more often than this. */
const SILENCE_TIMEOUT_MS = 60_000;
/** A connection that is given up stays open so long, for the client to read why. */
const LINGER_MS = 1_000;
/** For a 503 that doesn't say itself when trying again makes sense. */
const RETRY_AFTER_S = 2;

export type HttpConfig = Pick<BaseConfig, 'TRUSTED_PROXIES' | 'WEB_ORIGINS'> & TlsConfig;

/** Whether the service is shutting down. */
export interface Lifecycle {
  draining: boolean;
}

/** Fastify with limits, JSON bodies only, and each request observed. */
export function createHttpAdapter(lifecycle: Lifecycle, requests: RequestTrace, config: HttpConfig): FastifyAdapter {
  const limits = {
    maxHeaderSize: HEADERS_LIMIT_BYTES,
    headersTimeout: HEADERS_TIMEOUT_MS,
    connectionsCheckingInterval: CONNECTIONS_CHECK_EVERY_MS,
    // Checked beside other things, for an answer like all others.
    requireHostHeader: false,
  };
  const edge = tlsOf(config)?.edge();
  const adapter = new FastifyAdapter({
    bodyLimit: BODY_LIMIT_BYTES,
    ...(edge ? { https: { ...limits, ...edge, handshakeTimeout: HEADERS_TIMEOUT_MS } } : { http: limits }),
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: SILENCE_TIMEOUT_MS,
    trustProxy: config.TRUSTED_PROXIES.length > 0 && config.TRUSTED_PROXIES,
    // What arrives during shutdown on a connection that is still open is answered like anything else.
    return503OnClosing: false,
    clientErrorHandler: answerUnreadable,
    frameworkErrors: (_error: FastifyError, _request: FastifyRequest, reply: FastifyReply) => {
      // Nothing else sees these: no hooks, no filter.
      addCommonHeaders(reply);
      sendProblem(reply, new DomainError('REQUEST_MALFORMED', 'the path is not a valid URL'));
    },
  });
  const fastify = adapter.getInstance<FastifyInstance>();
  requests.attach(fastify);
  allowOrigins(fastify, config.WEB_ORIGINS);
  checkRequests(fastify);
  acceptJsonOnly(fastify);
  fastify.addHook('onSend', (_request, reply, payload, done) => {
    if (lifecycle.draining) reply.header('connection', 'close');
    addCommonHeaders(reply);
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
  if (hungUp.has(socket)) return;
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
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}

function unreadable(code: string | undefined): [status: number, reason: string, detail: string] {
  if (code === 'HPE_HEADER_OVERFLOW') return [431, 'Request Header Fields Too Large', 'the headers are too large'];
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return [408, 'Request Timeout', 'the request took too long to arrive'];
  return [400, 'Bad Request', 'the request is not valid HTTP'];
}
