import { DomainError } from '@cabstand/contracts';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { BaseConfig } from './config.ts';
import { problem, PROBLEM_JSON } from './problem.ts';
import { tlsOf, type TlsConfig } from './tls.ts';

const NOT_YET = JSON.stringify(problem(new DomainError('DATABASE_UNAVAILABLE'), '0'.repeat(32)));

const answer: RequestListener = (_request, response) =>
  response
    .writeHead(503, {
      'content-type': PROBLEM_JSON,
      'retry-after': '2',
      'cache-control': 'no-store',
      connection: 'close',
    })
    .end(NOT_YET);

/**
 * Keeps the service's port while the service waits for its database: clients are told to come back, instead of
 * finding nobody. Returns what gives the port back. Where the system is to choose the port, nobody knows it yet.
 */
export async function openWaitingRoom(
  config: Pick<BaseConfig, 'HOST' | 'PORT'> & TlsConfig,
): Promise<() => Promise<void>> {
  if (config.PORT === 0) return () => Promise.resolve();
  const edge = tlsOf(config)?.edge();
  const server = edge ? createSecureServer(edge, answer) : createServer(answer);
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(config.PORT, config.HOST, resolve));
  return () =>
    new Promise((resolve) => {
      server.close(() => resolve());
      // Whoever has connected and asked nothing would keep the port.
      server.closeAllConnections();
    });
}
