import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { eventually } from '@cabstand/testing';
import type { AxeResults } from 'axe-core';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { findChromium } from '../../../infra/browser/chromium.ts';
import { ROOT } from '../../../infra/paths.ts';
import { freePort } from '../../../infra/ports.ts';
import type { Platform } from './platform.ts';

const DIST = process.env.CABSTAND_DIST ?? join(ROOT, 'dist', 'apps');
/** Kept by CI, for people to look at. */
const SCREENSHOTS = join(ROOT, 'dist', 'screenshots');
const SCREENS = [
  { name: 'phone', width: 380, height: 800 },
  { name: 'desk', width: 1280, height: 800 },
  { name: 'wall', width: 1920, height: 1080 },
];
const THEMES = ['light', 'dark'] as const;
/** For one thing to appear on a page, on a machine that is busy with other tests. */
const PAGE_TIMEOUT_MS = 40_000;
const FLAGS = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--enable-unsafe-swiftshader', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
];
/** Maps are drawn in software here: few pixels, and no more of them than needed. */
const SMALL: BrowserContextOptions = { viewport: { width: 400, height: 640 }, reducedMotion: 'reduce' };
/** What graphics drivers say in software, and that there are none, has nothing to do with us. */
const NOISE = /GPU stall|GL Driver Message|WebGL/;

/** The built pages and their server, as they are run for real. */
export class WebProcess {
  readonly url: string;
  readonly #env: Record<string, string>;
  readonly #log: string[] = [];
  #child: ChildProcess | undefined;

  private constructor(env: Record<string, string>, port: number) {
    this.url = `http://127.0.0.1:${port}`;
    this.#env = { ...env, HOST: '127.0.0.1', PORT: String(port) };
  }

  /** A port for the pages, which the services are told (`WEB_ORIGINS`) before they start. */
  static port = freePort;

  static before({ urls }: Platform, port: number, env: Record<string, string> = {}): WebProcess {
    const upstreams = { PASSENGER_URL: urls.passenger, DRIVER_URL: urls.driver, TRIP_URL: urls.trip };
    return new WebProcess({ ...upstreams, ...env }, port);
  }

