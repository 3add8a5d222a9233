import { createServer } from 'node:http';
import { listen } from '@signalbox/testing';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser, type TestBrowser, type Visitor } from '../support/browser.js';
import { accountOf, adminOf, ADMIN_SETTINGS } from '../support/identity.js';
import { startReady, type RunningOrchestrator } from '../support/orchestrator.js';

let browser: TestBrowser;
let running: RunningOrchestrator;
let isDown = false;

beforeAll(async () => {
  const instance = createServer((req, res) => {
    if (isDown) return void res.writeHead(500).end();
    if (!req.url?.startsWith('/search')) return void res.end('OK');
    res.setHeader('Content-Type', 'application/json');
    res.end(JSON.stringify({ results: [{ url: 'https://a.example/', title: 'From afar', content: 'x' }] }));
  });
  [browser, running] = await Promise.all([
    launchBrowser(),
    startReady({ ...ADMIN_SETTINGS, CACHE_TTL: '4s', SEARXNG_URLS: await listen(instance) }),
  ]);
});
afterAll(async () => {
  await browser.close();
  await running.program.stop();
});

/** Somebody with an account, whose browser has the cookie of a sign-in. */
async function visitAs({ cookie }: { cookie: string }, path = '/'): Promise<Visitor> {
  const visitor = await browser.visit();
  await visitor.context.addCookies(cookiesOf(cookie));
  await visitor.page.goto(running.url + path);
  return visitor;
}

function cookiesOf(cookie: string): { name: string; value: string; url: string }[] {
  return cookie.split('; ').map((pair) => {
    const at = pair.indexOf('=');
    return { name: pair.slice(0, at), value: pair.slice(at + 1), url: running.url };
  });
}

const summary = (page: Page) => page.locator('#summary');

describe('the page of results', () => {
  it('says whether they are live, kept, or old ones while newer cannot be had', async () => {
    const { page, errors, screenshot, close } = await visitAs(await accountOf(running.url), '/?q=near');
    await summary(page)
      .getByText(/^1 result in <?\d+\.\d+ s from SearXNG$/)
      .waitFor();

    await page.reload();
    await summary(page)
      .getByText(/^1 result from SearXNG, found (just now|\d+ seconds? ago)$/)
      .waitFor();
    await screenshot('kept');

    isDown = true;
    await expect
      .poll(
        async () => {
          await page.reload();
          await summary(page)
            .getByText(/SearXNG/)
            .waitFor();
          return summary(page).textContent();
        },
        { timeout: 20_000, interval: 500 },
      )
      .toMatch(/^1 result from SearXNG, found \d+ seconds? ago, newer ones cannot be had at the moment$/);
    await screenshot('stale');
    await page.goto(`${running.url}/?q=express`);
    await summary(page)
      .getByText(/from this machine, as a fallback/)
      .waitFor();
    await page.reload();
    await summary(page)
      .getByText(/from this machine, as a fallback, found (just now|\d+ seconds? ago)$/)
      .waitFor();
    // The instance, had it answered, might have found something.
    await page.goto(`${running.url}/?q=qqzzxxyyqq`);
    const nothing = 'Nothing found for “qqzzxxyyqq” by this machine, as a fallback';
    await summary(page).getByText(nothing, { exact: true }).waitFor();
    await page.reload();
    await summary(page)
      .getByText(new RegExp(`^${nothing}, asked (just now|\\d+ seconds? ago)$`))
      .waitFor();
    isDown = false;
    expect(errors).toEqual([]);
    await close();
  }, 60_000);
});

