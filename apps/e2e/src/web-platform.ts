import type { Page } from 'playwright-core';
import { Platform } from './platform.ts';
import { TestBrowser, WebProcess } from './web.ts';

/** The services with the pages before them, and browsers for people. */
export class WebPlatform {
  readonly #browsers: TestBrowser[] = [];
  readonly #open: Page[] = [];

  private constructor(
    readonly platform: Platform,
    readonly web: WebProcess,
  ) {}

  static async start(env: Record<string, string> = {}): Promise<WebPlatform> {
    const port = await WebProcess.port();
    const platform = await Platform.start({ env: { WEB_ORIGINS: `http://127.0.0.1:${port}`, ...env } });
    const web = WebProcess.before(platform, port);
    await web.start();
    return new WebPlatform(platform, web);
  }

  async browser(options?: { hasWebGl: boolean }): Promise<TestBrowser> {
    const browser = await TestBrowser.launch(this.web.url, options);
    this.#browsers.push(browser);
    return browser;
  }

  /** The page is closed after the test. */
  kept(page: Page): Page {
    this.#open.push(page);
    return page;
  }

  /** Closes what the test kept, and returns what its pages complained of. */
  async afterTest(): Promise<string[]> {
    await Promise.all(this.#open.splice(0).map((page) => page.context().close()));
    return this.#browsers.flatMap(({ complaints }) => complaints.splice(0));
  }

  async stop(): Promise<void> {
    for (const browser of this.#browsers) await browser.close();
    await this.web.stop();
    await this.platform.stop();
  }
}
