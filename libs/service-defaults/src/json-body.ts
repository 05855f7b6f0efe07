import type { FastifyInstance, FastifyRequest } from 'fastify';
import { DomainError } from '@cabstand/contracts';
import { isUtf8 } from 'node:buffer';
import { createHash, createHmac } from 'node:crypto';
import { RequestInvalid } from './problem.ts';

/** What the APIs take nests less than five levels deep. */
const MAX_DEPTH = 20;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Bodies that came with an idempotency key: what it was used for is recognised by these bytes. */
const hashes = new WeakMap<FastifyRequest, Buffer>();

/**
 * Recognises method, path and body as they were sent. A registration's body holds a password, which a bare hash would
 * let whoever reads the database guess at full speed: it is keyed with the idempotency key, which is not stored.
 */
export function requestHash(request: FastifyRequest, key: string): Buffer {
  return createHmac('sha256', key)
    .update(`${request.method} ${request.url}\n`)
    .update(hashes.get(request) ?? '')
    .digest();
}

/** JSON, and nothing else, is read: other bodies are answered 415 by Fastify. An empty body is no body. */
export function acceptJsonOnly(fastify: FastifyInstance): void {
  fastify.removeAllContentTypeParsers();
  const parse = fastify.getDefaultJsonParser('error', 'error');
  fastify.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    if (request.headers['idempotency-key'] !== undefined) {
      hashes.set(request, createHash('sha256').update(body).digest());
    }
    if (!isUtf8(body)) return done(new DomainError('REQUEST_MALFORMED', 'the body is not valid UTF-8'));
    const text = body.toString();
    if (text === '') return done(null, undefined);
    if (isDeeperThan(MAX_DEPTH, text)) {
      return done(new RequestInvalid([{ path: '', message: `is nested deeper than ${MAX_DEPTH} levels` }]));
    }
    return parse(request, text, (error, value: unknown) => {
      if (error) return done(new DomainError('REQUEST_MALFORMED', 'the body is not valid JSON'));
      const unstorable = text.includes('\\u') ? unstorablePath(value) : undefined;
      if (unstorable === undefined) return done(null, value);
      return done(new RequestInvalid([{ path: unstorable, message: 'holds a character that cannot be stored' }]));
    });
  });
}

/** Whether brackets outside of strings nest deeper, in whatever order they are: the parser looks at that. */
export function isDeeperThan(most: number, json: string): boolean {
  let depth = 0;
  for (let i = 0; i < json.length; i++) {
    const code = json.charCodeAt(i);
    if (code === QUOTE) {
      for (i++; i < json.length && json.charCodeAt(i) !== QUOTE; i++) if (json.charCodeAt(i) === BACKSLASH) i++;
    } else if (code === 0x5b || code === 0x7b) {
      if (++depth > most) return true;
    } else if (code === 0x5d || code === 0x7d) depth--;
  }
  return false;
}

/**
 * PostgreSQL takes neither U+0000 in text nor half surrogate pairs in JSON. Both can only arrive as `\u` escapes,
 * and are refused here once, so that no query fails on them. Returns the path of the first, without recursion:
 * a hostile body may be nested as deeply as its size allows.
 */
export function unstorablePath(root: unknown): string | undefined {
  const isUnstorable = (text: string) => text.includes('\0') || !text.isWellFormed();
  const pending: [path: string, value: unknown][] = [['', root]];
  for (let next = pending.pop(); next; next = pending.pop()) {
    const [path, value] = next;
    if (typeof value === 'string' && isUnstorable(value)) return path;
    if (typeof value !== 'object' || value === null) continue;
    for (const [key, child] of Object.entries(value)) {
      if (isUnstorable(key)) return path;
      // Paths are cut: they only have to help a person find the field.
      pending.push([
        path === '' ? key.slice(0, 100) : path.length > 200 ? path : `${path}.${key.slice(0, 100)}`,
        child,
      ]);
    }
  }
  return undefined;
}
