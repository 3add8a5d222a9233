import { describe, expect, it } from 'vitest';
import { fallback, searxng, type SearxngOptions } from '@signalbox/gateway';
import { engine, engineWith, FOUND, instance, RESULT, type Handle } from './searxng-instance.js';
import {
  closedPort,
  errorOf,
  failingServer,
  hangingServer,
  sendJson,
  upstreamServer,
} from './upstream-server.js';

const forbidden: Handle = (_req, res) =>
  res.writeHead(403, { 'content-type': 'text/html' }).end('<h1>Forbidden</h1>');
const REFUSES =
  'answered 403: the instance refuses format=json: add json to search.formats in its settings.yml';

describe('search', () => {
  it('gives results in a shape of its own', async () => {
    const { url } = await instance();
    expect(await engine(url).search({ q: 'express' })).toEqual({
      results: [{ ...RESULT, publishedDate: undefined }],
      total: 1200,
      suggestions: ['express js'],
      corrections: [],
      answers: [],
      unresponsiveEngines: [],
    });
  });

  it('asks for JSON, page, categories, language, time range and safe search', async () => {
    const server = await instance();
    await engine(server.url).search({
      q: 'a & b',
      page: 2,
      categories: ['general', 'it'],
      language: 'de-CH',
      timeRange: 'week',
      safeSearch: 2,
    });
    const asked = new URL(server.seen[0]?.url ?? '', server.url);
    expect(asked.pathname).toBe('/search');
    expect(Object.fromEntries(asked.searchParams)).toEqual({
      q: 'a & b',
      format: 'json',
      pageno: '2',
      categories: 'general,it',
      language: 'de-CH',
      time_range: 'week',
      safesearch: '2',
    });
  });

  it('keeps the query out of the URL with method POST', async () => {
    const server = await instance();
    await engineWith({ urls: server.url, method: 'POST' }).search({ q: 'private words' });
    expect(server.seen).toMatchObject([
      { method: 'POST', url: '/search', body: 'q=private+words&format=json' },
    ]);
  });

  it('finds the instance below a path', async () => {
    const server = await upstreamServer((_req, res) => sendJson(res, FOUND));
    await engine(`${server.url}/searx`).search({ q: 'express' });
    expect(server.seen[0]?.url).toMatch(/^\/searx\/search\?q=express/);
  });

  it('explains an instance that refuses JSON', async () => {
    const { url } = await instance(FOUND, { '/search': forbidden });
    const problem = await errorOf(engine(url).search({ q: 'express' }));
    expect(problem).toMatchObject({ status: 502, code: 'upstream_error', cause: { upstreamStatus: 403 } });
    expect(problem.message).toContain(REFUSES);
  });

  it('refuses as invalid what is JSON, but no search result', async () => {
    for (const answer of [[], 'text', 7, null, { results: 'none' }, { results: null }, {}]) {
      const { url } = await instance(answer);
      const problem = await errorOf(engine(url).search({ q: 'express' }));
      expect(problem).toMatchObject({ code: 'upstream_invalid_response' });
    }
  });

  it('takes an external bang, which leads elsewhere, for a mistake of the query', async () => {
    const redirecting = await instance(FOUND, {
      '/search': (_req, res) => res.writeHead(302, { location: 'https://w.example/' }).end(),
    });
    const other = await instance();
    const two = engine(redirecting.url, other.url);
    expect(await errorOf(two.search({ q: '!!w express' }))).toMatchObject({
      status: 400,
      code: 'external_bang',
    });
    expect(other.seen).toHaveLength(0);
    expect((await two.search({ q: 'express' })).total).toBe(1200);
  });

  it('takes parameters that the instance does not know for a mistake of the query', async () => {
    const { url } = await instance(FOUND, {
      '/search': (_req, res) => sendJson(res, { error: 'Invalid value "abc" for parameter lang' }, 400),
    });
    const problem = await errorOf(engine(url).search({ q: 'express', language: 'abc' }));
    expect(problem).toMatchObject({ status: 400, code: 'invalid_search' });
    expect(problem.message).not.toContain('abc');
  });

  it('takes a 400 of something in front of the instance for what it is', async () => {
    const { url } = await instance(FOUND, {
      '/search': (_req, res) => res.writeHead(400).end('<h1>Bad host</h1>'),
    });
    expect(await errorOf(engine(url).search({ q: 'express' }))).toMatchObject({ code: 'upstream_error' });
  });
});

