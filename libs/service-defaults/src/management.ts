import type { MessagingStatus } from '@cabstand/messaging';
import { createServer, type Server } from 'node:http';
import { Server as SecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Database } from './database.ts';
import type { Lifecycle } from './http-server.ts';
import type { Telemetry } from './telemetry.ts';

export interface Health extends Lifecycle {
  /** Whether the HTTP API has been opened. */
  serving: boolean;
  database?: Database;
  messaging?: MessagingStatus;
}

export interface Readiness {
  status: 'ready' | 'starting' | 'draining' | 'unavailable';
  database: 'reachable' | 'unreachable' | 'none';
  migrations: 'applied' | 'pending' | 'unknown';
  /** Told, but no reason to be unready: what needs no messages is answered without the broker (P5). */
  messaging: 'connected' | 'disconnected';
}

export async function readiness(health: Health): Promise<Readiness> {
  const state = await health.database?.state();
  const usable = state ? state.reachable && state.migrated : true;
  return {
    status: health.draining ? 'draining' : !usable ? 'unavailable' : health.serving ? 'ready' : 'starting',
    database: state ? (state.reachable ? 'reachable' : 'unreachable') : 'none',
    migrations: state?.reachable ? (state.migrated ? 'applied' : 'pending') : 'unknown',
    messaging: health.messaging?.connected ? 'connected' : 'disconnected',
  };
}

/**
 * `/livez`, `/readyz` and `/metrics`, on a port of their own that never faces the outside. It is up before
 * anything else and closes last, so that a service that waits for its database can say so.
 */
export async function startManagement(
  health: Health,
  telemetry: Telemetry,
  host: string,
  port: number,
): Promise<Server> {
  const server = createServer((request, response) => {
    const answer = (status: number, body: object) =>
      response.writeHead(status, { 'content-type': 'application/json', connection: 'close' }).end(JSON.stringify(body));
    const path = request.url?.split('?')[0];
    if (path === '/livez') answer(200, { status: 'alive' });
    else if (path === '/metrics') telemetry.prometheus.getMetricsRequestHandler(request, response);
    else if (path === '/readyz') {
      void readiness(health).then((state) => answer(state.status === 'ready' ? 200 : 503, state));
    } else answer(404, { status: 'unknown path' });
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
  return server;
}

export const urlOf = (server: Server, host: string) =>
  `http${server instanceof SecureServer ? 's' : ''}://${host}:${(server.address() as AddressInfo).port}`;
