import type { FastifyInstance, FastifyReply } from 'fastify';

/** What browsers are told of every answer (OWASP REST Security Cheat Sheet). Pages bring a policy of their own. */
const HEADERS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  // Answers belong to whom they were given; tokens are among them.
  'cache-control': 'no-store',
  vary: 'origin',
};
/** Two years: what the browsers' preload lists ask for. Believed over TLS only. */
const HSTS = 'max-age=63072000; includeSubDomains';

const PREFLIGHT = {
  'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
  'access-control-allow-headers':
    'authorization, content-type, idempotency-key, last-event-id, access-reason, session-mode, traceparent',
  'access-control-max-age': '600',
};
const EXPOSED = 'retry-after, ratelimit, ratelimit-policy';

/** Answers pages of these origins, and no others (WHATWG Fetch, "CORS protocol"). */
export function allowOrigins(fastify: FastifyInstance, origins: readonly string[]): void {
  fastify.addHook('onRequest', (request, reply, done) => {
    const { origin } = request.headers;
    if (origin === undefined || !origins.includes(origin)) return done();
    void reply.headers({
      'access-control-allow-origin': origin,
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers': EXPOSED,
    });
    const isPreflight = request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== undefined;
    if (!isPreflight) return done();
    void reply.status(204).headers(PREFLIGHT).send();
  });
}

/** Unless the route has said something else. */
export function addCommonHeaders(reply: FastifyReply): void {
  const add = (name: string, value: string) => reply.hasHeader(name) || reply.header(name, value);
  for (const name in HEADERS) add(name, HEADERS[name as keyof typeof HEADERS]);
  if (reply.request.protocol === 'https') add('strict-transport-security', HSTS);
}
