import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser, type TestBrowser } from './browser.js';
import { checkNginx, startNginx } from './nginx.js';
import { startPostgres } from './postgres.js';
import { startSearx } from './searx.js';

/** Real programs on a machine that may be busy. */
const patience = { timeout: 60_000 };

const pages: Record<string, string> = {
  '/': '<!doctype html><title>Fine</title><h1>Fine</h1>',
  '/broken': '<!doctype html><script>console.error("said so"); nowhere()</script>',
};

let server: Server;
let url = '';

beforeAll(async () => {
  server = createServer((req, res) => {
    const page = pages[req.url ?? ''];
    res.writeHead(page === undefined ? 404 : 200, { 'content-type': 'text/html' }).end(page);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());

describe('startNginx', patience, () => {
  it('serves by the configuration that it is given, and leaves nothing behind', async () => {
    const nginx = await startNginx(
      ({ port }) => `server { listen 127.0.0.1:${port}; location / { proxy_pass ${url}; } }`,
    );
    const response = await fetch(nginx.url);
    expect(response.headers.get('server')).toMatch(/^nginx/);
    expect(await response.text()).toContain('Fine');
    await nginx.stop();
    await expect(fetch(nginx.url)).rejects.toThrow('fetch failed');
    expect(existsSync(nginx.folder)).toBe(false);
  });

  it("refuses a wrong configuration in nginx's own words", async () => {
    await expect(startNginx(() => 'nonsense on;')).rejects.toThrow(/unknown directive "nonsense"/);
    await expect(checkNginx('server { listen; }')).rejects.toThrow(/invalid number of arguments in "listen"/);
    await checkNginx('server { listen 127.0.0.1:8080; }');
  });
});

describe('startPostgres', patience, () => {
  it('takes connections on a free port, and again with its data after it was killed', async () => {
    const postgres = await startPostgres({ settings: { max_connections: '7' } });
    expect(await sayHello(postgres.port)).toBe('R');
    await postgres.restart();
    expect(await sayHello(postgres.port)).toBe('R');
    expect(postgres.output()).toContain('was interrupted');
    await postgres.stop();
    await expect(sayHello(postgres.port)).rejects.toThrow('ECONNREFUSED');
  });
});

/** The first byte of the answer to a startup message; `R` asks for nothing more or for a password. */
function sayHello(port: number): Promise<string> {
  const parameters = 'user\0postgres\0database\0postgres\0\0';
  const message = Buffer.alloc(8 + parameters.length);
  message.writeInt32BE(message.length, 0);
  message.writeInt32BE(196_608, 4);
  message.write(parameters, 8, 'latin1');
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(message));
    socket.once('error', reject);
    socket.once('data', (answer) => {
      resolve(answer.toString('latin1', 0, 1));
      socket.destroy();
    });
  });
}

describe('launchBrowser', patience, () => {
  let browser: TestBrowser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser.close());

  it('opens a page and takes a picture of it', async () => {
    const visitor = await browser.visit(`${url}/`);
    expect(await visitor.page.title()).toBe('Fine');
    expect(existsSync(await visitor.screenshot('support-test'))).toBe(true);
    // The icon that every browser asks for by itself.
    expect(visitor.errors.filter((error) => !error.includes('404'))).toEqual([]);
    await visitor.close();
  });

  it('collects what goes wrong in a page', async () => {
    const visitor = await browser.visit(`${url}/broken`);
    expect(visitor.errors).toContain('console: said so');
    expect(visitor.errors).toContain('uncaught: nowhere is not defined');
    await visitor.close();
  });

  it('gives every visitor cookies of their own', async () => {
    const one = await browser.visit(`${url}/`);
    const two = await browser.visit(`${url}/`);
    await one.page.evaluate('document.cookie = "who=one"');
    expect(await one.page.evaluate('document.cookie')).toBe('who=one');
    expect(await two.page.evaluate('document.cookie')).toBe('');
    await Promise.all([one.close(), two.close()]);
  });
});

describe('startSearx', patience, () => {
  it('finds its documents and answers as JSON', async () => {
    const searx = await startSearx({
      documents: [{ title: 'On trains', url: 'https://example.com/trains', content: 'Signals and boxes' }],
    });
    expect(await (await fetch(`${searx.url}/healthz`)).text()).toBe('OK');
    const answer = await fetch(`${searx.url}/search?q=boxes&format=json`);
    expect(await answer.json()).toMatchObject({
      query: 'boxes',
      results: [{ title: 'On trains', url: 'https://example.com/trains', content: 'Signals and boxes' }],
    });
    await searx.stop();
  });

  it('refuses JSON where it is off, as SearXNG does', async () => {
    const searx = await startSearx({ json: false });
    expect((await fetch(`${searx.url}/search?q=boxes&format=json`)).status).toBe(403);
    expect((await fetch(`${searx.url}/search?q=boxes`)).status).toBe(200);
    await searx.stop();
  });

  it('asks an engine of the test', async () => {
    const engine = createServer((_req, res) =>
      res.end(JSON.stringify({ items: [{ title: 'Live', link: 'https://example.com/live', text: 'now' }] })),
    );
    await new Promise<void>((resolve) => engine.listen(0, '127.0.0.1', resolve));
    const searx = await startSearx({
      documents: [],
      engineUrl: `http://127.0.0.1:${(engine.address() as AddressInfo).port}`,
    });
    const answer = await fetch(`${searx.url}/search?q=anything&format=json`);
    expect(await answer.json()).toMatchObject({ results: [{ title: 'Live', engine: 'local' }] });
    await searx.stop();
    engine.close();
  });
});
