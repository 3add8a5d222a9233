import { once } from 'node:events';
import { createServer, request, type IncomingMessage } from 'node:http';
import { listen } from '@signalbox/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  accountOf,
  adminOf,
  ADMIN_SETTINGS,
  guestOf,
  postJson,
  type Credentials,
} from '../support/identity.js';
import {
  PATIENT,
  startOrchestrator,
  WITHOUT_ACCOUNTS,
  type RunningOrchestrator,
} from '../support/orchestrator.js';
import { startRedis, type RedisServer } from '../support/redis.js';

interface Usage {
  rows: { version: string; consumer: string; route: string; calls: number }[];
  complete: boolean;
}

let redis: RedisServer;
let running: RunningOrchestrator;
let guest: Credentials;
/** What came last to the instance through the proxy: searches and health checks come, too. */
let last: IncomingMessage | undefined;
let settings: Record<string, string>;

beforeAll(async () => {
  const instance = createServer((req, res) => {
    if (req.headers['x-forwarded-for'] !== undefined) last = req;
    if (req.url === '/assets/app.css') {
      res.setHeader('Cache-Control', 'public, max-age=600');
      return void res.setHeader('Content-Type', 'text/css').end('body{}');
    }
    if (req.url === '/redirect') return void res.writeHead(302, { Location: '/elsewhere' }).end();
    res.setHeader('Set-Cookie', 'theirs=1; Path=/').end(`their page at ${req.url ?? ''}`);
  });
  redis = await startRedis();
  settings = {
    ...ADMIN_SETTINGS,
    ...PATIENT,
    SECRET_KEYS: 'one secret for all processes of this test',
    PUBLIC_URL: 'http://127.0.0.1:8889',
    REDIS_URL: redis.url,
    CORS_ORIGINS: 'https://app.example',
    SEARXNG_URLS: await listen(instance),
  };
  running = await startOrchestrator(settings);
  guest = await guestOf(running.url);
});
afterAll(async () => {
  await running.program.stop();
  await redis.stop();
});

function get(path: string, headers: Credentials = guest): Promise<Response> {
  return fetch(running.url + path, { headers });
}

