import { createServer } from 'node:http';
import { connect, createServer as createRelay } from 'node:net';
import { externalEmitter } from '@signalbox/emitter';
import { connectRedis } from '@signalbox/redis';
import { freePort, listen } from '@signalbox/testing';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { launchBrowser, type TestBrowser } from '../support/browser.js';
import { guestOf } from '../support/identity.js';
import { balancer, startNginx, type NginxServer } from '../support/nginx.js';
import { startOrchestrator, type RunningOrchestrator } from '../support/orchestrator.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { startRedis, type RedisServer } from '../support/redis.js';

const QUERY = 'trains';

let browser: TestBrowser;
let redis: RedisServer;
let postgres: PostgresServer;
let nodes: RunningOrchestrator[];
let nginx: NginxServer;
/** Each lets the instance answer a search. */
const waiting: (() => void)[] = [];

beforeAll(async () => {
  const instance = createServer((req, res) => {
    if (!req.url?.includes(`q=${QUERY}`)) return void res.end('OK');
    waiting.push(() => {
      const results = [{ url: 'https://a.example/', title: 'From afar', content: 'x' }];
      res.setHeader('Content-Type', 'application/json').end(JSON.stringify({ results }));
    });
  });
  [browser, redis, postgres] = await Promise.all([launchBrowser(), startRedis(), startPostgres()]);
  const settings = {
    SECRET_KEYS: 'one secret for all processes of this test',
    REDIS_URL: redis.url,
    DATABASE_URL: postgres.url,
    SEARXNG_URLS: await listen(instance),
    TRUST_PROXY: 'loopback',
  };
  nodes = [await startOrchestrator(settings), await startOrchestrator(settings)];
  const urls = nodes.map(({ url }) => url);
  nginx = await startNginx(({ port }) => balancer(urls, port, { failSeconds: 30 }));
}, 120_000);
afterAll(async () => {
  await browser.close();
  await nginx.stop();
  await Promise.all(nodes.map(({ program }) => program.stop()));
  await Promise.all([redis.stop(), postgres.stop()]);
});

/** nginx, as somebody at this address sees it. */
async function nginxFrom(address: string): Promise<string> {
  const relay = createRelay((client) => {
    const up = connect({ host: '127.0.0.1', port: nginx.port, localAddress: address });
    client.on('error', () => up.destroy()).on('close', () => up.destroy());
    up.on('error', () => client.destroy()).on('close', () => client.destroy());
    client.pipe(up).pipe(client);
  });
  const port = await freePort();
  await new Promise<void>((resolve) => relay.listen(port, '127.0.0.1', resolve));
  onTestFinished(() => void relay.close());
  return `http://127.0.0.1:${port}`;
}

/** Whom nginx leads to each of the nodes. */
async function oneForEach(): Promise<string[]> {
  const found: string[] = [];
  for (let index = 1; found.filter(Boolean).length < 2 && index < 60; index += 1) {
    const url = await nginxFrom(`127.0.${index}.1`);
    const headers = await guestOf(url);
    const before = nodes.map((node) => node.log().length);
    await fetch(`${url}/api/v2/me`, { headers });
    const at = nodes.findIndex((node, index) => node.log().length > (before[index] ?? 0));
    if (at !== -1) found[at] ??= url;
  }
  return found;
}

describe('two browsers on two nodes behind nginx', () => {
  it('are told the same, and who was at the node that is killed gets the results at the other', async () => {
    const places = await oneForEach();
    expect(places).toHaveLength(2);
    const visitors = await Promise.all(places.map((url) => browser.visitAsGuest(url)));
    for (const { page } of visitors) await page.getByText('Live', { exact: true }).waitFor();

    const link = connectRedis(redis.url);
    const emitter = externalEmitter({ redis: link });
    onTestFinished(async () => {
      await emitter.close();
      await link.close();
    });
    await emitter.emitSystemAlert('info', 'The node at the left is about to be killed');
    await Promise.all(visitors.map(({ page }) => page.getByText('The node at the left').waitFor()));

    const [left] = visitors;
    await left?.page.getByRole('searchbox').fill(QUERY);
    await left?.page.keyboard.press('Enter');
    await left?.page.getByText('Asking SearXNG…').waitFor();
    await nodes[0]?.program.kill();
    await left?.page.getByText('Reconnecting…').waitFor();
    // The other node goes on with the search, and asks the instance again.
    await expect.poll(() => waiting.length, { timeout: 20_000 }).toBe(2);
    for (const answer of waiting) answer();
    await left?.page.getByText('Live', { exact: true }).waitFor();
    await left?.page.getByRole('link', { name: 'From afar' }).waitFor();
    await left?.screenshot('two-nodes');
    expect(visitors[1]?.errors).toEqual([]);
    for (const { close } of visitors) await close();
  }, 90_000);
});
