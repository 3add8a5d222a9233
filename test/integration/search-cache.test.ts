import { once } from 'node:events';
import { createServer, request, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { listen } from '@signalbox/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy.js';
import {
  accountOf,
  adminOf,
  ADMIN_SETTINGS,
  guestOf,
  postJson,
  type Credentials,
  type SignedIn,
} from '../support/identity.js';
import { startOrchestrator, WITHOUT_ACCOUNTS, type RunningOrchestrator } from '../support/orchestrator.js';
import { startRedis, type RedisServer } from '../support/redis.js';

interface Answer {
  data: { title: string }[];
  source: string;
  degraded: boolean;
}

let redis: RedisServer;
let faults: FaultProxy;
let first: RunningOrchestrator;
let second: RunningOrchestrator;
/** With a Redis for answers alone, which are soon stale. */
let brief: RunningOrchestrator;
let ada: SignedIn;
let admin: SignedIn;
let guest: Credentials;
/** What the instance was asked for. */
let asked: string[] = [];
let isDown = false;
let delayMs = 0;

beforeAll(async () => {
  const instance = createServer((req, res) => {
    const { searchParams, pathname } = new URL(req.url ?? '/', 'http://localhost');
    if (isDown) return void res.writeHead(500).end();
    if (pathname !== '/search') return void res.end('OK');
    if (searchParams.get('pageno') === null || searchParams.get('pageno') === '1')
      asked.push(searchParams.get('q') ?? '');
    const results = [{ url: 'https://a.example/', title: `Answer ${asked.length}`, content: 'x' }];
    setTimeout(
      () => res.setHeader('Content-Type', 'application/json').end(JSON.stringify({ results })),
      delayMs,
    );
  });
  redis = await startRedis();
  faults = await startFaultProxy({ to: redis.port });
  const url = await listen(instance);
  const settings = {
    ...ADMIN_SETTINGS,
    SECRET_KEYS: 'one secret for all processes of this test',
    PUBLIC_URL: 'http://127.0.0.1:8889',
    SEARXNG_URLS: url,
  };
  [first, second, brief] = await Promise.all([
    startOrchestrator({ ...settings, REDIS_URL: `redis://127.0.0.1:${faults.port}`, CACHE_TTL: '1h' }),
    startOrchestrator({ ...settings, REDIS_URL: redis.url, CACHE_TTL: '1h' }),
    startOrchestrator({
      ...WITHOUT_ACCOUNTS,
      CACHE_REDIS_URL: `${redis.url}/5`,
      CACHE_TTL: '1s',
      SEARXNG_URLS: url,
    }),
  ]);
  [ada, admin, guest] = await Promise.all([accountOf(first.url), adminOf(first.url), guestOf(first.url)]);
});
afterAll(async () => {
  await Promise.all([first, second, brief].map(({ program }) => program.stop()));
  await faults.stop();
  await redis.stop();
});

function search(
  q: string,
  headers: Credentials = guest,
  at = first,
  path = '/api/v2/search',
): Promise<Response> {
  return asBehindOneName(`${at.url}${path}?q=${encodeURIComponent(q)}`, headers);
}

/** As behind a load balancer, where all processes have one name; `fetch` would not say another one than the URL's. */
async function asBehindOneName(url: string, headers: Credentials): Promise<Response> {
  const asking = request(url, { headers: { host: 'search.example', ...headers } }).end();
  const [answer] = (await once(asking, 'response')) as [IncomingMessage];
  const fields = Object.entries(answer.headersDistinct).flatMap(([name, values = []]) =>
    values.map((value): [string, string] => [name, value]),
  );
  return new Response(await text(answer), { status: answer.statusCode ?? 0, headers: fields });
}

const status = (response: Response): string => response.headers.get('cache-status') ?? '';

describe('a search that was made before', () => {
  it('is answered from what was kept, whoever asks and in whichever process, with its age', async () => {
    const made = await search('whoever');
    expect(status(made)).toBe('signalbox; fwd=uri-miss; stored');
    expect(made.headers.get('cache-control')).toBe('private');

    // It is sent before Redis has it.
    await eventually(async () => status(await search('whoever', guest, second)).startsWith('signalbox; hit'));

    const kept = await Promise.all([
      search('whoever', ada.bearer),
      search('whoever', ada.browser),
      search('whoever', guest, second),
    ]);
    for (const answer of kept) {
      expect(status(answer)).toMatch(/^signalbox; hit; ttl=\d+$/);
      expect(answer.headers.get('age')).toMatch(/^\d$/);
      // What is about the one who asks is never another one's.
      expect(answer.headers.get('x-request-id')).not.toBe(made.headers.get('x-request-id'));
      expect(answer.headers.get('set-cookie')).toBeNull();
    }
    expect(await Promise.all(kept.map((each) => each.text()))).toEqual(Array(3).fill(await made.text()));
    expect(asked.filter((q) => q === 'whoever')).toHaveLength(1);
  });

  it('is refused to who may not search, all the same', async () => {
    await search('refused');
    expect((await search('refused', {})).status).toBe(401);
    expect((await search('refused', { authorization: 'Bearer nonsense' })).status).toBe(401);
    expect((await fetch(`${first.url}/api/v2/search?q=refused&page=0`, { headers: guest })).status).toBe(400);
  });

  it('waits for Redis once, the limits, the revocation and the answer together', async () => {
    await search('together', ada.bearer);
    const roundTrips: number[] = [];
    for (let i = 0; i < 5; i += 1) {
      faults.resetCounts();
      expect(status(await search('together', ada.bearer))).toMatch(/; hit;/);
      roundTrips.push(faults.counts.roundTrips);
    }
    // A health check or a count may fall between.
    expect(Math.min(...roundTrips)).toBe(1);
  });

  it('is kept in the history, too', async () => {
    const headers = { 'content-type': 'application/json', ...ada.bearer };
    await fetch(`${first.url}/api/v2/history`, { method: 'PUT', headers, body: '{"keep":true}' });
    await search('remembered', guest);
    expect(status(await search('remembered', ada.bearer))).toMatch(/; hit;/);
    await expect
      .poll(async () => {
        const answer = await fetch(`${first.url}/api/v2/history`, { headers: ada.bearer });
        return ((await answer.json()) as { searches: { query: string }[] }).searches.map(
          ({ query }) => query,
        );
      })
      .toEqual(['remembered']);
  });

  it('is made once for many who ask at the same time, in two processes', async () => {
    delayMs = 300;
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) => search('many', guest, i % 2 === 0 ? first : second)),
    );
    delayMs = 0;
    expect(new Set(answers.map(({ status: code }) => code))).toEqual(new Set([200]));
    expect(asked.filter((q) => q === 'many')).toHaveLength(1);
  });

  it('does not stand in Redis in a way that tells what was searched for', async () => {
    await search('very-private-words');
    const keys = await redis.command('KEYS', '*');
    expect(keys).toContain('/api/v2/search');
    expect(keys).not.toContain('private-words');
  });

  it('is another one for another version', async () => {
    const v1 = await search('versions', guest, first, '/api/v1/search');
    const v2 = await search('versions', guest, first, '/api/v2/search');
    const byField = await search('versions', { ...guest, 'x-api-version': 'v1' }, first, '/api/search');
    const byDefault = await search('versions', guest, first, '/api/search');
    expect(Object.keys((await v1.json()) as object)).toEqual(['results', 'meta', '_meta']);
    expect(Object.keys((await v2.json()) as object)).toContain('data');
    expect(Object.keys((await byField.json()) as object)).toEqual(['results', 'meta', '_meta']);
    expect(Object.keys((await byDefault.json()) as object)).toContain('data');
  });
});

