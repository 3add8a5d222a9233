import { createServer, type RequestListener } from 'node:http';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { listen } from '@signalbox/testing';
import {
  afterAll,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  onTestFinished,
  type TestContext,
} from 'vitest';
import { guestOf } from '../support/identity.js';
import { startOrchestrator, WITHOUT_ACCOUNTS, type RunningOrchestrator } from '../support/orchestrator.js';
import { freePort } from '../support/ports.js';
import { startSearx, type SearxServer } from '../support/searx.js';

interface Meta {
  source: string;
  degraded: boolean;
  attempts: { source: string; outcome: string; code?: string; durationMs: number }[];
}

/** The declared deadline of a search, and what the way there and back may add. */
const DEADLINE_MS = 10_000 + 500;

async function searched(
  url: string,
  q = 'express',
): Promise<{ status: number; meta: Meta; titles: string[] }> {
  const response = await fetch(`${url}/api/v1/search?q=${q}`, {
    headers: await guestOf(url),
    signal: AbortSignal.timeout(DEADLINE_MS),
  });
  const body = (await response.json()) as { meta: Meta; results: { title: string }[] };
  return { status: response.status, meta: body.meta, titles: body.results?.map(({ title }) => title) };
}

const good: RequestListener = (_req, res) => {
  res.setHeader('Content-Type', 'application/json');
  res.end(
    JSON.stringify({
      results: Array.from({ length: 12 }, (_, n) => ({
        url: `https://good.example/${n}`,
        title: `Good ${n}`,
        content: 'x',
      })),
    }),
  );
};

const megabyte = Buffer.alloc(1024 * 1024, 'x');
const bomb = gzipSync(Buffer.alloc(50 * 1024 * 1024));

