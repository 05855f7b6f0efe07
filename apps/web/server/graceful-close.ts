import type { ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';

/** Requests that take longer than this are cut off, so that the process is gone within 10 s (P8). */
const DRAIN_MS = 8_000;

/** When the server closes, streams end at once, for pages connect again; every other request gets its answer first. */
export function closeGracefully(server: FastifyInstance): void {
  const streams = new Set<ServerResponse>();
  let isClosing = false;
  server.addHook('onSend', async (_request, reply) => {
    // Kept alive, the connection would keep the server from closing.
    if (isClosing) void reply.header('connection', 'close');
    if (!String(reply.getHeader('content-type')).startsWith('text/event-stream')) return;
    streams.add(reply.raw);
    reply.raw.once('close', () => streams.delete(reply.raw));
  });
  server.addHook('preClose', async () => {
    isClosing = true;
    for (const stream of streams) stream.end();
    setTimeout(() => server.server.closeAllConnections(), DRAIN_MS).unref();
  });
}
