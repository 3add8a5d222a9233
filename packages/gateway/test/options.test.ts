import { describe, expect, it } from 'vitest';
import { upstreams, type UpstreamOptions } from '@signalbox/gateway';
import { closedPort, goodServer, upstream } from './upstream-server.js';

const URLS = 'http://127.0.0.1:1';

describe('upstreams', () => {
  it.each<[string, unknown, string]>([
    ['nothing', undefined, '"service.urls" must be a URL or a list of at least one, got undefined'],
    ['an empty list', [], '"service.urls" must be a URL or a list of at least one, got an array'],
    ['no URL', 'localhost', '"service.urls" must be a URL, got "localhost"'],
    ['a number', [8080], '"service.urls[0]" must be a URL, got 8080'],
    [
      'another scheme',
      [URLS, 'ftp://a.example'],
      '"service.urls[1]" must be a URL that begins with http:// or https://, got "ftp://a.example"',
    ],
    [
      'a query',
      [`${URLS}/?key=1`],
      '"service.urls[0]" must be a URL without query and fragment, got "http://127.0.0.1:1/?key=1"',
    ],
    [
      'a fragment',
      `${URLS}/#a`,
      '"service.urls" must be a URL without query and fragment, got "http://127.0.0.1:1/#a"',
    ],
    ['the same twice', [URLS, `${URLS}/`], '"service.urls[1]" is there twice: http://127.0.0.1:1'],
    [
      'a broken password',
      'http://a:%zz@a.example',
      '"service.urls" must be a URL whose user name and password are percent-encoded, got "http://***@a.example"',
    ],
  ])('refuses %s as URL, naming option, index and reason', (_what, urls, message) => {
    const options = { urls } as UpstreamOptions;
    expect(() => upstreams({ service: options })).toThrow(TypeError);
    expect(() => upstreams({ service: options })).toThrow(`upstreams: ${message}`);
  });

  it('shows no password of a URL that it refuses', () => {
    expect(() => upstreams({ service: { urls: 'ftp://user:hunter2@a.example/' } })).toThrow(
      'got "ftp://***@a.example/"',
    );
  });

  it.each<[string, Partial<UpstreamOptions>, string]>([
    [
      'mode',
      { mode: 'random' as 'balance' },
      '"service.mode" must be "preference" or "balance", got "random"',
    ],
    ['timeoutMs', { timeoutMs: 0 }, '"service.timeoutMs" must be a number above 0'],
    [
      'timeoutMs',
      { timeoutMs: Infinity },
      '"service.timeoutMs" must be a number above 0 and at most 2147483647, got Infinity',
    ],
    ['deadlineMs', { deadlineMs: -1 }, '"service.deadlineMs" must be a number above 0'],
    [
      'connectTimeoutMs',
      { connectTimeoutMs: Number.NaN },
      '"service.connectTimeoutMs" must be a number above 0',
    ],
    ['retries', { retries: 1.5 }, '"service.retries" must be an integer from 0 to 20, got 1.5'],
    [
      'maxResponseBytes',
      { maxResponseBytes: 0 },
      '"service.maxResponseBytes" must be an integer of at least 1, got 0',
    ],
    [
      'maxConnections',
      { maxConnections: 0 },
      '"service.maxConnections" must be an integer of at least 1, got 0',
    ],
    [
      'retryBudget',
      { retryBudget: { ratio: -1 } },
      '"service.retryBudget.ratio" must be a number from 0 to 10',
    ],
    [
      'breaker',
      { breaker: { failureRate: 1 } },
      '"service.breaker.failureRate" must be a number above 0 and below 1, got 1',
    ],
    [
      'breaker',
      { breaker: { failures: 11 } },
      '"service.breaker.failures" must be an integer from 1 to 10, got 11',
    ],
    ['breaker', { breaker: true as never }, '"service.breaker" must be an object, got true'],
    ['ejection', { ejection: { pauseMs: 0 } }, '"service.ejection.pauseMs" must be a number above 0'],
    [
      'health',
      { health: { path: 'healthz' } },
      '"service.health.path" must be a path that begins with "/", got "healthz"',
    ],
    ['headers', { headers: { 'x-key': 1 as never } }, '"service.headers.x-key" must be a string, got number'],
    ['headers', { headers: { 'x-key': 'from a file\n' } }, '"service.headers.x-key" must be one line'],
    [
      'headers',
      { headers: { 'x key': '' } },
      '"service.headers" must be an object by names of header fields',
    ],
    ['tls', { tls: 'no' as never }, '"service.tls" must be an object, got "no"'],
  ])('refuses a bad %s', (_option, options, message) => {
    expect(() => upstreams({ service: { urls: URLS, ...options } })).toThrow(`upstreams: ${message}`);
  });

  it.each<[object, string]>([
    [{ timeoutMS: 1 }, '"service": "timeoutMS" is not an option; did you mean "timeoutMs"?'],
    [{ timeout: 1 }, '"service": "timeout" is not an option; did you mean "timeoutMs"?'],
    [{ retrys: 1 }, '"service": "retrys" is not an option; did you mean "retries"?'],
    [
      { breaker: { slowCall: 1 } },
      '"service.breaker": "slowCall" is not an option; did you mean "slowCallMs"?',
    ],
    [
      { ejection: { failure: 1 } },
      '"service.ejection": "failure" is not an option; did you mean "failures"?',
    ],
  ])('tells of the misspelt option in %j', (options, message) => {
    expect(() => upstreams({ service: { urls: URLS, ...options } })).toThrow(`upstreams: ${message}`);
  });

  it('does not let an upstream take the name of a function of all', () => {
    expect(() => upstreams({ close: { urls: URLS } })).toThrow(
      'upstreams: no upstream can be called "close"',
    );
  });

  it('gives each upstream by its name, and the state of all', async () => {
    const { url } = await goodServer();
    const all = upstreams({ search: { urls: url }, images: { urls: [url, URLS], mode: 'balance' } });

    expect(await all.search.json({ path: '/' })).toEqual({ from: 'good' });
    expect(all.state()).toMatchObject([
      {
        upstream: 'search',
        mode: 'preference',
        inFlight: 0,
        servers: [{ server: url, state: 'in', inFlight: 0 }],
      },
      { upstream: 'images', mode: 'balance', servers: [{ server: url }, { server: URLS }] },
    ]);
    await all.close();
  });

  it('refuses requests once it is closed, and closes twice without complaint', async () => {
    const { url } = await goodServer();
    const all = upstreams({ service: { urls: url } });
    await Promise.all([all.close(), all.close()]);

    await expect(all.service.json({ path: '/' })).rejects.toMatchObject({
      status: 503,
      code: 'upstream_unavailable',
      message: 'upstream "service" is closed',
    });
  });

  it('finishes the requests under way before it closes', async () => {
    const { url } = await goodServer();
    const all = upstreams({ service: { urls: url } });
    const answer = all.service.json({ path: '/' });
    await all.close();
    expect(await answer).toEqual({ from: 'good' });
  });
});