describe('several instances', () => {
  it('are asked in order of preference until one answers', async () => {
    const good = await instance();
    const urls = [
      await closedPort(),
      (await hangingServer()).url,
      (await failingServer(500)).url,
      (await instance(FOUND, { '/search': forbidden })).url,
      (await instance(FOUND, { '/search': (_req, res) => res.end('<html>') })).url,
      good.url,
    ];
    expect((await engineWith({ urls, timeoutMs: 500 }).search({ q: 'express' })).total).toBe(1200);
    expect(good.seen).toHaveLength(1);
  });

  it('make up for one whose engines all failed', async () => {
    const poor = await instance({ ...FOUND, results: [], unresponsive_engines: [['wiki', 'timeout']] });
    const good = await instance();
    expect((await engine(poor.url, good.url).search({ q: 'express' })).results).toHaveLength(1);
    expect(await engine(poor.url).search({ q: 'express' })).toMatchObject({
      results: [],
      unresponsiveEngines: [{ engine: 'wiki', error: 'timeout' }],
    });
  });

  it('are not waited for while there is another one', async () => {
    const [busy, good] = [await failingServer(429, { 'retry-after': '3' }), await instance()];
    const startedAt = performance.now();
    expect((await engine(busy.url, good.url).search({ q: 'express' })).total).toBe(1200);
    expect(performance.now() - startedAt).toBeLessThan(1_500);
    expect(busy.seen).toHaveLength(1);
  });

  it('are steps of a chain, named without their addresses', async () => {
    const [bad, good] = [await failingServer(500), await instance()];
    const steps = engine(bad.url, good.url).steps();
    const chain = fallback(steps, { name: 'search' });
    expect(await chain({ q: 'express' })).toMatchObject({
      source: 'searxng-2',
      degraded: true,
      attempts: [
        { name: 'searxng-1', outcome: 'error' },
        { name: 'searxng-2', outcome: 'ok' },
      ],
      value: { total: 1200 },
    });
    expect(
      engineWith({ urls: good.url, name: 'web' })
        .steps()
        .map(({ name }) => name),
    ).toEqual(['web']);
  });

  it('that stay dead are passed over', async () => {
    const [bad, good] = [await failingServer(500), await instance()];
    const two = engine(bad.url, good.url);
    for (let call = 0; call < 10; call += 1) await two.search({ q: 'express' });
    expect(bad.seen).toHaveLength(5);
    expect(two.state().servers[0]).toMatchObject({ state: 'ejected' });
  });
});

describe('check', () => {
  it('asks /healthz, and whether JSON is answered, without searching', async () => {
    const server = await instance();
    await engine(server.url).check();
    expect(server.seen.map(({ url }) => url)).toEqual(['/healthz', '/search?q=&format=json']);
  });

  it('does without /healthz, which old instances do not have', async () => {
    const notThere: Handle = (_req, res) => res.writeHead(404).end();
    const { url } = await instance(FOUND, { '/healthz': notThere, '/': (_req, res) => res.end('<html>') });
    expect(await engine(url).check()).toMatchObject({ servers: [{ healthy: true }] });
  });

  it.each<[string, Record<string, Handle>, string]>([
    ['refuses JSON', { '/search': forbidden }, REFUSES],
    [
      'is no instance at all',
      { '/healthz': (_req, res) => res.writeHead(404).end() },
      'answered 404 to its health check',
    ],
    ['is ill', { '/healthz': (_req, res) => res.writeHead(503).end() }, 'answered 503'],
  ])('fails for a server that %s', async (_what, own, words) => {
    const { url } = await instance(FOUND, own);
    const problem = await errorOf(engine(url).check());
    expect(problem).toMatchObject({ status: 503, code: 'upstream_unavailable' });
    expect(problem.message).toContain(words);
  });
});

describe('searxng, at construction,', () => {
  it.each<[object, string]>([
    [{}, 'searxng: "urls" must be a URL or a list of at least one, got undefined'],
    [
      { urls: 'gopher://a' },
      'searxng: "urls" must be a URL that begins with http:// or https://, got "gopher://a"',
    ],
    [{ urls: 'http://a', method: 'get' }, 'searxng: "method" must be "GET" or "POST", got "get"'],
    [{ urls: 'http://a', name: 7 }, 'searxng: "name" must be a non-empty string, got 7'],
    [{ urls: 'http://a', maxResults: 0 }, 'searxng: "maxResults" must be an integer of at least 1, got 0'],
    [
      { urls: 'http://a', health: { path: '/' } },
      'searxng: "health": "path" is not an option; there are everyMs',
    ],
    [{ urls: 'http://a', timeout: 1 }, 'searxng: "timeout" is not an option; did you mean "timeoutMs"?'],
  ])('refuses %j', (options, message) => {
    expect(() => searxng(options as SearxngOptions)).toThrow(TypeError);
    expect(() => searxng(options as SearxngOptions)).toThrow(message);
  });
});
