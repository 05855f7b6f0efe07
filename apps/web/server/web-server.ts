import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import Fastify, { type FastifyInstance } from 'fastify';
import { readCertificate, renewCertificate } from './certificate.ts';
import type { Config } from './config.ts';
import { closeGracefully } from './graceful-close.ts';
import { proxyTo } from './proxy.ts';
import { HSTS, securityHeaders } from './security-headers.ts';

/** What the pages have to know of where they are. */
export interface PageConfig {
  /** Null: the built-in style, which needs no network. */
  mapStyleUrl: string | null;
  operator: { issuer: string; clientId: string } | null;
  /** Where a trip's traces are shown, with {tripId} in it; null where nobody has said. */
  tracesUrl: string | null;
  /** Whether there is /api/local: traces and faults on a developer's machine. */
  isLocal: boolean;
}

const IMMUTABLE = 'public, max-age=31536000, immutable';
const FRESH = 'no-cache';

export const pageConfig = (config: Config): PageConfig => ({
  mapStyleUrl: config.MAP_STYLE_URL ?? null,
  operator: config.OPERATOR_ISSUER ? { issuer: config.OPERATOR_ISSUER, clientId: config.OPERATOR_CLIENT_ID } : null,
  tracesUrl: config.TRACES_URL ?? null,
  isLocal: config.LOCAL_TOOLS_URL !== undefined,
});

/** The pages, and the services' APIs below /api, under one origin. */
export async function createWebServer(config: Config, publicFolder: string): Promise<FastifyInstance> {
  const page = readFileSync(join(publicFolder, 'index.html'), 'utf8');
  const server = Fastify({
    logger: { level: 'warn' },
    https: readCertificate(config),
    trustProxy: config.TRUSTED_PROXIES.length > 0 && config.TRUSTED_PROXIES,
    // What arrives while the server closes, on a connection that is still open, is answered like anything else.
    return503OnClosing: false,
  }) as unknown as FastifyInstance;
  closeGracefully(server);
  renewCertificate(server, config);

  const headers = securityHeaders(config);
  server.addHook('onRequest', async (request, reply) => {
    void reply.headers(headers);
    // Browsers believe it over TLS only, which may end at a proxy before this server.
    if (request.protocol === 'https') void reply.header('strict-transport-security', HSTS);
  });

  server.get('/livez', () => ({ status: 'ok' }));
  server.get('/config.json', (_request, reply) => reply.header('cache-control', FRESH).send(pageConfig(config)));
  await proxyTo(server, 'passenger', config.PASSENGER_URL);
  await proxyTo(server, 'driver', config.DRIVER_URL);
  await proxyTo(server, 'trip', config.TRIP_URL);
  if (config.LOCAL_TOOLS_URL) await proxyTo(server, 'local', config.LOCAL_TOOLS_URL);
  await server.register(fastifyStatic, {
    root: publicFolder,
    index: false,
    // A route for each file: everything else is for the handler below.
    wildcard: false,
    cacheControl: false,
    // The build has compressed them.
    preCompressed: true,
    setHeaders: (reply, path) => {
      const isHashed = path.startsWith(join(publicFolder, 'assets'));
      void reply.header('cache-control', isHashed ? IMMUTABLE : FRESH);
    },
  });
  // Pages have addresses of their own, and are all one document. A file that isn't there isn't a page.
  server.setNotFoundHandler((request, reply) => {
    const { pathname } = new URL(request.url, 'http://page');
    if (request.method !== 'GET' || /^\/(api|assets)\/|\.\w+$/.test(pathname))
      return reply.status(404).type('text/plain').send('not found');
    return reply.header('cache-control', FRESH).type('text/html').send(page);
  });
  return server;
}

/** The build lays the pages beside the server. */
export function builtPages(): string {
  const folder = join(import.meta.dirname, 'public');
  if (!existsSync(folder)) throw new Error(`${folder} is missing: npx nx build web`);
  return folder;
}
