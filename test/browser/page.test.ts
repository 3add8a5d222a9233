import { createServer } from 'node:http';
import { listen } from '@signalbox/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser, type TestBrowser } from '../support/browser.js';
import {
  startReady,
  startOrchestrator,
  WITHOUT_ACCOUNTS,
  type RunningOrchestrator,
} from '../support/orchestrator.js';

let browser: TestBrowser;
let running: RunningOrchestrator;

beforeAll(async () => {
  [browser, running] = await Promise.all([launchBrowser(), startReady()]);
});
afterAll(async () => {
  await browser.close();
  await running.program.stop();
});

describe('the page', () => {
  it('searches, and shows results, timing and source', async () => {
    const { page, errors, screenshot, close } = await browser.visitAsGuest(running.url);
    await page.getByRole('heading', { name: 'Search what is here' }).waitFor();
    // A busy machine is not well for a moment; the page asks every 15 s.
    await page.getByText('All well').waitFor({ timeout: 30_000 });
    await screenshot('start');

    await page.getByRole('searchbox').fill('express middleware');
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: 'express', exact: true }).first().waitFor();

    expect(await page.getByRole('status').textContent()).toMatch(
      /^\d+ results in <?\d+\.\d+ s from this machine$/,
    );
    expect(await page.title()).toBe('express middleware – Signalbox search');
    expect(new URL(page.url()).searchParams.get('q')).toBe('express middleware');
    expect(await page.locator('.result').count()).toBe(10);
    expect(await page.locator('.result mark').count()).toBeGreaterThan(5);
    await screenshot('results');
    expect(errors).toEqual([]);
    await close();
  }, 60_000);

  it('is used by keyboard alone', async () => {
    const { page, close } = await browser.visitAsGuest(`${running.url}/?q=node`);
    await page.locator('.result').first().waitFor();

    await page.keyboard.press('/');
    expect(await page.evaluate('document.activeElement.id')).toBe('q');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    const second = await page.locator('.result h2 a').nth(1).textContent();
    expect(await page.evaluate('document.activeElement.textContent')).toBe(second);
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('ArrowUp');
    expect(await page.evaluate('document.activeElement.id')).toBe('q');

    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.url()));
    await page.locator('.skip').focus();
    await page.keyboard.press('Enter');
    expect(await page.evaluate('document.activeElement.id')).toBe('results');
    await page.locator('.result').first().waitFor();
    expect(asked.filter((url) => url.includes('/search'))).toEqual([]);
    await close();
  });

  it('leaves the arrows to whoever composes a word, as in Japanese', async () => {
    const { page, context, close } = await browser.visitAsGuest(`${running.url}/?q=node`);
    await page.locator('.result').first().waitFor();
    await page.getByRole('searchbox').fill('');
    const devtools = await context.newCDPSession(page);
    await devtools.send('Input.imeSetComposition', { text: 'にほん', selectionStart: 3, selectionEnd: 3 });
    await page.keyboard.press('ArrowDown');
    expect(await page.evaluate('document.activeElement.id')).toBe('q');
    await close();
  });

  it('goes through pages, and back', async () => {
    const { page, errors, close } = await browser.visitAsGuest(`${running.url}/?q=node`);
    const first = await page.locator('.result h2').first().textContent();

    await page.getByRole('link', { name: 'Next →' }).click();
    await page.getByText(/^Page 2 of/).waitFor();
    expect(await page.locator('.result h2').first().textContent()).not.toBe(first);
    await page.goBack();
    await page.getByText(/^Page 1 of/).waitFor();
    expect(await page.locator('.result h2').first().textContent()).toBe(first);
    expect(errors).toEqual([]);
    await close();
  });

  it('says so where there is no such page, and leads back to the last one', async () => {
    const { page, close } = await browser.visitAsGuest(`${running.url}/?q=node&page=99`);
    await page.getByText(/^There is no page 99: \d+ results on \d+ pages\.$/).waitFor();
    await page.getByRole('link', { name: '← Previous' }).click();
    await page.getByText(/^Page (\d+) of \1$/).waitFor();
    await page.locator('.result').first().waitFor();
    await close();
  });

  it('says so where there are no more results, whatever an instance says that there are', async () => {
    const instance = createServer((req, res) => {
      if (!req.url?.startsWith('/search')) return void res.end('OK');
      const page = new URL(req.url, 'http://instance').searchParams.get('pageno') ?? '1';
      const results = Array.from({ length: 10 }, (_, place) => ({
        url: `https://a.example/${page}/${place}`,
        title: 'From afar',
        content: 'x',
      }));
      res.setHeader('Content-Type', 'application/json');
      res.end(JSON.stringify({ results, number_of_results: 4_200 }));
    });
    const boasting = await startReady({ ...WITHOUT_ACCOUNTS, SEARXNG_URLS: await listen(instance) });
    const { page, close } = await browser.visitAsGuest(`${boasting.url}/?q=ships&page=6`);
    await page.getByText('There is no page 6: 50 results on 5 pages.').waitFor();
    await page.getByRole('link', { name: '← Previous' }).click();
    await page.getByText('Page 5 of 5').waitFor();
    await page.locator('.result').first().waitFor();
    await close();
    await boasting.program.stop();
  }, 60_000);

  it('says so when nothing is found', async () => {
    const { page, screenshot, close } = await browser.visitAsGuest(`${running.url}/?q=qqzzxxyyqq`);
    await page.getByText('Nothing found for “qqzzxxyyqq”.').waitFor();
    await screenshot('nothing');
    await close();
  });

  it('shows text as text', async () => {
    const { page, errors, close } = await browser.visitAsGuest(
      `${running.url}/?q=${encodeURIComponent('<img src=x onerror=alert(1)>')}`,
    );
    await page
      .getByRole('status')
      .filter({ hasText: /result|found/i })
      .waitFor();
    expect(await page.locator('main img').count()).toBe(0);
    expect(errors).toEqual([]);
    await close();
  });

  it('shows that it waits, then what failed, and tries again', async () => {
    let fail = true;
    const instance = createServer((req, res) => {
      if (!req.url?.startsWith('/search?q=express')) return void res.end('OK');
      if (fail) return void setTimeout(() => res.writeHead(500).end(), 600);
      res.setHeader('Content-Type', 'application/json');
      res.end(
        JSON.stringify({ results: [{ url: 'https://a.example/', title: 'Here again', content: 'x' }] }),
      );
    });
    const fragile = await startOrchestrator({
      ...WITHOUT_ACCOUNTS,
      SEARXNG_URLS: await listen(instance),
      EMBEDDED_FALLBACK: 'off',
    });
    const { page, screenshot, close } = await browser.visitAsGuest(`${fragile.url}/?q=express`);

    await page.getByText('Searching…').waitFor();
    await screenshot('loading');
    await page.getByRole('alert').getByRole('heading').waitFor();
    await screenshot('failed');
    // Soon the instance, which has failed too often, is not asked any more.
    for (let tries = 0; tries < 4; tries += 1) {
      await page.getByRole('button', { name: 'Try again' }).click();
      await page.getByRole('alert').getByRole('heading', { name: 'No engine answered' }).waitFor();
    }
    fail = false;
    await expect
      .poll(
        async () => {
          const again = page.getByRole('button', { name: 'Try again' });
          if (await again.isVisible()) await again.click();
          return page.getByText('Here again').isVisible();
        },
        { timeout: 30_000, interval: 500 },
      )
      .toBe(true);
    await close();
    await fragile.program.stop();
  }, 60_000);

  it('says so when an answer breaks off', async () => {
    const { page, close } = await browser.visitAsGuest(running.url);
    await page.route(/\/(api\/v2\/search|auth\/sessions)/, (route) =>
      route.fulfill({ status: 200, contentType: 'application/json', body: '{"data":[{"title":"No' }),
    );
    await page.goto(`${running.url}/?q=node`);
    await page.locator('#notice').getByText('The answer broke off. Try again.').waitFor();
    await page.getByRole('link', { name: 'Guest' }).click();
    await page.locator('#account-said').getByText('The answer broke off. Try again.').waitFor();
    await close();
  });

  it('says so when the server is gone', async () => {
    const gone = await startOrchestrator(WITHOUT_ACCOUNTS);
    const { page, screenshot, close } = await browser.visitAsGuest(gone.url);
    await gone.program.kill();

    await page.getByRole('searchbox').fill('express');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'No connection' }).waitFor();
    await screenshot('offline');
    await close();
  });

  it.each([
    ['narrow', { viewport: { width: 360, height: 740 } }],
    ['dark', { colorScheme: 'dark' as const, viewport: { width: 1280, height: 900 } }],
    ['wide', { viewport: { width: 1920, height: 1080 } }],
  ])('fits: %s', async (name, options) => {
    const { page, errors, screenshot, close } = await browser.visitAsGuest(
      `${running.url}/?q=express+middleware`,
      options,
    );
    await page.locator('.result').first().waitFor();

    expect(
      await page.evaluate('document.documentElement.scrollWidth <= document.documentElement.clientWidth'),
    ).toBe(true);
    await screenshot(name);
    expect(errors).toEqual([]);
    await close();
  });

  it('fits on a phone, however long the words are that are searched for, found and suggested', async () => {
    const word = 'w'.repeat(300);
    const instance = createServer((req, res) => {
      if (!req.url?.startsWith('/search')) return void res.end('OK');
      const results = [{ url: `https://a.example/${word}`, title: word, content: word }];
      res.setHeader('Content-Type', 'application/json');
      res.end(JSON.stringify({ results: req.url.includes('none') ? [] : results, suggestions: [word] }));
    });
    const wordy = await startReady({ ...WITHOUT_ACCOUNTS, SEARXNG_URLS: await listen(instance) });
    const { page, close } = await browser.visitAsGuest(`${wordy.url}/?q=one`, {
      viewport: { width: 360, height: 740 },
    });
    const width = () => page.evaluate('document.documentElement.scrollWidth');
    await page.locator('.result').first().waitFor();
    expect(await width()).toBeLessThanOrEqual(360);
    await page.goto(`${wordy.url}/?q=none${word}`);
    await page.getByText(/^Nothing found for/).waitFor();
    expect(await width()).toBeLessThanOrEqual(360);
    await close();
    await wordy.program.stop();
  }, 60_000);

  it('has each text run in its own direction, and none turn others around', async () => {
    const turned = '\u{202E}';
    const instance = createServer((req, res) => {
      if (!req.url?.startsWith('/search')) return void res.end('OK');
      const results = [
        { url: `https://a.example/${turned}moc.knab//:sptth`, title: 'שלום!', content: 'שלום!' },
      ];
      res.setHeader('Content-Type', 'application/json');
      res.end(JSON.stringify({ results, suggestions: [`${turned}one`, 'two'] }));
    });
    const mixed = await startReady({ ...WITHOUT_ACCOUNTS, SEARXNG_URLS: await listen(instance) });
    const { page, close } = await browser.visitAsGuest(`${mixed.url}/?q=${encodeURIComponent('שלום עולם')}`);
    await page.locator('.result').waitFor();
    expect(await page.locator('.address').textContent()).toBe('a.example/%E2%80%AEmoc.knab//:sptth');
    const directions = `['#q', '.result h2 a', '.passage'].map((part) => getComputedStyle(document.querySelector(part)).direction)`;
    expect(await page.evaluate(directions)).toEqual(['rtl', 'rtl', 'rtl']);
    const [one, two] = await page.locator('.suggestions a').all();
    expect((await one?.boundingBox())?.x).toBeLessThan((await two?.boundingBox())?.x ?? 0);
    await close();
    await mixed.program.stop();
  }, 60_000);

  it('has names for what can be used, and text that can be read on its ground', async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      const { page, close } = await browser.visitAsGuest(`${running.url}/?q=express`, { colorScheme });
      await page.locator('.result').first().waitFor();
      expect(await page.evaluate(UNNAMED), colorScheme).toEqual([]);
      expect(await page.evaluate(FAINT), colorScheme).toEqual([]);
      await close();
    }
  });

  it('says in words that a limit is reached, for how long, and when it is over', async () => {
    const limited = await startReady({ RATE_SEARCH: '2/6s' });
    try {
      const { page, errors, screenshot, close } = await browser.visitAsGuest(`${limited.url}/?q=one`);
      await page.locator('.result').first().waitFor();
      for (const word of ['two', 'three']) {
        await page.getByRole('searchbox').fill(word);
        await page.keyboard.press('Enter');
      }
      await page.getByRole('heading', { name: 'Too many searches' }).waitFor();
      const notice = page.getByRole('alert');
      expect(await notice.textContent()).toContain('The limit of 2 searches in 6 seconds is reached.');
      expect(await notice.textContent()).toMatch(/You can search again in \d seconds?\./);
      expect(await page.getByRole('button', { name: 'Try again' }).isDisabled()).toBe(true);
      await screenshot('limit');

      await page.getByText('You can search again now.').waitFor();
      await page.getByRole('button', { name: 'Try again' }).click();
      await page.locator('.result').first().waitFor();
      expect(await notice.isVisible()).toBe(false);
      // The browser itself notes the 429.
      expect(errors.filter((error) => !error.includes('429'))).toEqual([]);
      await close();
    } finally {
      await limited.program.stop();
    }
  }, 40_000);
});

/** Links, buttons and fields without a name for a screen reader. */
const UNNAMED = `[...document.querySelectorAll('a[href], button, input')]
  .filter((element) => !(element.ariaLabel || element.textContent.trim() || element.labels?.length))
  .map((element) => element.outerHTML)`;

/** Texts whose contrast with the ground behind them is below WCAG 2.2's 4.5 : 1 (success criterion 1.4.3). */
const FAINT = `(() => {
  const light = (color) => {
    const [r, g, b] = color.match(/[\\d.]+/g).slice(0, 3).map((part) => {
      const c = part / 255;
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const { backgroundColor } = getComputedStyle(at);
      if (!/, 0\\)$|transparent/.test(backgroundColor)) return backgroundColor;
    }
    return 'rgb(255, 255, 255)';
  };
  return [...document.querySelectorAll('body *')]
    .filter((element) => element.checkVisibility() && [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
    .map((element) => {
      const [a, b] = [light(getComputedStyle(element).color), light(ground(element))].sort((x, y) => y - x);
      return { text: element.textContent.slice(0, 30), contrast: (a + 0.05) / (b + 0.05) };
    })
    .filter(({ contrast }) => contrast < 4.5);
})()`;