describe('operations', () => {
  it('are there for admins alone', async () => {
    const { page, close } = await visitAs(await accountOf(running.url), '/#operations');
    await page.getByRole('heading', { name: 'Search what is here' }).waitFor();
    expect(await page.getByRole('link', { name: 'Operations' }).isVisible()).toBe(false);
    await close();
  });

  it('are shown no more once somebody else is signed in there', async () => {
    const { page, context, close } = await visitAs(await adminOf(running.url), '/#operations');
    await page.locator('#limits li').first().waitFor();
    const { cookie, email } = await accountOf(running.url);
    await context.clearCookies();
    await context.addCookies(cookiesOf(cookie));
    await page.getByRole('link', { name: email }).waitFor();
    expect(await page.locator('#operations').isVisible()).toBe(false);
    expect(await page.getByRole('link', { name: 'Operations' }).isVisible()).toBe(false);
    await close();
  });

  it('show how it stands, and let an admin forget what is kept', async () => {
    const somebody = await accountOf(running.url);
    const ask = () => fetch(`${running.url}/api/v1/search?q=again`, { headers: somebody.bearer });
    await ask();
    await ask();
    const { page, errors, screenshot, close } = await visitAs(await adminOf(running.url));
    await page.getByRole('link', { name: 'Operations' }).click();
    await page.getByRole('heading', { name: 'Kept answers' }).waitFor();
    const text = (id: string) => page.locator(id).innerText();
    await expect.poll(() => text('#cache-figures')).toMatch(/Hit rate\s+\d+(\.\d)?%/);
    expect(await text('#upstreams')).toMatch(/searxng/);
    // The instance failed a moment ago.
    await expect.poll(() => text('#verdict')).toMatch(/^All is well$|is not well|fails/);
    // The second reading, two seconds later, is the first that can be drawn.
    await expect
      .poll(() => text('#plots'), { timeout: 10_000 })
      .toMatch(/Requests\s+[\d.]+ a second[\s\S]*Memory\s+\d+/);
    await page.getByRole('button', { name: 'Send a test message' }).click();
    await page.getByText('log: sent').waitFor();
    expect(await text('#parts')).toMatch(/Postgres[\s\S]*Redis[\s\S]*search/);
    expect(await text('#limits')).toMatch(/login/);
    await expect.poll(() => text('#deprecations')).toContain(`${somebody.id}: /api/v1/search`);
    for (let count = 0; count < 20; count += 1) await ask();
    await expect.poll(() => text('#plots'), { timeout: 10_000 }).toMatch(/Answers that were kept\s+\d/);
    await screenshot('operations');

    await page.getByLabel('Which').fill('no path');
    await page.getByLabel('Forget by').selectOption('prefix');
    await page.getByRole('button', { name: 'Forget them' }).click();
    await page.getByText(/must (be|have)/).waitFor();
    await page.getByLabel('Forget by').selectOption('tag');
    await page.getByLabel('Which').fill('search');
    await page.keyboard.press('Enter');
    await page.getByText('What was kept by the tag search is forgotten.').waitFor();
    expect((await ask()).headers.get('cache-status')).toMatch(/^signalbox; fwd=uri-miss/);
    expect(errors.filter((error) => !error.includes('422'))).toEqual([]);
    await close();
  });

  it('are where the first link leads that a keyboard comes to', async () => {
    const { page, close } = await visitAs(await adminOf(running.url), '/#operations');
    await page.locator('#limits li').first().waitFor();
    await page.locator('.skip').focus();
    await page.keyboard.press('Enter');
    expect(await page.evaluate('document.activeElement.id')).toBe('operations');
    expect(await page.getByRole('heading', { name: 'Kept answers' }).isVisible()).toBe(true);
    await close();
  });

  it('are read out when they change, and not every few seconds', async () => {
    const { page, close } = await visitAs(await adminOf(running.url));
    const late = 'nodejs_eventloop_lag_p99_seconds';
    let reading = 0;
    await page.route('**/admin/metrics', (route) =>
      route.fulfill({ body: `${late} 0.2${(reading += 1)}\n` }),
    );
    await page.getByRole('link', { name: 'Operations' }).click();
    await page.locator('#verdict').getByText('Delay of the event loop').waitFor();
    const texts = await page.evaluate<string[]>(`new Promise((resolve) => {
      const verdict = document.getElementById('verdict');
      const texts = [verdict.textContent];
      new MutationObserver(() => texts.push(verdict.textContent)).observe(verdict, { childList: true });
      setTimeout(() => resolve(texts), 5_000);
    })`);
    // A busy machine is not well for a moment.
    const words = texts.map((text) => text.replaceAll(/[\d.]+/g, ''));
    expect(words.filter((text, place) => text === words[place - 1])).toEqual([]);
    await close();
  });

  it('are readable on a phone', async () => {
    const { page, context, screenshot, close } = await visitAs(await adminOf(running.url));
    await page.setViewportSize({ width: 360, height: 740 });
    await page.goto(`${running.url}/#operations`);
    await page.getByRole('heading', { name: 'Kept answers' }).waitFor();
    await page.locator('#limits li').first().waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);
    await screenshot('operations-phone');
    expect(context.pages()).toHaveLength(1);
    await close();
  });

  it('do not say that all is well once nobody answers', async () => {
    const { page, close } = await visitAs(await adminOf(running.url));
    await page.getByRole('link', { name: 'Operations' }).click();
    await page.locator('#limits li').first().waitFor();
    await running.program.kill();
    await page.getByText('It cannot be seen how it stands').waitFor();
    await close();
  });
});
