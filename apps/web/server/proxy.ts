import type { IncomingHttpHeaders } from 'node:http';
import proxy from '@fastify/http-proxy';
import type { FastifyInstance } from 'fastify';

/** Streams say something every 15 s (heartbeats); whoever is silent for so long is gone. */
const SILENCE_MS = 60_000;
/** Where a session cookie of a service is sent that is served over plain HTTP. */
const ORIGINAL_PATH = 'Path=/v1/';

/** Hands `/api/<service>/…` on to a service, streams as they come. */
export async function proxyTo(server: FastifyInstance, service: string, upstream: string): Promise<void> {
  const prefix = `/api/${service}`;
  await server.register(proxy, {
    upstream,
    prefix,
    rewritePrefix: '/',
    // A request is sent once: whether to repeat one is for who made it to say.
    retryMethods: [],
    undici: {
      bodyTimeout: SILENCE_MS,
      headersTimeout: SILENCE_MS,
      // A stream holds one for as long as its page is open: with a limit, streams would keep out everything else.
      connections: null,
      // The plug-in would take any certificate.
      connect: { rejectUnauthorized: true },
    },
    replyOptions: {
      rewriteRequestHeaders: (request, headers) => ({ ...headers, 'x-forwarded-for': request.ip }),
      rewriteHeaders: (headers) => withoutServiceHeaders(withCookiesAt(prefix, headers)),
      onError: (reply, { error }) => {
        server.log.warn({ event: 'proxy.unreachable', service, reason: error.message });
        void reply
          .status(503)
          .headers({ 'content-type': 'application/problem+json', 'retry-after': '2', 'cache-control': 'no-store' })
          .send(
            JSON.stringify({
              type: 'about:blank',
              title: 'The service cannot be reached',
              status: 503,
              detail: `the ${service} service cannot be reached right now`,
              code: 'SERVICE_UNREACHABLE',
              traceId: '0'.repeat(32),
            }),
          );
      },
    },
  });
}

/** A service says where its session cookie is sent, and doesn't know that its own root is somewhere below ours. */
function withCookiesAt(prefix: string, headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const cookies = headers['set-cookie'];
  if (!cookies) return headers;
  const moved = [cookies].flat().map((cookie) => cookie.replace(ORIGINAL_PATH, `Path=${prefix}/v1/`));
  return { ...headers, 'set-cookie': moved };
}

/** What services say for callers from other origins: behind this server everything is one. */
function withoutServiceHeaders(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith('access-control-')));
}