describe('the first version of the API', () => {
  it.each(['/api/v1/me', '/api/v1/search?q=a', '/api/V1/search?q=a', '/api/v1/nothing'])(
    'says at %s that it is deprecated, since when, until when, and in favour of what',
    async (path) => {
      const { headers } = await get(path, { ...guest, origin: 'https://app.example' });
      expect(headers.get('deprecation')).toBe('@1795305600');
      expect(headers.get('sunset')).toBe('Mon, 22 Nov 2027 00:00:00 GMT');
      expect(headers.get('x-api-deprecation')).toBe('true');
      expect(headers.get('x-api-deprecation-date')).toBe('2026-11-22');
      expect(headers.get('link')).toContain('</api/v2>; rel="successor-version"');
      expect(headers.get('link')).toContain('</docs/guide/api-versions.md>; rel="deprecation"');
      expect(headers.get('access-control-expose-headers')).toMatch(/Deprecation.*Sunset/);
    },
  );

  it('has a page that says what to do instead, at the address that its answers name', async () => {
    const page = await fetch(`${running.url}/docs/guide/api-versions.md`);
    expect(page.status).toBe(200);
    expect(await page.text()).toContain('/api/v2');
  });

  it('is not the second one, which has what it does not define itself from the first', async () => {
    for (const path of ['/api/v2/me', '/api/v2/search?q=a', '/api/me']) {
      const answer = await get(path);
      expect([path, answer.status, answer.headers.get('deprecation')]).toEqual([path, 200, null]);
    }
    expect(await (await get('/api/v2/me')).json()).toEqual(await (await get('/api/v1/me')).json());
  });

  it.each([
    ['of the URL alone', '/api/v3/me', {}, 'unsupported_api_version'],
    ['of the field alone', '/api/me', { 'x-api-version': 'v3' }, 'unsupported_api_version'],
    ['of both, when they differ', '/api/v1/me', { 'x-api-version': 'v2' }, 'ambiguous_api_version'],
  ])('is refused as an unknown version %s', async (_what, path, headers, type) => {
    const answer = await get(path, { ...guest, ...headers });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ error: { type, details: { supported: ['v1', 'v2'] } } });
  });

  it('shares its limits with the second one, however it is written', async () => {
    const limited = await startOrchestrator({ ...WITHOUT_ACCOUNTS, RATE_SEARCH: '3/m' });
    const who = await guestOf(limited.url);
    const paths = ['/api/v1/search', '/api/v2/search', '/API/V1/Search/', '/api/search', '/api/v2/search'];
    const statuses: number[] = [];
    for (const path of paths) {
      statuses.push((await fetch(`${limited.url}${path}?q=a`, { headers: who })).status);
    }
    expect(statuses).toEqual([200, 200, 200, 429, 429]);
    await limited.program.stop();
  });

  it('has its callers counted, by account, key and route, and a new process goes on counting', async () => {
    const ada = await accountOf(running.url);
    const made = await postJson(`${running.url}/auth/keys`, { name: 'a program' }, ada.bearer);
    const { key, id } = (await made.json()) as { key: string; id: string };
    for (const headers of [ada.bearer, ada.browser, { 'x-api-key': key }]) {
      await get('/api/v1/search?q=secret-words', headers);
    }
    await get('/api/v2/search?q=a', ada.bearer);
    const report = async (): Promise<Usage> =>
      (await (await get('/admin/deprecations', (await adminOf(running.url)).bearer)).json()) as Usage;
    const before = await report();
    expect(before.complete).toBe(true);
    expect(before.rows).toContainEqual(
      expect.objectContaining({ version: 'v1', consumer: ada.id, route: '/api/v1/search', calls: 2 }),
    );
    expect(before.rows).toContainEqual(expect.objectContaining({ consumer: `key:${id}`, calls: 1 }));
    expect(before.rows).toContainEqual(expect.objectContaining({ consumer: 'guests', route: '/api/v1/me' }));
    expect(JSON.stringify(before)).not.toContain('secret-words');

    await running.program.stop();
    running = await startOrchestrator(settings);
    guest = await guestOf(running.url);
    const after = await report();
    for (const row of before.rows) expect(after.rows).toContainEqual(expect.objectContaining(row));
  });

  it('has those counted, too, that came just before its process ended in order', async () => {
    const { id, bearer } = await accountOf(running.url);
    await get('/api/v1/search?q=a', bearer);
    await running.program.stop();
    expect(JSON.stringify(running.log())).not.toContain('version-usage');
    running = await startOrchestrator(settings);
    guest = await guestOf(running.url);
    const answer = await get('/admin/deprecations', (await adminOf(running.url)).bearer);
    expect(((await answer.json()) as Usage).rows).toContainEqual(
      expect.objectContaining({ version: 'v1', consumer: id, route: '/api/v1/search', calls: 1 }),
    );
  });
});

describe('what is passed through to SearXNG', () => {
  it('is for who has a token, and for no cookie', async () => {
    const ada = await accountOf(running.url);
    expect((await get('/proxy/', {})).status).toBe(401);
    expect((await get('/proxy/', ada.browser)).status).toBe(401);
    expect((await get('/proxy/', ada.bearer)).status).toBe(200);
  });

  it('goes without what says who asks, and comes back below the same path', async () => {
    const answer = await get('/proxy/preferences?tab=1', {
      ...guest,
      cookie: 'a=1',
      'x-api-key': 'k',
      'x-remote-user': 'root',
      'x-script-name': '/evil',
    });
    expect(await answer.text()).toBe('their page at /preferences?tab=1');
    expect(answer.headers.get('set-cookie')).toBeNull();
    expect(last?.headers).toMatchObject({ 'x-script-name': '/proxy', 'x-forwarded-prefix': '/proxy' });
    for (const name of ['authorization', 'cookie', 'x-api-key', 'x-remote-user']) {
      expect(last?.headers[name]).toBeUndefined();
    }
    const redirected = await fetch(`${running.url}/proxy/redirect`, { headers: guest, redirect: 'manual' });
    expect(redirected.headers.get('location')).toBe('/proxy/elsewhere');
    const { headers } = await get('/proxy/assets/app.css');
    expect(headers.get('content-type')).toBe('text/css');
    // It took a token: nobody on the way may give it to others.
    expect(headers.get('cache-control')).toBe('private, no-cache');
  });

  it.each(['/proxy/..%2fadmin', '/proxy/%2e%2e/admin', '/proxy/../admin', '/proxy/a/..%5c..%5cadmin'])(
    'stays within SearXNG at %s',
    async (path) => {
      last = undefined;
      // As it stands there: `fetch` would tidy it up.
      const asking = request({ port: new URL(running.url).port, path, headers: guest }).end();
      const [answer] = (await once(asking, 'response')) as [IncomingMessage];
      answer.resume();
      expect(answer.statusCode).toBe(400);
      expect(last).toBeUndefined();
    },
  );
});