  async start(): Promise<void> {
    const main = join(DIST, 'web', 'main.js');
    const child = spawn(process.execPath, [main], { env: this.#env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    for (const output of [child.stdout, child.stderr])
      createInterface({ input: output }).on('line', (line) => this.#log.push(line));
    await eventually(
      async () => {
        if (child.exitCode !== null) throw new Error(`web ended with ${child.exitCode}:\n${this.#log.join('\n')}`);
        await fetch(`${this.url}/livez`);
      },
      { timeoutMs: 30_000 },
    );
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    await exited;
  }
}

/** Chromium, with what its pages complained of. */
export class TestBrowser {
  /** Uncaught errors, failed loads and violations of the Content-Security-Policy. */
  readonly complaints: string[] = [];
  readonly #browser: Browser;
  readonly #url: string;

  private constructor(browser: Browser, url: string) {
    this.#browser = browser;
    this.#url = url;
  }

  /** Without WebGL no map can be drawn, which is most of the work of a page. */
  static async launch(url: string, { hasWebGl = true } = {}): Promise<TestBrowser> {
    const executablePath = findChromium();
    if (!executablePath) throw new Error('no Chromium or Chrome: install one, or name it in CHROME');
    const args = hasWebGl ? FLAGS : [...FLAGS, '--disable-3d-apis'];
    return new TestBrowser(await chromium.launch({ executablePath, args }), url);
  }

  /** A page of somebody who shares nothing with anybody else. `seed` is put into its session storage first. */
  async page(options: BrowserContextOptions = {}, seed: Record<string, unknown> = {}): Promise<Page> {
    const context = await this.#browser.newContext({ ...SMALL, baseURL: this.#url, ...options });
    await context.addInitScript({ content: beforeAnything(seed) });
    const page = await context.newPage();
    page.setDefaultTimeout(PAGE_TIMEOUT_MS);
    page.on('pageerror', ({ message }) => this.complaints.push(`${page.url()}: ${message}`));
    page.on('console', (message) => {
      const text = message.text();
      // What is refused or can't be reached is a page's to show, and Chromium notes it here as well.
      const isExpected = NOISE.test(text) || text.startsWith('Failed to load resource');
      if (message.type() === 'error' && !isExpected) this.complaints.push(`${page.url()}: ${text}`);
    });
    return page;
  }

  close(): Promise<void> {
    return this.#browser.close();
  }
}

async function keepScreenshot(page: Page, name: string): Promise<void> {
  mkdirSync(SCREENSHOTS, { recursive: true });
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });
}

const axeSource = () => readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Runs in the page, before its own scripts. As text, like all that runs there: our types are Node.js's. */
const beforeAnything = (seed: Record<string, unknown>) => `
  for (const [key, value] of Object.entries(${JSON.stringify(seed)}))
    if (sessionStorage.getItem(key) === null) sessionStorage.setItem(key, JSON.stringify(value));
  document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
    console.error('Content-Security-Policy: ' + violatedDirective + ' ' + blockedURI));
`;

/** How many pixels of the page don't fit the screen's width. */
const overflowPx = (page: Page): Promise<number> =>
  page.evaluate<number>('document.documentElement.scrollWidth - window.innerWidth');

/** The element in which that stands has the focus. */
export const untilFocused = (page: Page, text: string): Promise<void> =>
  eventually(async () => expect(await page.evaluate<string>('document.activeElement.textContent')).toBe(text));

/** Everything that a script could find after a reload. */
export const storedText = (page: Page): Promise<string> =>
  page.evaluate<string>('JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])');

/**
 * What axe finds seriously or critically wrong with the page, one line for each element. React Aria's announcements are
 * left out: they are read once and gone after seconds, and name buttons that may be gone before.
 */
async function seriousFindings(page: Page): Promise<string[]> {
  await page.evaluate(axeSource());
  const { violations } = await page.evaluate<AxeResults>(`axe.run({ exclude: ['[data-live-announcer]'] })`);
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id} ${html}: ${failureSummary}`));
}

/** How many pixels of a PNG have exactly this colour (`#rrggbb`). Any page can count them. */
export const pixelsOf = (page: Page, png: Buffer, colour: string): Promise<number> =>
  page.evaluate<number>(`(async () => {
    const bytes = Uint8Array.from(atob('${png.toString('base64')}'), (character) => character.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes]));
    const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
    context.drawImage(bitmap, 0, 0);
    const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
    let count = 0;
    for (let i = 0; i < data.length; i += 4) {
      const [red, green, blue] = data.subarray(i, i + 3);
      if ((red << 16) + (green << 8) + blue === ${Number.parseInt(colour.slice(1), 16)}) count++;
    }
    return count;
  })()`);

/**
 * What is wrong with the page in either theme and on any screen, one line each. Pictures of all of them are kept as
 * `name`, each after `look`.
 */
export async function inspect(page: Page, name: string, look?: () => Promise<void>): Promise<string[]> {
  const findings: string[] = [];
  const initial = page.viewportSize();
  for (const colorScheme of THEMES) {
    await page.emulateMedia({ colorScheme });
    await page.locator(`:root[data-theme=${colorScheme}]`).waitFor({ state: 'attached' });
    findings.push(...(await seriousFindings(page)));
    for (const { name: screen, width, height } of SCREENS) {
      await page.setViewportSize({ width, height });
      await look?.();
      await keepScreenshot(page, `${name}.${screen}.${colorScheme}`);
      const tooWidePx = await overflowPx(page);
      if (tooWidePx > 0) findings.push(`${screen}: ${tooWidePx} px wider than the screen`);
    }
    if (initial) await page.setViewportSize(initial);
  }
  return findings;
}