describe('keys that lead elsewhere', () => {
  it.each([
    ['a host that a proxy says', { 'x-forwarded-host': 'evil.example' }],
    ['another URL', { 'x-original-url': '/api/v2/me' }],
    ['another method', { 'x-http-method-override': 'DELETE' }],
  ])('are not poisoned by %s', async (what, headers) => {
    const q = `poison ${what}`;
    const poisoned = await search(q, { ...guest, ...headers });
    expect(poisoned.status).toBe(200);
    const clean = await search(q);
    expect(status(clean)).toBe('signalbox; fwd=uri-miss; stored');
    expect(await clean.text()).not.toContain('evil.example');
  });

  it.each(['/api/v2/me/x.css', '/api/v2/me%2fx.css', '/api/v2/me;x.css', '/api/v2/me/..%2fsearch.css'])(
    'keep nothing of a user under %s',
    async (path) => {
      for (const headers of [ada.bearer, guest]) {
        const answer = await fetch(first.url + path, { headers });
        expect(answer.status).toBe(404);
        expect(answer.headers.get('cache-status')).toBeNull();
        expect(await answer.text()).not.toContain(ada.email);
      }
    },
  );
});

describe('an admin', () => {
  it('forgets what is kept, by tag, in all processes', async () => {
    await search('forget');
    expect(status(await search('forget', guest, second))).toMatch(/; hit;|; collapsed/);
    const done = await postJson(`${first.url}/admin/cache/invalidate`, { tag: 'search' }, admin.bearer);
    expect(done.status).toBe(204);
    expect(status(await search('forget'))).toBe('signalbox; fwd=uri-miss; stored');
    await postJson(`${second.url}/admin/cache/invalidate`, { prefix: '/api/v2' }, admin.bearer);
    await expect.poll(async () => status(await search('forget'))).toMatch(/fwd=uri-miss/);
  });

  it.each([
    ['nothing', {}],
    ['two things', { tag: 'search', prefix: '/api' }],
    ['no path', { prefix: 'api' }],
    ['a number', { tag: 7 }],
    ['a list', { tag: ['search'] }],
  ])('is told what is wrong about %s', async (_what, body) => {
    const answer = await postJson(`${first.url}/admin/cache/invalidate`, body, admin.bearer);
    expect(answer.status).toBe(422);
  });

  it('alone may do so', async () => {
    const answer = await postJson(`${first.url}/admin/cache/invalidate`, { tag: 'search' }, ada.bearer);
    expect(answer.status).toBe(403);
  });

  it('sees how it stands with the cache, the upstreams and the routes', async () => {
    const get = async (path: string) =>
      (await (await fetch(`${first.url}/admin/${path}`, { headers: admin.bearer })).json()) as Record<
        string,
        unknown
      >;
    const overview = await get('overview');
    expect(overview['cache']).toMatchObject({ name: 'signalbox', hit: expect.any(Number) });
    expect(overview['upstreams']).toMatchObject([{ upstream: 'searxng' }, { upstream: 'searxng-proxy' }]);
    expect(JSON.stringify(overview)).not.toContain('very-private-words');
    const { routes } = (await get('routes')) as { routes: { method: string; path: string }[] };
    expect(routes.map(({ method, path }) => `${method} ${path}`)).toEqual(
      expect.arrayContaining([
        'GET /api/v1/search',
        'GET /api/v2/search',
        'POST /auth/login',
        'GET /api/v2/me',
      ]),
    );
  });
});

describe('while the instance is down', () => {
  it('what was found before is sent rather than what the embedded engine finds, and that is kept shortly', async () => {
    const who = await guestOf(brief.url);
    expect(((await (await search('old', who, brief)).json()) as Answer).source).toBe('searxng');
    expect(await redis.command('-n', '5', 'dbsize')).not.toBe('0');
    isDown = true;
    // Once it is stale it is sent and made anew, and when that has failed long enough it is sent instead.
    await expect
      .poll(async () => status(await search('old', who, brief)), { timeout: 10_000 })
      .toBe('signalbox; fwd=stale; fwd-status=503');
    const old = await search('old', who, brief);
    expect(((await old.json()) as Answer).source).toBe('searxng');
    expect(old.status).toBe(200);
    expect(Number(old.headers.get('age'))).toBeGreaterThanOrEqual(1);

    const other = await search('express', who, brief);
    expect(await other.json()).toMatchObject({ source: 'embedded', degraded: true });
    expect(other.headers.get('cache-control')).toBe(
      'private, max-age=10, stale-while-revalidate=0, stale-if-error=0',
    );
    isDown = false;
  });
});
