import { createServer } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { externalEmitter } from '@signalbox/emitter';
import { connectRedis } from '@signalbox/redis';
import { listen } from '@signalbox/testing';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../support/eventually.js';
import { launchBrowser, type TestBrowser } from '../support/browser.js';
import {
  startReady,
  startOrchestrator,
  WITHOUT_ACCOUNTS,
  type RunningOrchestrator,
} from '../support/orchestrator.js';
import { startRedis, type RedisServer } from '../support/redis.js';

let browser: TestBrowser;
let redis: RedisServer;
let running: RunningOrchestrator;
let settings: Record<string, string>;
/** Whether the instance waits to be let. */
let isSlow = false;
/** Lets the instance answer. */
let answer: () => void = () => undefined;

beforeAll(async () => {
  const instance = createServer((req, res) => {
    if (!req.url?.startsWith('/search')) return void res.end('OK');
    answer = () => {
      answer = () => undefined;
      const title = req.url?.includes('q=near') ? 'From near' : 'From afar';
      const results = [{ url: 'https://a.example/', title, content: 'x' }];
      res.setHeader('Content-Type', 'application/json').end(JSON.stringify({ results }));
    };
    if (!isSlow) answer();
  });
  [browser, redis] = await Promise.all([launchBrowser(), startRedis()]);
  settings = {
    SECRET_KEYS: 'one secret for all processes of this test',
    REDIS_URL: redis.url,
    SEARXNG_URLS: await listen(instance),
  };
  running = await startReady(settings);
});
afterAll(async () => {
  await browser.close();
  await running.program.stop();
  await redis.stop();
});

