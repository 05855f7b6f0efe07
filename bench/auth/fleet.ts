import { generateKeyPairSync, randomUUID, randomUUIDv7, sign } from 'node:crypto';
import { compileWorkers, startWorker, type Worker } from '../harness/processes.ts';
import type { Target } from '../harness/load.ts';
import type { BenchRuntime } from '../harness/service-runtime.ts';
import type { StockSettings } from './workers/stock.ts';

export const ROUTES = [
  'bare no-op',
  'bare trip',
  'Nest no-op',
  'guarded no-op',
  'stock no-op',
  'service no-op',
  'service guarded no-op',
  'service trip',
] as const;
export type Route = (typeof ROUTES)[number];

/** CPU µs of parts of a read, each measured alone in the process that serves it. */
export interface Parts {
  policy: number;
  view: number;
  serialisation: number;
  typeorm: number;
  query: number;
}

export interface Fleet {
  targets: Record<Route, Target>;
  parts(): Promise<Parts>;
  stop(): Promise<void>;
}

/** Every process that is measured. They are idle but for the one whose turn it is. */
export async function startFleet({ settings, issuer }: BenchRuntime): Promise<Fleet> {
  const file = await compileWorkers('bench/auth/workers', ['bare', 'nest', 'stock', 'trip-service']);
  const workers: Worker[] = [];
  const start = async (name: string, given: unknown) => {
    const worker = await startWorker(file(name), given, { quiet: true });
    workers.push(worker);
    return worker;
  };
  const stop = async () => void (await Promise.all(workers.map((worker) => worker.stop())));
  try {
    // First, because it makes the tables.
    const service = await start('trip-service', settings);
    // Two, because routes that share a process share its compiler's guesses.
    const [bareNoop, bareTrip] = [await start('bare', settings), await start('bare', settings)];
    const [nest, stockSettings] = [await start('nest', settings), stockIssuer()];
    const stock = await start('stock', stockSettings.settings);

    const passengerId = randomUUIDv7();
    const token = await issuer.token('passenger', passengerId, { exp: expiry() });
    const tripId = await service.call<string>('addTrip', { issuer: issuer.issuer, passengerId });
    const urlOf = (port: number) => `http://127.0.0.1:${port}`;
    const [noopUrl, tripUrl, stockUrl, serviceUrl] = await Promise.all(
      [bareNoop, bareTrip, stock, service].map(async (worker) => urlOf(await worker.call<number>('port'))),
    );
    const ports = await nest.call<{ router: number; guarded: number }>('ports');
    return {
      targets: {
        'bare no-op': { worker: bareNoop, url: `${noopUrl}/noop` },
        'bare trip': { worker: bareTrip, url: `${tripUrl}/trips/${tripId}` },
        'Nest no-op': { worker: nest, url: `${urlOf(ports.router)}/noop` },
        'guarded no-op': { worker: nest, url: `${urlOf(ports.guarded)}/noop/private`, token },
        'stock no-op': { worker: stock, url: `${stockUrl}/noop`, token: stockSettings.token },
        'service no-op': { worker: service, url: `${serviceUrl}/noop/public` },
        'service guarded no-op': { worker: service, url: `${serviceUrl}/noop/private`, token },
        'service trip': { worker: service, url: `${serviceUrl}/v1/trips/${tripId}`, token },
      },
      parts: () => service.call<Parts>('parts'),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

const expiry = () => Math.floor(Date.now() / 1_000) + 3_600;

/** An issuer as most have it: RS256, and the verifier has its public key in PEM. */
function stockIssuer(): { settings: StockSettings; token: string } {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const issuer = 'https://stock.test';
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { iss: issuer, aud: 'trip', sub: randomUUID(), role: 'passenger', exp: expiry() };
  const input = `${encode({ alg: 'RS256', typ: 'JWT' })}.${encode(claims)}`;
  const signature = sign('sha256', Buffer.from(input), privateKey).toString('base64url');
  return { settings: { issuer, publicJwk: publicKey.export({ format: 'jwk' }) }, token: `${input}.${signature}` };
}
