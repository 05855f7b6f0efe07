import { setTimeout as delay } from 'node:timers/promises';
import { SERVICES } from '@cabstand/contracts';
import { exportJWK, generateKeyPair } from 'jose';
import type { Page } from 'playwright-core';
import { freePort } from '../../../infra/ports.ts';
import { startIdentityProvider } from '../../../tools/local/identity-provider.ts';
import { startLocalServer } from '../../../tools/local/local-server.ts';
import { Platform } from './platform.ts';
import { TestBrowser, WebProcess } from './web.ts';

export interface OperatedPlatform {
  platform: Platform;
  web: WebProcess;
  browser: TestBrowser;
  stop(): Promise<void>;
}

/** The services, the pages, and what `npm start` has beside them for the operator. */
export async function startOperatedPlatform(): Promise<OperatedPlatform> {
  const [webPort, identityPort, localPort] = await Promise.all([WebProcess.port(), freePort(), freePort()]);
  const webUrl = `http://127.0.0.1:${webPort}`;
  const issuer = `http://localhost:${identityPort}`;
  const pair = await generateKeyPair('ES256', { extractable: true });
  const about = { kid: 'development', alg: 'ES256', use: 'sig' };
  const key = { ...(await exportJWK(pair.privateKey)), ...about };
  const publicKey = { ...(await exportJWK(pair.publicKey)), ...about };
  const localUrl = `http://127.0.0.1:${localPort}`;
  const provider = await startIdentityProvider({ issuer, key, webUrl });
  const platform = await Platform.start({
    alsoTrusted: [{ issuer, jwksUri: `${issuer}/jwks`, algorithm: 'ES256', roles: ['operator'] }],
    env: {
      WEB_ORIGINS: webUrl,
      FAULT_SWITCHES: 'on',
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${localUrl}/v1/traces`,
      OTEL_BSP_SCHEDULE_DELAY: '200',
    },
  });
  const local = await startLocalServer({
    port: localPort,
    issuer: { name: issuer, publicKey },
    broker: { url: platform.broker.adminUrl },
    crash: (service) => {
      const [process] = platform.services[service];
      // Long enough that the page, which asks every now and then, sees that it is gone.
      void process
        .stop('SIGKILL')
        .then(() => delay(4_000))
        .then(() => process.start());
    },
  });
  const web = WebProcess.before(platform, webPort, { OPERATOR_ISSUER: issuer, LOCAL_TOOLS_URL: localUrl });
  await web.start();
  const browser = await TestBrowser.launch(web.url);
  const stop = async () => {
    await browser.close();
    await web.stop();
    await Promise.all([local.stop(), provider.stop(), platform.stop()]);
  };
  return { platform, web, browser, stop };
}

/** Signed in, with this part of the page open. */
export async function operatorPage(browser: TestBrowser, tab = 'City'): Promise<Page> {
  const page = await browser.page();
  await page.goto('/');
  await page.getByRole('button', { name: 'Sign in as operator' }).click();
  await openTab(page, tab);
  return page;
}

export const openTab = (page: Page, tab: string): Promise<void> => page.getByRole('tab', { name: tab }).click();

/** Every service has told how it is. */
export async function untilAllAreUp(page: Page): Promise<void> {
  for (const service of SERVICES)
    await page.getByLabel(`Break the ${service} service`).getByText('up', { exact: true }).waitFor();
}
