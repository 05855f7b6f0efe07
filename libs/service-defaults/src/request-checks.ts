import { DomainError } from '@cabstand/contracts';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Socket } from 'node:net';
import { RequestInvalid } from './problem.ts';

export const BODY_LIMIT_BYTES = 256 * 1024;
/** Bodies up to this are read to their end before they are refused: a client that is still sending misses the answer. */
const DISCARD_LIMIT_BYTES = 32 * 1024 * 1024;
/** Node drops what is beyond its own limit of 2,000 without a word. */
const MAX_HEADERS = 100;

/** Connections on which nothing is answered any more. */
export const hungUp = new WeakSet<Socket>();

/** Refuses, before anything is read of it, what no client of ours sends and what servers have understood differently. */
export function checkRequests(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', (request, reply, done) => {
    const refusal = refusalOf(request);
    // Whatever else is on the connection may not be what it seems.
    if (refusal) {
      reply.header('connection', 'close');
      hungUp.add(request.raw.socket);
    }
    done(refusal);
  });
  fastify.addHook('onRequest', (request, _reply, done) => {
    const announcedBytes = Number(request.headers['content-length']);
    if (!(announcedBytes > BODY_LIMIT_BYTES && announcedBytes <= DISCARD_LIMIT_BYTES)) return done();
    request.raw.once('end', () => done(new DomainError('BODY_TOO_LARGE')));
    request.raw.resume();
  });
}

function refusalOf({ url, headers, raw }: FastifyRequest): DomainError | undefined {
  if (raw.rawHeaders.length > 2 * MAX_HEADERS)
    return new DomainError('REQUEST_MALFORMED', 'there are too many headers');
  if (url.includes('%00')) {
    return new RequestInvalid([{ path: 'url', message: 'holds a character that cannot be stored' }]);
  }
  const hosts = raw.rawHeaders.filter((text, i) => i % 2 === 0 && /^host$/i.test(text)).length;
  if (hosts > 1 || (hosts === 0 && raw.httpVersion !== '1.0')) {
    return new DomainError('REQUEST_MALFORMED', 'there must be one host');
  }
  // HTTP's parser has refused what isn't framed by `chunked` at last; other codings before it would reach handlers raw.
  const { 'transfer-encoding': transferEncoding = 'chunked', 'content-encoding': contentEncoding = 'identity' } =
    headers;
  if (transferEncoding.toLowerCase() !== 'chunked') {
    return new DomainError('REQUEST_MALFORMED', 'the transfer coding is not known');
  }
  // A few bytes of it could stand for gigabytes.
  if (contentEncoding.toLowerCase() !== 'identity') {
    return new DomainError('MEDIA_TYPE_UNSUPPORTED', 'the request body must not be compressed');
  }
  return undefined;
}