/** What instances do that do not do what they should. */
const faults: Record<string, RequestListener> = {
  'answers 500': (_req, res) => res.writeHead(500).end(),
  'answers HTML': (_req, res) => res.writeHead(200, { 'Content-Type': 'text/html' }).end('<h1>Hello</h1>'),
  'answers garbage': (_req, res) =>
    res.writeHead(200, { 'Content-Type': 'application/json' }).end('{"results": ['),
  'answers another JSON': (_req, res) =>
    res.writeHead(200, { 'Content-Type': 'application/json' }).end('[1]'),
  'refuses JSON with 403': (_req, res) => res.writeHead(403).end(),
  'answers 50 MB': (_req, res) => {
    res.writeHead(200, { 'Content-Type': 'application/json' });
    let left = 50;
    const more = () => {
      while (left > 0) {
        left -= 1;
        if (!res.write(megabyte)) return void res.once('drain', more);
      }
      res.end();
    };
    more();
  },
  'answers with a gzip bomb': (_req, res) =>
    res.writeHead(200, { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' }).end(bomb),
  'resets the connection': (req) => req.socket.resetAndDestroy(),
  'breaks off in the middle': (req, res) => {
    res.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': '1000' });
    res.write('{"results": [');
    setImmediate(() => req.socket.destroy());
  },
};

/** Those that are waited for, or not asked again for long. */
const long: Record<string, readonly [outcome: string, RequestListener]> = {
  'never answers': ['timeout', () => undefined],
  'never ends its answer': [
    'timeout',
    (_req, res) => void res.writeHead(200, { 'Content-Type': 'application/json' }).write('{'),
  ],
  'limits with 429 for an hour': [
    'error',
    (_req, res) => void res.writeHead(429, { 'Retry-After': '3600' }).end(),
  ],
};

describe('an instance that fails', () => {
  async function inFrontOf(
    { onTestFinished }: Pick<TestContext, 'onTestFinished'>,
    ...urls: string[]
  ): Promise<RunningOrchestrator> {
    const orchestrator = await startOrchestrator({
      SEARXNG_URLS: urls.join(','),
      CACHE_TTL: '0',
      ...WITHOUT_ACCOUNTS,
    });
    onTestFinished(async () => void (await orchestrator.program.stop()));
    return orchestrator;
  }

  /** Two instances, and the orchestrator in front of them. */
  interface Pair {
    orchestrator: RunningOrchestrator;
    readonly answerWith: (first: RequestListener, second: RequestListener) => void;
  }

  async function openPair(context: Pick<TestContext, 'onTestFinished'>): Promise<Pair> {
    const servers = [createServer(good), createServer(good)] as const;
    const urls = await Promise.all(servers.map((server) => listen(server, context)));
    return {
      orchestrator: await inFrontOf(context, ...urls),
      answerWith(...listeners) {
        servers.forEach((server, index) => {
          server.removeAllListeners('request').on('request', listeners[index] ?? good);
        });
      },
    };
  }

  async function isMadeUpFor(
    fault: RequestListener,
    outcome: string,
    { orchestrator, answerWith }: Pair,
  ): Promise<void> {
    const { url, program } = orchestrator;
    answerWith(fault, good);
    const next = await searched(url);
    expect(next).toMatchObject({ status: 200, meta: { source: 'searxng-2', degraded: true } });
    expect(next.titles).toContain('Good 0');
    expect(next.meta.attempts[0]).toMatchObject({ source: 'searxng-1', outcome });

    answerWith(fault, fault);
    expect(await searched(url)).toMatchObject({
      status: 200,
      meta: { source: 'embedded', degraded: true },
    });

    expect((await fetch(`${url}/livez`)).status).toBe(200);
    expect(program.output()).not.toMatch(/unhandled|uncaught/i);
  }

  // A few to each orchestrator: it asks another one for so many of its searches only.
  const few = Array.from({ length: Math.ceil(Object.keys(faults).length / 3) }, (_, index) =>
    Object.entries(faults).slice(index * 3, index * 3 + 3),
  );
  describe.for(few)('now and then', (some) => {
    let pair: Pair;
    const ends: (() => unknown)[] = [];
    beforeAll(async () => {
      pair = await openPair({ onTestFinished: (end) => void ends.push(end as () => unknown) });
    });
    afterAll(async () => {
      for (const end of ends.toReversed()) await end();
    });
    // Well enough in between that it is asked again, however many faults it has had.
    beforeEach(async () => {
      pair.answerWith(good, good);
      for (let count = 0; count < 10; count += 1) {
        expect((await searched(pair.orchestrator.url, 'well')).meta.source).toBe('searxng-1');
      }
    });

    it.for(some)('%s: the next one is asked, then the engine in the process', ([, fault]) =>
      isMadeUpFor(fault, 'error', pair),
    );
  });

  it.concurrent.for(Object.entries(long))(
    '%s: the next one is asked, then the engine in the process',
    { timeout: 40_000 },
    async ([, [outcome, fault]], context) => isMadeUpFor(fault, outcome, await openPair(context)),
  );

  it.concurrent('has the engine in the process get ready while it is waited for', async (context) => {
    const { orchestrator, answerWith } = await openPair(context);
    answerWith(() => undefined, good);
    expect((await searched(orchestrator.url)).meta.source).toBe('searxng-2');
    await orchestrator.program.waitFor(/the embedded engine is ready/);
  });

  it('leaves a clear problem where there is nothing to fall back on', async () => {
    const orchestrator = await startOrchestrator({
      SEARXNG_URLS: `http://127.0.0.1:${await freePort()}`,
      EMBEDDED_FALLBACK: 'off',
    });
    onTestFinished(async () => void (await orchestrator.program.stop()));

    const headers = await guestOf(orchestrator.url);
    const response = await fetch(`${orchestrator.url}/api/v1/search?q=express`, { headers });

    expect(response.status).toBe(502);
    await orchestrator.program.waitFor(/search runs degraded/);
    const { error } = (await response.json()) as { error: { type: string; message: string } };
    expect(error.type).not.toBe('internal_server_error');
    const health = (await (await fetch(`${orchestrator.url}/health`)).json()) as { status: string };
    expect(health.status).toBe('degraded');
  });

  it('is not asked any more when the client has gone', async (context) => {
    let aborted: () => void = () => undefined;
    const gone = new Promise<void>((resolve) => (aborted = resolve));
    let asked: () => void = () => undefined;
    const wasAsked = new Promise<void>((resolve) => (asked = resolve));
    const slow = createServer((req, res) => {
      if (!req.url?.includes('q=express')) return void res.end('OK');
      asked();
      res.on('close', aborted);
    });
    const { url } = await inFrontOf(context, await listen(slow));

    const { authorization } = await guestOf(url);
    const { hostname, port } = new URL(url);
    const client = connect(Number(port), hostname);
    client.write(
      `GET /api/v1/search?q=express HTTP/1.1\r\nHost: a\r\nAuthorization: ${authorization}\r\n\r\n`,
    );
    await wasAsked;
    client.destroy();

    await gone;
  });
});

describe('a real searx', () => {
  let withJson: SearxServer;
  let withoutJson: SearxServer;
  let orchestrator: RunningOrchestrator;

  beforeAll(async () => {
    [withoutJson, withJson] = await Promise.all([startSearx({ json: false }), startSearx()]);
    orchestrator = await startOrchestrator({
      SEARXNG_URLS: `${withoutJson.url},${withJson.url}`,
      CACHE_TTL: '0',
    });
  });
  afterAll(async () => {
    await orchestrator.program.stop();
    await Promise.all([withJson.stop(), withoutJson.stop()]);
  });

  it('is searched, past one that refuses JSON, and says why that was', async () => {
    const { status, meta, titles } = await searched(orchestrator.url, 'gateways');

    expect(status).toBe(200);
    expect(meta).toMatchObject({ source: 'searxng-2', degraded: true });
    expect(meta.attempts[0]).toMatchObject({ source: 'searxng-1', outcome: 'error' });
    expect(titles).toHaveLength(10);
    expect(titles[0]).toMatch(/^Document \d+ on signalbox$/);

    const details = await (await fetch(`${orchestrator.url}/health/detailed`)).text();
    expect(details).toContain('searxng');
  });

  it('pages through what it has', async () => {
    const all = new Set<string>();
    const headers = await guestOf(orchestrator.url);
    for (const page of [1, 2, 3]) {
      const response = await fetch(`${orchestrator.url}/api/v1/search?q=gateways&page=${page}`, { headers });
      const { results } = (await response.json()) as { results: { url: string }[] };
      for (const { url } of results) all.add(url);
    }
    expect(all.size).toBe(30);
  });

  it('is left behind when it hangs, and found again when it does not', async () => {
    withJson.pause();
    expect((await searched(orchestrator.url, 'gateways')).meta).toMatchObject({
      source: 'embedded',
      degraded: true,
    });
    withJson.resume();
    await expect
      .poll(async () => (await searched(orchestrator.url, 'gateways')).meta.source, {
        timeout: 40_000,
        interval: 1_000,
      })
      .toBe('searxng-2');
  }, 60_000);

  it('is left behind when it is killed', async () => {
    await withJson.kill();
    const { status, meta } = await searched(orchestrator.url, 'express');
    expect(status).toBe(200);
    expect(meta.source).toBe('embedded');
    expect((await fetch(`${orchestrator.url}/livez`)).status).toBe(200);
  });
});