describe('a request', () => {
  it('goes out with path prefix, query, headers and body', async () => {
    const server = await goodServer();
    const service = upstream({
      urls: `${server.url}/searx/`,
      headers: { 'X-Key': 'k', 'X-Own': 'upstream' },
    });
    await service.json({
      method: 'post',
      path: '/find?a=1',
      query: { q: 'two words', tag: ['x', 'y'], none: undefined, page: 2 },
      headers: { 'x-own': 'request', 'x-none': undefined, 'content-type': 'text/plain' },
      body: 'hello',
    });

    const [seen] = server.seen;
    expect(seen).toMatchObject({
      method: 'POST',
      url: '/searx/find?a=1&q=two+words&tag=x&tag=y&page=2',
      body: 'hello',
    });
    expect(seen?.headers).toMatchObject({
      'x-key': 'k',
      'x-own': 'request',
      'content-type': 'text/plain',
      accept: 'application/json',
      'accept-encoding': 'gzip, br',
    });
  });

  it('carries the user name and password of the URL, which nothing shows', async () => {
    const server = await goodServer();
    const { host } = new URL(server.url);
    const service = upstream({ urls: `http://gate%40way:p%C3%A4ss@${host}` });
    await service.json({ path: '/' });

    const expected = Buffer.from('gate@way:päss').toString('base64');
    expect(server.seen[0]?.headers.authorization).toBe(`Basic ${expected}`);
    expect(JSON.stringify(service.state())).not.toMatch(/gate|p.ss/);
  });

  it.each([
    ['relative', 'search', 'must begin with "/"'],
    ['absolute', 'http://169.254.169.254/', 'must begin with "/"'],
    ['leaving the prefix', '/a/../../admin', 'must have no "." and ".." segments'],
    ['leaving it in disguise', '/%2e%2E/admin', 'must have no "." and ".." segments'],
    ['leaving it by backslash', '/..\\admin', 'must have no "." and ".." segments'],
    ['with a line break', '/a\r\nHost: evil.example', 'must be percent-encoded'],
    ['not encoded', '/schön', 'must be percent-encoded'],
    ['with a fragment', '/a#b', 'must be percent-encoded and have no fragment'],
  ])('with a path that is %s is a mistake of the program', async (_what, path, message) => {
    const service = upstream({ urls: await closedPort() });
    await expect(service.request({ path })).rejects.toThrow(TypeError);
    await expect(service.request({ path })).rejects.toThrow(`upstream "service": "path" ${message}`);
  });

  it('that is impossible is a mistake of the program, not of the server', async () => {
    const server = await goodServer();
    const service = upstream({ urls: server.url });
    await expect(service.request({ headers: { 'x-a': 'line\nbreak' } })).rejects.toThrow(TypeError);
    await expect(service.request({ method: 'NO SUCH' })).rejects.toThrow(TypeError);
    await expect(service.request({ server: 1 })).rejects.toThrow(
      '"server" must be an index of "urls", got 1',
    );
    expect(service.state().servers[0]).toMatchObject({ consecutiveFailures: 0, inFlight: 0 });
  });
});
