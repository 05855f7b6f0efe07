import { readFileSync } from 'node:fs';
import type { ServiceName } from '@cabstand/contracts';
import { asAdministrator, certificateFiles, LOCAL } from '../../infra/index.ts';
import type { CityReport } from '../city/stats.ts';
import { developerKey, issuerUrl } from '../runtime/developer-issuer.ts';
import { webUrl } from '../runtime/environment.ts';
import type { Infrastructure } from '../runtime/infrastructure.ts';
import type { Settings } from '../runtime/settings.ts';
import { startIdentityProvider } from './identity-provider.ts';
import { startLocalServer } from './local-server.ts';

/** What the operator page has beside it under `npm start` only: a place to sign in, and the local server. */
export async function startLocalTools(
  settings: Settings,
  { broker }: Infrastructure,
  crash: (service: ServiceName) => void,
): Promise<{ tellCity(report: CityReport): void; stop(): Promise<void> }> {
  const { tls, ports } = settings;
  const files = certificateFiles(LOCAL, 'web');
  const certificate = tls ? { cert: readFileSync(files.cert), key: readFileSync(files.key) } : null;
  const key = await developerKey();
  const { d: _, ...publicKey } = key;
  const issuer = issuerUrl(settings);
  const provider = await startIdentityProvider({ issuer, key, webUrl: webUrl(settings), certificate });
  try {
    const server = await startLocalServer({
      port: ports.localTools,
      certificate,
      issuer: { name: issuer, publicKey },
      broker: { url: broker.adminUrl, options: tls ? asAdministrator(LOCAL) : {} },
      crash,
    });
    return {
      tellCity: server.tellCity,
      stop: async () => void (await Promise.all([provider.stop(), server.stop()])),
    };
  } catch (error) {
    await provider.stop();
    throw error;
  }
}