describe('the page, live', () => {
  it('shows the stages of a search as they come, then its results', async () => {
    const { page, errors, screenshot, close } = await browser.visitAsGuest(running.url);
    await page.getByText('Live', { exact: true }).waitFor();
    isSlow = true;
    await page.getByRole('searchbox').fill('trains');
    await page.keyboard.press('Enter');
    await page.getByText('Asking SearXNG…').waitFor();
    expect(await page.getByRole('progressbar').isVisible()).toBe(true);
    await screenshot('progress');
    isSlow = false;
    answer();
    await page.getByRole('link', { name: 'From afar' }).waitFor();
    expect(await page.getByRole('status').first().textContent()).toMatch(
      /^1 result in <?\d+\.\d+ s from SearXNG$/,
    );
    expect(await page.getByRole('progressbar').isVisible()).toBe(false);
    expect(errors).toEqual([]);
    await close();
  });

  it('is not said to search any more where something else is shown', async () => {
    const { page, close } = await browser.visitAsGuest(running.url);
    await page.getByText('Live', { exact: true }).waitFor();
    isSlow = true;
    await page.getByRole('searchbox').fill('ships');
    await page.keyboard.press('Enter');
    await page.getByText('Asking SearXNG…').waitFor();
    await page.getByRole('link', { name: 'Guest' }).click();
    await page.getByRole('heading', { name: 'You are here as a guest' }).waitFor();
    await page.evaluate('new Promise((resolve) => setTimeout(resolve))');
    expect(await page.locator('#progress').isVisible()).toBe(false);
    isSlow = false;
    answer();
    await close();
  });

  it('shows what the address bar asks for, however late an earlier search was begun', async () => {
    const { page, context, close } = await browser.visit();
    await context.request.post(`${running.url}/auth/guest`);
    const late: (() => void)[] = [];
    await page.routeWebSocket(/socket\.io/, (socket) => {
      const server = socket.connectToServer();
      server.onMessage((message) => {
        // The answer to an event that the page has sent.
        if (String(message).startsWith('43')) late.push(() => socket.send(message));
        else socket.send(message);
      });
    });
    await page.goto(`${running.url}/?q=near`);
    await page.getByRole('link', { name: 'From near' }).waitFor();
    await page.getByText('Live', { exact: true }).waitFor();
    await page.getByRole('searchbox').fill('planes');
    const again = page.waitForResponse((response) => response.url().includes('q=near'));
    // Back at once, before the other search shows that it waits.
    await page.evaluate("document.querySelector('#search').requestSubmit(); history.back()");
    await again;
    await expect.poll(() => late.length).toBe(1);
    // Longer than it takes until a search shows that it waits, and than an answer takes to be shown.
    await wait(500);
    expect(await page.getByRole('link', { name: 'From near' }).isVisible()).toBe(true);
    late[0]?.();
    await wait(500);
    expect(await page.getByRole('link', { name: 'From near' }).isVisible()).toBe(true);
    await close();
  });

  it('says so when the connection is lost before a search has begun', async () => {
    const { page, context, close } = await browser.visit();
    await context.request.post(`${running.url}/auth/guest`);
    const open: { close: () => unknown }[] = [];
    let isLost = false;
    const lost: unknown[] = [];
    await page.routeWebSocket(/socket\.io/, (socket) => {
      const server = socket.connectToServer();
      open.push(socket);
      socket.onMessage((message) => {
        if (isLost) lost.push(message);
        else server.send(message);
      });
    });
    await page.goto(running.url);
    await page.getByText('Live', { exact: true }).waitFor();
    isLost = true;
    await page.getByRole('searchbox').fill('rafts');
    await page.keyboard.press('Enter');
    await expect.poll(() => lost.length).toBeGreaterThan(0);
    for (const socket of open) await socket.close();
    await page.getByText('No connection').waitFor();
    isLost = false;
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('link', { name: 'From afar' }).waitFor();
    await close();
  });

  it('shows alerts, and what is done in the background, as they come', async () => {
    const { page, errors, screenshot, close } = await browser.visitAsGuest(running.url);
    await page.getByText('Live', { exact: true }).waitFor();
    const link = connectRedis(redis.url);
    const emitter = externalEmitter({ redis: link });
    onTestFinished(async () => {
      await emitter.close();
      await link.close();
    });
    await expect
      .poll(async () => {
        await emitter.emitSearchStatus('index of docs', 'progress', { progress: 0.4, resultsCount: 12 });
        return page.getByText('index of docs: under way, 40 %, 12 so far').isVisible();
      })
      .toBe(true);
    await emitter.emitSystemAlert('warning', 'The instances are updated at noon <b>today</b>');
    await page.getByText('The instances are updated at noon <b>today</b>').waitFor();
    await screenshot('alert');
    await page.getByRole('button', { name: 'Close' }).click();
    expect(await page.getByText('The instances are updated').isVisible()).toBe(false);
    expect(errors).toEqual([]);
    await close();
  });

  it('tells the truth about its connection, and goes on where it was', async () => {
    const { page, close } = await browser.visitAsGuest(running.url);
    await page.getByText('Live', { exact: true }).waitFor();
    isSlow = true;
    await page.getByRole('searchbox').fill('boats');
    await page.keyboard.press('Enter');
    await page.getByText('Asking SearXNG…').waitFor();
    const { port } = new URL(running.url);
    await running.program.kill();
    await page.getByText('Reconnecting…').waitFor();
    isSlow = false;
    running = await startOrchestrator({ ...settings, PORT: port });
    await page.getByText('Live', { exact: true }).waitFor();
    await page.getByRole('link', { name: 'From afar' }).waitFor();
    await close();
  }, 60_000);

  it('asks who is here when the server that it comes back to does not know', async () => {
    const forgetful = await startOrchestrator(WITHOUT_ACCOUNTS);
    const { page, close } = await browser.visitAsGuest(forgetful.url);
    await page.getByText('Live', { exact: true }).waitFor();
    const { port } = new URL(forgetful.url);
    await forgetful.program.kill();
    const next = await startOrchestrator({ ...WITHOUT_ACCOUNTS, PORT: port });
    onTestFinished(async () => void (await next.program.stop()));
    await page.getByRole('button', { name: 'Sign in', exact: true }).waitFor();
    expect(await page.getByRole('link', { name: 'Guest' }).isVisible()).toBe(false);
    await close();
  }, 60_000);

  it('is not live any more when one has signed out', async () => {
    const { page, close } = await browser.visitAsGuest(running.url);
    await page.getByText('Live', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('button', { name: 'Sign in' }).waitFor();
    expect(await page.getByText('Live', { exact: true }).isVisible()).toBe(false);
    await close();
  });

  it('stays so when Redis was gone for a while, and comes back where the server was, too', async () => {
    const { page, close } = await browser.visitAsGuest(running.url);
    const isLive = page.getByText('Live', { exact: true });
    await isLive.waitFor();
    redis.pause();
    // Until the connection on which sign-outs are heard is given up.
    await wait(6_000);
    redis.resume();
    await eventually(() => JSON.stringify(running.log()).includes('realtime runs as it should'), 10_000);
    await wait(3_000);
    expect(await isLive.isVisible()).toBe(true);

    redis.pause();
    await running.program.kill();
    running = await startOrchestrator({ ...settings, PORT: new URL(running.url).port });
    await page.getByText('Reconnecting…').waitFor();
    // It reached the server, which could not know who it is.
    await eventually(() => JSON.stringify(running.log()).includes('sessions runs degraded'), 15_000);
    await wait(1_000);
    redis.resume();
    await isLive.waitFor();
    await close();
  }, 90_000);
});
