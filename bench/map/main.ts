/**
 * `npx nx run bench:map`: frames a second of the operator page's map in Chromium, drawn in software, while cabs move, and
 * how soon each page shows what it is for to somebody who was never there.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { exportJWK, generateKeyPair } from 'jose';
import { chromium, type Page } from 'playwright-core';
import { findChromium } from '../../infra/browser/chromium.ts';
import { freePort, ROOT } from '../../infra/index.ts';
import { startIdentityProvider } from '../../tools/local/identity-provider.ts';
import { conclude, figure, printFigures } from '../harness/figures.ts';
import { describeMachine, machine } from '../harness/machine.ts';
import { readOptions } from '../harness/options.ts';
import { onceEnded } from '../harness/processes.ts';
import { randomOf } from '../harness/stats.ts';
import { startFleetServer } from './fleet-server.ts';

const { output, values } = readOptions({
  drivers: { type: 'string', default: '500' },
  seconds: { type: 'string', default: '5' },
  rounds: { type: 'string', default: '5' },
});
const drivers = Number(values.drivers);
const executablePath = findChromium();
if (!executablePath) throw new Error('no Chromium or Chrome: install one, or name it in CHROME');

const here = machine({});
const [webPort, identityPort] = [await freePort(), await freePort()];
const webUrl = `http://127.0.0.1:${webPort}`;
const issuer = `http://localhost:${identityPort}`;
const { privateKey } = await generateKeyPair('ES256', { extractable: true });
const key = { ...(await exportJWK(privateKey)), kid: 'bench', alg: 'ES256', use: 'sig' };
const [provider, fleet] = [
  await startIdentityProvider({ issuer, key, webUrl }),
  await startFleetServer(drivers, randomOf(output.seed)),
];
const upstreams = { DRIVER_URL: fleet.url, PASSENGER_URL: fleet.url, TRIP_URL: fleet.url, OPERATOR_ISSUER: issuer };
const web = spawn(process.execPath, [join(ROOT, 'dist', 'apps', 'web', 'main.js')], {
  env: { ...upstreams, PORT: String(webPort) },
  stdio: 'ignore',
});
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--enable-unsafe-swiftshader'] });
const end = onceEnded(async () => {
  await browser.close();
  web.kill();
  fleet.stop();
  await provider.stop();
});

/** Runs in the page, so it is text. */
const framesIn = (ms: number) => `new Promise((resolve) => {
  const start = performance.now();
  let frames = 0;
  requestAnimationFrame(function next() {
    frames += 1;
    const tookMs = performance.now() - start;
    if (tookMs < ${ms}) requestAnimationFrame(next);
    else resolve((frames * 1000) / tookMs);
  });
})`;

const PAGES = ['/', '/ride', '/drive'] as const;
const VIEWPORT = { width: 1280, height: 800 };

/** Until its heading, and what is said and asked below it, can be read; and until its map is drawn. */
async function visit(path: string): Promise<{ viewMs: number; mapMs: number }> {
  const context = await browser.newContext({ viewport: VIEWPORT });
  const page = await context.newPage();
  const startedAt = performance.now();
  await page.goto(webUrl + path, { waitUntil: 'commit' });
  await page.getByRole('heading', { level: 1 }).waitFor();
  const viewMs = performance.now() - startedAt;
  await page.locator('.map-canvas[data-ready]').waitFor();
  const mapMs = performance.now() - startedAt;
  await context.close();
  return { viewMs, mapMs };
}

async function open(): Promise<Page> {
  const page = await browser.newPage({ viewport: VIEWPORT });
  page.setDefaultTimeout(120_000);
  await page.goto(webUrl);
  await page.getByRole('button', { name: 'Sign in as operator' }).click();
  await page.locator('.figure strong', { hasText: String(drivers) }).waitFor();
  await page.locator('.map-canvas[data-ready]').waitFor();
  return page;
}

const rates: number[] = [];
const visits = PAGES.map((path) => ({ path, viewMs: [] as number[], mapMs: [] as number[] }));
try {
  while (!(await fetch(`${webUrl}/livez`).catch(() => null))) await delay(50);
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const { path, viewMs, mapMs } of visits) {
      const visited = await visit(path);
      viewMs.push(visited.viewMs);
      mapMs.push(visited.mapMs);
    }
  }
  const page = await open();
  for (let round = 0; round < Number(values.rounds); round++)
    rates.push(await page.evaluate<number>(framesIn(Number(values.seconds) * 1_000)));
} finally {
  await end();
}
console.log(`${describeMachine(here)}; seed ${output.seed}\n`);
const figures = [
  figure(`${drivers} moving drivers`, 'frames/s', rates, { atLeast: 30, aim: 60 }),
  ...visits.flatMap(({ path, viewMs, mapMs }) => [
    figure(`first view of ${path}`, 'ms', viewMs, { atMost: 1_500 }),
    figure(`map of ${path}`, 'ms', mapMs),
  ]),
];
printFigures(figures);
conclude(figures, here, output);
