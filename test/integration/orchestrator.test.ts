import { createServer, request, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { listen } from '@signalbox/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { guestOf, type Credentials } from '../support/identity.js';
import {
  EMBEDDED,
  runOrchestrator,
  startOrchestrator,
  WITHOUT_ACCOUNTS,
  type RunningOrchestrator,
} from '../support/orchestrator.js';
import { waitUntil } from '../support/program.js';

interface SearchAnswer {
  results: { title: string; url: string; content: string; engine: string; score: number }[];
  meta: Record<string, unknown> & { total: number };
  _meta: { duration: number; timestamp: string };
}

interface ErrorAnswer {
  error: Record<string, unknown> & { details?: { pointer: string; message: string }[] };
}

let running: RunningOrchestrator;
let guest: Credentials;

beforeAll(async () => {
  running = await startOrchestrator({
    ...EMBEDDED,
    CORS_ORIGINS: 'https://app.example,https://*.example.org',
  });
  guest = await guestOf(running.url);
});
afterAll(() => running.program.stop());

function get(path: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(running.url + path, { headers: { ...guest, ...headers } });
}

async function search(query: string): Promise<SearchAnswer> {
  const response = await get(`/api/v1/search?${query}`);
  expect(response.status).toBe(200);
  return (await response.json()) as SearchAnswer;
}

describe('GET /api/v1/search', () => {
  it('gives ranked results with title, URL and snippet, and tells where they come from', async () => {
    const { results, meta, _meta } = await search('q=express%20middleware');

    expect(results).toHaveLength(10);
    for (const { title, url, content, engine, score } of results) {
      expect(title).not.toBe('');
      expect(new URL(url).protocol).toMatch(/^https?:$/);
      expect(content.length).toBeGreaterThan(20);
      expect(engine).toBe('embedded');
      expect(score).toBeGreaterThan(0);
    }
    expect(results.map(({ score }) => score)).toEqual(
      results.map(({ score }) => score).toSorted((a, b) => b - a),
    );
    expect((await search('q=graceful+shutdown')).results.length).toBeGreaterThan(5);
    expect(results.map(({ title }) => title)).toContain('express');
    expect(meta).toMatchObject({
      query: 'express middleware',
      page: 1,
      perPage: 10,
      engines: ['embedded'],
      source: 'embedded',
      degraded: false,
    });
    expect(_meta.duration).toBeGreaterThan(0);
    expect(new Date(_meta.timestamp).toISOString()).toBe(_meta.timestamp);
  });

  it('finds the documents of this project, which it serves itself', async () => {
    const { results } = await search('q=route+templates+from+the+layers');

    const own = results.find(({ url }) => url.startsWith(running.url));
    expect(own).toBeDefined();
    const document = await fetch(own?.url ?? '');
    expect(document.status).toBe(200);
    expect(document.headers.get('content-type')).toBe('text/plain; charset=utf-8');
  });

  it('pages without gap or repetition, with its headers', async () => {
    const whole = await search('q=node&per_page=30');
    const pages = await Promise.all([1, 2, 3].map((page) => search(`q=node&per_page=10&page=${page}`)));
    expect(pages.flatMap(({ results }) => results.map(({ url }) => url))).toEqual(
      whole.results.map(({ url }) => url),
    );

    const { headers } = await get('/api/v1/search?q=node&per_page=10&page=2');
    const last = Math.ceil(whole.meta.total / 10);
    expect(headers.get('x-total-count')).toBe(String(whole.meta.total));
    expect(headers.get('x-page')).toBe('2');
    expect(headers.get('x-per-page')).toBe('10');
    expect(headers.get('link')).toBe(
      [
        '</api/v1/search?q=node&page=1&per_page=10>; rel="first"',
        '</api/v1/search?q=node&page=1&per_page=10>; rel="prev"',
        '</api/v1/search?q=node&page=3&per_page=10>; rel="next"',
        `</api/v1/search?q=node&page=${last}&per_page=10>; rel="last"`,
        '</docs/guide/api-versions.md>; rel="deprecation"',
        '</api/v2>; rel="successor-version"',
      ].join(', '),
    );
    expect(headers.get('cache-status')).toMatch(/^signalbox; hit; ttl=/);
  });

  it('answers a search that finds nothing with no results', async () => {
    const { results, meta } = await search('q=qqzzxxyyqq');
    expect(results).toEqual([]);
    expect(meta.total).toBe(0);
  });

  it.each([
    ['no query', '', '/q'],
    ['an empty query', 'q=', '/q'],
    ['blanks', 'q=%20%20', '/q'],
    ['a query of 1001 characters', `q=${'x'.repeat(1_001)}`, '/q'],
    ['two queries', 'q=a&q=b', '/q'],
    ['an object for a query', 'q[a]=b', '/q'],
    ['page 0', 'q=a&page=0', '/page'],
    ['page 1e1', 'q=a&page=1e1', '/page'],
    ['page -1', 'q=a&page=-1', '/page'],
    ['per_page 51', 'q=a&per_page=51', '/per_page'],
    ['nonsense for a language', 'q=a&language=%3Cscript%3E', '/language'],
    ['nonsense for a category', 'q=a&category=../../etc', '/category'],
  ])('answers %s with 400 invalid_query, naming the field', async (_what, query, pointer) => {
    const response = await get(`/api/v1/search?${query}`);

    expect(response.status).toBe(400);
    const { error } = (await response.json()) as ErrorAnswer;
    expect(error.type).toBe('invalid_query');
    expect(error.details?.map((detail) => detail.pointer)).toContain(pointer);
  });

  it.each(['\u0000', '"; drop table', '../../etc/passwd', '🦊', '%', 'a*b(c)[d', '-', 'AND', 'constructor'])(
    'takes %j for what it is: a query',
    async (q) => {
      const response = await get(`/api/v1/search?${new URLSearchParams({ q }).toString()}`);
      expect(response.status).toBe(200);
    },
  );

  it('keeps the query out of its log', async () => {
    await search('q=somethingveryprivate');
    await get('/api/v1/search?q=anotherprivatething&page=x');
    await waitUntil(async () => running.log().some(({ status }) => status === 400));
    expect(running.program.output()).not.toMatch(/somethingveryprivate|anotherprivatething/);
    expect(running.log().at(-1)).toMatchObject({ route: '/api/v1/search', outcome: 'ok' });
  });
});

describe('the page', () => {
  it('comes with a strict policy and is asked for again each time', async () => {
    const { headers } = await get('/');

    expect(headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(headers.get('cache-control')).toBe('no-cache');
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain('unsafe');

    // fetch would add `Cache-Control: no-cache` to a conditional request.
    const again = await raw('/', { 'if-none-match': headers.get('etag') ?? '' });
    expect(again.status).toBe(304);
  });

  it('is the same under the name of its file', async () => {
    const [page, file] = await Promise.all([get('/'), get('/index.html')]);
    expect(await file.text()).toBe(await page.text());
    expect(file.headers.get('cache-control')).toBe('no-cache');
  });

  it('loads assets that are kept for good, and whose name changes with them', async () => {
    const page = await (await get('/')).text();
    const assets = [...page.matchAll(/(?:href|src)="(\/assets\/[^"]+)"/g)].map(([, path = '']) => path);

    expect(assets.length).toBeGreaterThan(3);
    for (const path of assets) {
      const { status, headers } = await get(path);
      expect(status, path).toBe(200);
      expect(headers.get('cache-control'), path).toBe('public, max-age=31536000, immutable');
    }
  });

  it('serves an asset below the hash of another process, without letting it be kept', async () => {
    const { status, headers } = await get('/assets/ABCDEFGHIJKL/style.css');
    expect(status).toBe(200);
    expect(headers.get('cache-control')).toBe('no-store');
    expect((await get('/assets/ABCDEFGHIJKL/none.css')).status).toBe(404);
  });

  it.each([
    ['br', brotliDecompressSync],
    ['gzip', gunzipSync],
  ])('is compressed with %s', async (encoding, decompress) => {
    const { body, headers } = await raw('/', { 'accept-encoding': encoding });

    expect(headers['content-encoding']).toBe(encoding);
    expect(headers.vary).toContain('Accept-Encoding');
    expect(decompress(body).toString()).toContain('<title>Signalbox search</title>');
  });
});

describe('errors', () => {
  it('have the envelope, the request id, CORS and security headers', async () => {
    const response = await get('/nope?q=secret', { origin: 'https://app.example' });

    expect(response.status).toBe(404);
    const { error } = (await response.json()) as ErrorAnswer;
    expect(error).toMatchObject({ code: 404, type: 'not_found', path: '/nope', method: 'GET' });
    expect(error.requestId).toBe(response.headers.get('x-request-id'));
    expect(response.headers.get('access-control-allow-origin')).toBe('https://app.example');
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(response.headers.get('vary')).toContain('Accept');
  });

  it('are a page for a browser', async () => {
    const response = await get('/nope', { accept: 'text/html,*/*;q=0.8' });
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
  });

  it('give an origin that is not listed no CORS headers, and no error', async () => {
    for (const origin of [
      'https://evil-example.org',
      'https://example.org.evil.com',
      'null',
      'http://a.example.org',
    ]) {
      const { status, headers } = await get('/livez', { origin });
      expect(status).toBe(200);
      expect(headers.has('access-control-allow-origin'), origin).toBe(false);
    }
    const { headers } = await get('/livez', { origin: 'https://a.b.example.org' });
    expect(headers.get('access-control-allow-origin')).toBe('https://a.b.example.org');
  });

  it('let nobody read files', async () => {
    for (const path of [
      '/docs/../package.json',
      '/docs/%2e%2e/package.json',
      '/docs/package.json',
      '/docs/.vitepress/config.mts',
      '/assets/..%2fpackage.json',
    ]) {
      const { status } = await raw(path);
      expect(status, path).toBeGreaterThanOrEqual(400);
    }
  });
});

describe('operations', () => {
  // On a busy machine the event loop may have been late a moment ago.
  beforeEach(() =>
    expect.poll(async () => (await get('/health/detailed')).status, { timeout: 10_000 }).toBe(200),
  );

  it('answers probes with query strings, trailing slashes and HEAD', async () => {
    for (const path of ['/livez', '/readyz', '/health', '/status', '/health/', '/health?x=1']) {
      expect((await get(path)).status, path).toBe(200);
      expect((await fetch(running.url + path, { method: 'HEAD' })).status, path).toBe(200);
    }
    await expect
      .poll(async () => (await get('/health')).json(), { timeout: 10_000 })
      .toMatchObject({
        status: 'healthy',
        service: 'signalbox-orchestrator',
        deployment: { mode: 'single', message_queue: null },
      });
  });

  it('counts requests by route, in Prometheus text and in JSON, with one series for all unknown paths', async () => {
    await search('q=counted');
    await get('/livez');
    await Promise.all(Array.from({ length: 50 }, (_, n) => get(`/wp-admin/${n}.php`)));

    const text = await (await get('/metrics')).text();
    expect(text).toMatch(/http_requests_total\{method="GET",route="\/api\/v1\/search",status="200"\} \d+/);
    expect(text.match(/^http_requests_total\{.*route="unmatched",status="404".*$/gm)).toHaveLength(1);
    expect(text).toMatch(/http_requests_total\{method="GET",route="\/livez",status="200"\} \d+/);
    expect(text).not.toContain('wp-admin');
    expect(await (await get('/metrics.json')).json()).toMatchObject({
      redis: { available: false },
      realtime: { enabled: true, message_queue: null, connections: 0 },
    });
  });

  it('describes itself in OpenAPI', async () => {
    const document = (await (await get('/openapi.json')).json()) as {
      openapi: string;
      paths: Record<string, { get?: { parameters?: { name: string }[] } }>;
    };
    expect(document.openapi).toMatch(/^3\.1/);
    expect(document.paths['/api/v1/search']?.get?.parameters?.map(({ name }) => name)).toEqual([
      'q',
      'page',
      'per_page',
      'category',
      'language',
    ]);
  });

  it('keeps details and metrics from requests that a proxy forwarded', async () => {
    for (const path of ['/metrics', '/metrics.json', '/health/detailed']) {
      expect((await get(path)).status, path).toBe(200);
      expect((await get(path, { 'x-forwarded-for': '203.0.113.9' })).status, path).toBe(403);
    }
  });
});

describe('many clients', () => {
  it('answers health within 100 ms beside 1 000 connections with slow headers and slow bodies', async () => {
    const { port } = new URL(running.url);
    const slow: Socket[] = [];
    try {
      await Promise.all(
        Array.from({ length: 1_000 }, async (_, n) => {
          const socket = connect(Number(port), '127.0.0.1');
          slow.push(socket);
          socket.on('error', () => undefined);
          await new Promise((resolve) => socket.once('connect', resolve));
          if (n % 2 === 0) return void socket.write('GET /api/v1/search?q=a HTTP/1.1\r\nHost: a\r\nX-Slow: ');
          // There is no such route: it is refused while its body is on its way.
          socket.write('POST /api/v1/search HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nx');
          await new Promise((resolve) => socket.once('data', resolve));
        }),
      );
      for (let round = 0; round < 20; round += 1) {
        const response = await fetch(`${running.url}/livez`, { signal: AbortSignal.timeout(100) });
        expect(response.status).toBe(200);
      }
    } finally {
      for (const socket of slow) socket.destroy();
    }
  });
});

describe('the start', () => {
  it('stops where a file of a key is none, or the log cannot be written', async () => {
    const [key, log] = await Promise.all([
      runOrchestrator({ JWT_PRIVATE_KEYS: fileURLToPath(import.meta.url) }),
      runOrchestrator({ LOG_FILE: `${fileURLToPath(import.meta.url)}/log` }),
    ]);
    expect((await key.exited).code).toBe(78);
    expect(key.stderr()).toMatch(/JWT_PRIVATE_KEYS must be PEM files: /);
    expect((await log.exited).code).toBe(78);
    expect(log.stderr()).toMatch(/^LOG_FILE cannot be written: .+\n$/);
  });

  it('stops where the admin could not sign up with that password', async () => {
    const program = await runOrchestrator({
      ADMIN_EMAIL: 'admin@example.org',
      ADMIN_PASSWORD: 'signalbox-admin',
    });
    expect((await program.exited).code).toBe(78);
    expect(program.stderr()).toMatch(/ADMIN_PASSWORD would be refused: The password is made of/);
    expect(program.output()).not.toContain('signalbox-admin');
  });

  it('stops on nonsense, with every problem at once', async () => {
    const program = await runOrchestrator({
      PORT: '88x9',
      PUBLIC_URL: 'example.org',
      SEARXNG_URLS: 'ftp://a',
      CORS_ORIGINS: 'https://a.example/path',
      TRUST_PROXY: 'nonsense',
      PRIVACY: 'maybe',
      LOG_LEVEL: 'loud',
    });

    expect((await program.exited).code).toBe(78);
    for (const name of [
      'PORT',
      'PUBLIC_URL',
      'SEARXNG_URLS',
      'CORS_ORIGINS',
      'TRUST_PROXY',
      'PRIVACY',
      'LOG_LEVEL',
    ]) {
      expect(program.stderr()).toContain(name);
    }
  });

  it('stops in production without secrets, and with nothing to search', async () => {
    const bare = await runOrchestrator({ NODE_ENV: 'production', PORT: '0' });
    expect((await bare.exited).code).toBe(78);
    expect(bare.stderr()).toContain('SECRET_KEYS');

    const blind = await runOrchestrator({ PORT: '0', EMBEDDED_FALLBACK: 'off' });
    expect((await blind.exited).code).toBe(78);
    expect(blind.stderr()).toContain('EMBEDDED_FALLBACK');
  });

  it('says so when the port is in use', async () => {
    const { port } = new URL(running.url);
    const program = await runOrchestrator({ PORT: port });

    expect((await program.exited).code).toBe(1);
    expect(program.stderr()).toContain(port);
    expect(program.stderr()).toContain('in use');
    expect(program.stderr()).not.toContain('    at ');
  });

  it('prints its settings, without secrets', async () => {
    const secret = 'k3v9-Zq81-Lw02-Xy77-Mn45-Pt60-Rs18';
    const program = await runOrchestrator({ SECRET_KEYS: secret, PORT: '0' }, ['--print-config']);

    expect((await program.exited).code).toBe(0);
    expect(program.stdout()).toContain('SECRET_KEYS');
    expect(program.output()).not.toContain(secret);
  });
});

describe('several processes', () => {
  it('name a visitor alike where they share their secrets, and otherwise not', async () => {
    const visitorOf = async (SECRET_KEYS: string): Promise<unknown> => {
      const started = await startOrchestrator({ ...WITHOUT_ACCOUNTS, SECRET_KEYS });
      await fetch(started.url);
      await waitUntil(async () => started.log().some(({ route }) => route === '/'));
      await started.program.stop();
      return started.log().find(({ route }) => route === '/')?.['visitor'];
    };
    const [one, same, other] = await Promise.all(['a', 'a', 'b'].map((key) => visitorOf(key.repeat(32))));

    expect(one).toMatch(/^\S{8,}$/);
    expect(same).toBe(one);
    expect(other).not.toBe(one);
  });
});

describe('the end', () => {
  it('finishes on SIGTERM what is under way, and exits with 0', async () => {
    // An instance that takes its time, so that a search is under way.
    const asked: ServerResponse[] = [];
    const slow = createServer((req, res) => {
      if (!req.url?.startsWith('/search?q=express')) res.end('OK');
      else if (req.url.includes('pageno=1')) asked.push(res);
      else res.end('{"results":[]}');
    });
    const other = await startOrchestrator({ SEARXNG_URLS: await listen(slow) });

    const headers = await guestOf(other.url);
    const pending = fetch(`${other.url}/api/v1/search?q=express`, { headers });
    await waitUntil(async () => asked.length > 0);
    other.program.signal('SIGTERM');
    await waitUntil(async () => (await fetch(`${other.url}/readyz`).catch(() => undefined))?.status !== 200);
    for (const res of asked) {
      res.setHeader('Content-Type', 'application/json');
      res.end(JSON.stringify({ results: [{ url: 'https://a.example/', title: 'A', content: 'B' }] }));
    }

    const response = await pending;
    expect(response.status).toBe(200);
    expect(((await response.json()) as SearchAnswer).meta.source).toBe('searxng');
    expect((await other.program.exited).code).toBe(0);
  });
});

/** A request that sends the path and the fields exactly as they are given. */
function raw(
  path: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: Record<string, string | string[] | undefined>; body: Buffer }> {
  return new Promise((resolve, reject) => {
    request(running.url, { path, headers }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts) }),
      );
    })
      .on('error', reject)
      .end();
  });
}
