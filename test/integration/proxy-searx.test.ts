import { errorHandler } from '@signalbox/errors';
import { proxy, type Proxy } from '@signalbox/gateway';
import { serve, type RunningServer } from '@signalbox/server';
import express from 'express';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser, type TestBrowser } from '../support/browser.js';
import { send } from '../support/send.js';
import { startSearx, type SearxServer } from '../support/searx.js';

const MOUNT = '/proxy';

let searx: SearxServer;
let pass: Proxy;
let gateway: RunningServer;
let browser: TestBrowser;

beforeAll(async () => {
  [searx, browser] = await Promise.all([startSearx(), launchBrowser()]);
  pass = proxy({
    to: searx.url,
    stripHeaders: ['authorization', 'cookie'],
    // Its links begin with it then.
    headers: { 'X-Script-Name': MOUNT },
  });
  const app = express().disable('x-powered-by');
  app.use(MOUNT, pass);
  app.use(errorHandler());
  gateway = await serve(app, { host: '127.0.0.1', port: 0, signals: false });
});
afterAll(async () => {
  await browser?.close();
  await gateway?.close();
  await pass?.close();
  await searx?.stop();
});

/** Everything that a page of HTML makes a browser fetch, or lets a visitor open. */
function namedByHtml(html: string): string[] {
  return [...html.matchAll(/\s(?:src|href|action|data-[a-z-]+)="([^"]+)"/g)]
    .map(([, url = '']) => url.replaceAll('&amp;', '&'))
    .filter((url) => /^(?:https?:\/)?\//.test(url));
}

function namedByStyles(css: string): string[] {
  return [...css.matchAll(/url\(\s*["']?([^"')]+)["']?\s*\)/g)]
    .map(([, url = '']) => url)
    .filter((url) => !url.startsWith('data:'));
}

/** The same at searx itself, which knows nothing of the mount there. */
function directly(url: string): string {
  return url.replace(`${gateway.url}${MOUNT}`, searx.url);
}

describe('a real searx behind a proxy, below a mount', () => {
  it('has every link and asset of its page below the mount, and each is there', async () => {
    const { status, text: html } = await send(`${gateway.url}${MOUNT}/`);
    const named = [...new Set(namedByHtml(html).map((url) => new URL(url, gateway.url)))];
    const own = named.filter(({ origin }) => origin === gateway.url).map(({ href }) => href);

    expect(status).toBe(200);
    expect(html).toContain('<title>signalbox-test</title>');
    expect(html).not.toContain(new URL(searx.url).host);
    expect(own.filter((url) => !url.startsWith(`${gateway.url}${MOUNT}/`))).toEqual([]);
    for (const kind of [/\.css$/, /\.js$/, /\.(?:png|svg|ico)$/, /\/preferences$/]) {
      expect(own.some((url) => kind.test(url))).toBe(true);
    }

    for (const url of own) {
      const asset = await send(url);
      expect([asset.status, url]).toEqual([200, url]);
      if (!url.includes('/static/')) continue;
      const direct = await send(directly(url));
      expect(asset.headers['content-type']).toBe(direct.headers['content-type']);
      expect(asset.text === direct.text, url).toBe(true);

      for (const inner of url.endsWith('.css') ? new Set(namedByStyles(asset.text)) : []) {
        const { href } = new URL(inner, url);
        expect(href.startsWith(`${gateway.url}${MOUNT}/static/`), href).toBe(true);
        // Debian leaves out some fonts that its stylesheets name.
        expect([(await send(href)).status, href]).toEqual([(await send(directly(href))).status, href]);
      }
    }
  });

  it('searches in a browser, goes through its pages, and asks for nothing outside the mount', async () => {
    const { page, errors, screenshot, close } = await browser.visit();
    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.url()));
    await page.goto(`${gateway.url}${MOUNT}/`);
    await screenshot('proxied-searx');

    await page.locator('input[name=q]').fill('gateways');
    await page.keyboard.press('Enter');
    await page.getByText('Document 1 on signalbox').waitFor();
    await screenshot('proxied-searx-results');
    expect(new URL(page.url()).pathname).toBe(`${MOUNT}/search`);

    await page.goto(`${gateway.url}${MOUNT}/preferences`);
    await page.getByText('Preferences').first().waitFor();
    await screenshot('proxied-searx-preferences');

    expect(asked.filter((url) => !url.startsWith(`${gateway.url}${MOUNT}/`))).toEqual([]);
    expect(asked.length).toBeGreaterThan(5);
    expect(errors).toEqual([]);
    await close();
  });

  it('keeps its redirects and cookies below the mount', async () => {
    const saved = await fetch(`${gateway.url}${MOUNT}/preferences`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'language=de&theme=oscar',
      redirect: 'manual',
    });
    expect(saved.status).toBe(302);
    expect(new URL(saved.headers.get('location') ?? '', gateway.url).href).toBe(`${gateway.url}${MOUNT}/`);
    const cookies = saved.headers.getSetCookie();
    expect(cookies.length).toBeGreaterThan(0);
    for (const cookie of cookies) expect(cookie).toContain(`Path=${MOUNT}`);

    const bang = await fetch(`${gateway.url}${MOUNT}/search?q=!!w+express`, { redirect: 'manual' });
    expect(bang.status).toBe(302);
    expect(bang.headers.get('location')).toMatch(/^https:\/\/(?:\w+\.)?wikipedia\.org\//);
  });

  it('is a 504 while it hangs, a 502 when it is gone, and well again afterwards', async () => {
    const hasty = proxy({ to: searx.url, timeoutMs: 300, retries: 0 });
    const app = express();
    app.use((_req, res, next) => {
      // As a request logger does that reports errors itself.
      Object.assign(res, { err: undefined });
      next();
    });
    app.use(MOUNT, hasty, errorHandler());
    const server = await serve(app, { host: '127.0.0.1', port: 0, signals: false });
    try {
      searx.pause();
      expect((await fetch(`${server.url}${MOUNT}/healthz`)).status).toBe(504);
      searx.resume();
      expect(await (await fetch(`${server.url}${MOUNT}/healthz`)).text()).toBe('OK');
      await searx.kill();
      expect((await fetch(`${server.url}${MOUNT}/healthz`)).status).toBe(502);
    } finally {
      await server.close();
      await hasty.close();
    }
  });
});
