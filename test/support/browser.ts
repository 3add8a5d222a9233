import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium, type BrowserContext, type BrowserContextOptions, type Page } from 'playwright-core';
import { requireProgram } from './system-packages.js';

const screenshots = fileURLToPath(new URL('../.run/screenshots/', import.meta.url));

/** One visitor: cookies and storage of its own. */
export interface Visitor {
  readonly page: Page;
  readonly context: BrowserContext;
  /** What went wrong in its pages so far: uncaught errors, console errors, refused by a policy, failed requests. */
  readonly errors: readonly string[];
  /** Takes a picture into test/.run/screenshots and returns its path. */
  readonly screenshot: (name: string) => Promise<string>;
  readonly close: () => Promise<void>;
}

export interface TestBrowser {
  /** Opens a page as somebody who has never been here. */
  readonly visit: (url?: string, options?: BrowserContextOptions) => Promise<Visitor>;
  /** Opens a page of the orchestrator as a guest. */
  readonly visitAsGuest: (url: string, options?: BrowserContextOptions) => Promise<Visitor>;
  readonly close: () => Promise<void>;
}

/**
 * Starts Debian's Chromium without a window.
 *
 * @example
 * const browser = await launchBrowser();
 * afterAll(() => browser.close());
 * const { page, errors } = await browser.visit(url);
 */
export async function launchBrowser(): Promise<TestBrowser> {
  const browser = await chromium.launch({
    executablePath: await requireProgram('chromium'),
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });

  async function open(
    url: string | undefined,
    options: BrowserContextOptions | undefined,
    prepare?: (context: BrowserContext) => Promise<unknown>,
  ): Promise<Visitor> {
    const context = await browser.newContext(options);
    await prepare?.(context);
    const errors: string[] = [];
    context.on('page', (page) => collectErrors(page, errors));
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    if (url !== undefined) await page.goto(url);
    return {
      page,
      context,
      errors,
      async screenshot(name) {
        mkdirSync(screenshots, { recursive: true });
        const path = `${screenshots}${name}.png`;
        await page.screenshot({ path, fullPage: true });
        return path;
      },
      close: () => context.close(),
    };
  }

  return {
    visit: (url, options) => open(url, options),
    visitAsGuest: (url, options) =>
      open(url, options, (context) => context.request.post(new URL('/auth/guest', url).href)),
    close: () => browser.close(),
  };
}

function collectErrors(page: Page, errors: string[]): void {
  page.on('pageerror', (error) => errors.push(`uncaught: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(`console: ${message.text()}`);
  });
  page.on('requestfailed', (request) => {
    const reason = request.failure()?.errorText ?? 'unknown';
    // What the page itself breaks off, by leaving or by AbortController, did not fail.
    if (reason !== 'net::ERR_ABORTED') errors.push(`request: ${request.url()} ${reason}`);
  });
}
