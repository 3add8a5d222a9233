import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accountOf, ADMIN_SETTINGS, adminOf, guestOf, type Credentials } from '../support/identity.js';
import { startNginx } from '../support/nginx.js';
import {
  runOrchestrator,
  startOrchestrator,
  WITHOUT_ACCOUNTS,
  type RunningOrchestrator,
} from '../support/orchestrator.js';

interface Envelope {
  error: { code: number; type: string; message: string; requestId: string; details?: unknown };
}

interface Overview {
  redis: { state: string };
  limits: { zone: string; rate: string; policy: string; allowed: number; refused: number }[];
  screening: Record<string, unknown>;
  modules: { name: string; state: string }[];
}

const ALLOWED = 'https://app.example';

let running: RunningOrchestrator;
let admin: Credentials;
beforeAll(async () => {
  running = await startOrchestrator({ CORS_ORIGINS: `${ALLOWED},https://*.example.org`, ...ADMIN_SETTINGS });
  admin = (await adminOf(running.url)).bearer;
});
afterAll(() => running.program.stop());

function send(
  path: string,
  options: { method?: string; headers?: Record<string, string> } = {},
): Promise<Response> {
  return fetch(running.url + path, { ...options, headers: { ...admin, ...options.headers } });
}

async function overviewOf(url: string, headers: Credentials = admin): Promise<Overview> {
  return (await (await fetch(`${url}/admin/overview`, { headers })).json()) as Overview;
}

describe('the limits of the orchestrator', () => {
  let limited: RunningOrchestrator;
  let limitedAdmin: Credentials;
  beforeAll(async () => {
    limited = await startOrchestrator({
      CORS_ORIGINS: ALLOWED,
      RATE_SEARCH: undefined,
      TRUST_PROXY: 'loopback',
      ...ADMIN_SETTINGS,
    });
    limitedAdmin = (await adminOf(limited.url)).bearer;
  });
  afterAll(() => limited.program.stop());

  const searchFrom = (address: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${limited.url}/api/v1/search?q=express`, {
      headers: { ...limitedAdmin, 'X-Forwarded-For': address, ...headers },
    });

  it('refuse the sixth search of a minute in the profile test, in the envelope, with CORS and Retry-After', async () => {
    const statuses: number[] = [];
    for (let n = 0; n < 5; n += 1) statuses.push((await searchFrom('192.0.2.1')).status);
    expect(statuses).toEqual([200, 200, 200, 200, 200]);

    const refused = await searchFrom('192.0.2.1', { Origin: ALLOWED });
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(50);
    expect(refused.headers.get('access-control-allow-origin')).toBe(ALLOWED);
    expect(refused.headers.get('access-control-expose-headers')).toContain('RateLimit');
    expect(refused.headers.get('ratelimit')).toMatch(/"search";r=0;t=\d+/);
    expect(refused.headers.get('cache-control')).toBe('no-store');
    const { error } = (await refused.json()) as Envelope;
    expect(error).toMatchObject({ code: 429, type: 'rate_limited', requestId: expect.any(String) });
    expect(error.details).toMatchObject({ zone: 'search', limit: 5, windowSeconds: 60 });
  });

  it('say on every answer what is left, of both zones', async () => {
    const { headers } = await searchFrom('192.0.2.2');
    expect(headers.get('ratelimit-policy')).toBe('"api";q=1001;w=2, "search";q=5;w=60');
    expect(headers.get('ratelimit')).toMatch(/^"api";r=1000;t=1, "search";r=4;t=60$/);
  });

  it('count addresses apart, and all of an IPv6 /56 as one', async () => {
    for (let n = 0; n < 5; n += 1) await searchFrom(`2001:db8:0:ff0${n}::1`);
    expect((await searchFrom('2001:db8:0:ff55::9')).status).toBe(429);
    expect((await searchFrom('2001:db8:0:fe00::9')).status).toBe(200);
    expect((await searchFrom('192.0.2.3')).status).toBe(200);
  });

  it('believe the proxy, and not what the visitor told it', async () => {
    for (let n = 0; n < 5; n += 1) await searchFrom(`10.9.8.${n}, 192.0.2.4`);
    expect((await searchFrom('10.9.8.200, 192.0.2.4')).status).toBe(429);
  });

  it('are shown to operators with their load and refusals, and no address', async () => {
    const seen = await overviewOf(limited.url, limitedAdmin);
    const search = seen.limits.find(({ zone }) => zone === 'search');
    expect(search).toMatchObject({ rate: '5/m', policy: '5 requests in 1 minute' });
    expect(search?.allowed).toBeGreaterThan(5);
    expect(search?.refused).toBeGreaterThan(0);
    expect(JSON.stringify(seen)).not.toContain('192.0.2');
  });

  it('stand in the log line of a request and in the metrics', async () => {
    await searchFrom('192.0.2.1');
    const line = limited.log().findLast(({ rateLimit }) => rateLimit === 'refused');
    expect(line).toMatchObject({ level: 'warn', status: 429 });
    const metrics = await (await fetch(`${limited.url}/metrics`)).text();
    expect(metrics).toMatch(/outcome="refused".*\} [1-9]/);
  });
});

describe('origins', () => {
  it.each([ALLOWED, 'https://a.example.org', 'https://a.b.example.org'])(
    '%s may read answers',
    async (origin) => {
      const { headers } = await send('/api/v1/search?q=express', { headers: { Origin: origin } });
      expect(headers.get('access-control-allow-origin')).toBe(origin);
      expect(headers.get('access-control-allow-credentials')).toBe('true');
      expect(headers.get('vary')).toContain('Origin');
    },
  );

  it.each([
    'https://evil-example.org',
    'https://example.org.evil.com',
    'https://example.org',
    'http://app.example',
    'https://app.example:444',
    'https://app.example.',
    'null',
    'nonsense',
  ])('%s may not, and gets no error for it', async (origin) => {
    const response = await send('/api/v1/search?q=express', { headers: { Origin: origin } });
    expect(response.status).toBe(200);
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
    expect(response.headers.get('vary')).toContain('Origin');
  });

  it('get their headers on errors of every kind', async () => {
    const headers = { Origin: ALLOWED };
    for (const [path, status] of [
      ['/nope', 404],
      ['/api/v1/search', 400],
      ['/admin/nope', 404],
    ] as const) {
      const response = await send(path, { headers });
      expect([path, response.status]).toEqual([path, status]);
      expect(response.headers.get('access-control-allow-origin')).toBe(ALLOWED);
    }
  });

  it('that nobody should allow stop the start in production, with a sentence', async () => {
    const program = await runOrchestrator({
      NODE_ENV: 'production',
      PORT: '0',
      SECRET_KEYS: 'a-secret-of-more-than-thirty-two-bytes-for-tests',
      CORS_ORIGINS: 'http://app.example',
    });
    expect(await program.exited).toMatchObject({ code: 78 });
    expect(program.stderr()).toMatch(/CORS_ORIGINS.*http:\/\/app\.example/s);
  });
});

describe('requests that change something', () => {
  const refusal = async (headers: Record<string, string>): Promise<string | number> => {
    // Without a token: what a browser sends by itself is at stake.
    const response = await fetch(`${running.url}/api/v1/search`, { method: 'POST', headers });
    return response.status === 403 ? ((await response.json()) as Envelope).error.type : response.status;
  };

  it('pass this far from the page itself, and from what is no browser', async () => {
    expect(await refusal({ 'Sec-Fetch-Site': 'same-origin' })).toBe(404);
    expect(await refusal({ Origin: running.url })).toBe(404);
    expect(await refusal({ Origin: ALLOWED })).toBe(404);
    expect(await refusal({})).toBe(404);
  });

  it('are refused from another site, with 403 csrf_failed', async () => {
    expect(await refusal({ 'Sec-Fetch-Site': 'cross-site', Origin: 'https://evil.example' })).toBe(
      'csrf_failed',
    );
    expect(await refusal({ Origin: 'https://evil.example' })).toBe('csrf_failed');
    expect(await refusal({ Cookie: 'any=1' })).toBe('csrf_failed');
  });

  it('pass with a token from /auth/csrf and its cookies', async () => {
    const issued = await send('/auth/csrf');
    expect(issued.headers.get('cache-control')).toBe('no-store');
    const { csrfToken } = (await issued.json()) as { csrfToken: string };
    const cookie = issued.headers
      .getSetCookie()
      .map((field) => field.split(';')[0])
      .join('; ');
    expect(await refusal({ Cookie: cookie, 'X-CSRF-Token': csrfToken })).toBe(404);
    expect(await refusal({ Cookie: cookie, 'X-CSRF-Token': `${csrfToken}x` })).toBe('csrf_failed');
    expect(await refusal({ Cookie: cookie })).toBe('csrf_failed');
  });
});

describe('screening', () => {
  it('reports what it would have refused, and lets it through, without keeping a word of it', async () => {
    const attack = "1' UNION SELECT password FROM users--";
    expect((await send(`/api/v1/search?q=express&category=${encodeURIComponent(attack)}`)).status).toBe(400);
    const { screening } = await overviewOf(running.url);
    expect(JSON.stringify(screening)).toMatch(/sql/);
    expect(JSON.stringify(screening)).not.toContain('password');
  });

  it('refuses with 400 screened where it is enforced, and lets people search for code', async () => {
    const strict = await startOrchestrator({ ...WITHOUT_ACCOUNTS, SCREENING: 'enforce' });
    try {
      const headers = await guestOf(strict.url);
      const of = (query: string): Promise<Response> =>
        fetch(`${strict.url}/api/v1/search?${query}`, { headers });
      expect((await of('q=how+to+select+all+from+a+table+in+sql')).status).toBe(200);
      expect((await of(`q=${encodeURIComponent("what does <script> do in html, o'brien?")}`)).status).toBe(
        200,
      );
      const refused = await of(`q=${encodeURIComponent("x' UNION ALL SELECT NULL,password FROM users-- -")}`);
      expect(refused.status).toBe(400);
      expect(((await refused.json()) as Envelope).error.type).toBe('screened');
    } finally {
      await strict.program.stop();
    }
  });
});

describe('/admin', () => {
  it('is open to admins on this machine, and to nobody else', async () => {
    const { redis, limits, modules } = await overviewOf(running.url);
    expect(redis).toEqual({ state: 'not_used' });
    expect(limits.map(({ zone }) => zone)).toEqual([
      'api',
      'search',
      'login',
      'accounts',
      'guests',
      'letters',
      'guest',
      'key',
    ]);
    expect((await fetch(`${running.url}/admin/overview`)).status).toBe(401);
    const user = await accountOf(running.url);
    expect((await fetch(`${running.url}/admin/overview`, { headers: user.bearer })).status).toBe(403);
    expect(modules).toContainEqual({ name: 'search', prefix: '/search', state: 'ready' });
  });

  it.each([
    { 'X-Forwarded-For': '127.0.0.1' },
    { 'X-Real-IP': '127.0.0.1' },
    { Forwarded: 'for=127.0.0.1' },
    { Via: '1.1 proxy' },
    { 'X-Forwarded-Host': 'localhost' },
  ])('is closed to a request that somebody forwarded: %o', async (headers) => {
    for (const path of ['/admin/overview', '/ADMIN/overview/', '/metrics', '/health/detailed']) {
      expect([path, (await send(path, { headers })).status]).toEqual([path, 403]);
    }
  });

  it('behind nginx is open to those whom nginx names, and to nobody who names himself', async () => {
    const behind = await startOrchestrator({
      TRUST_PROXY: 'loopback',
      ADMIN_ALLOW: '203.0.113.0/24',
      ...ADMIN_SETTINGS,
    });
    const headers = (await adminOf(behind.url)).bearer;
    const nginx = await startNginx(
      ({ port }) => `
        server {
          listen 127.0.0.1:${port};
          location / {
            proxy_pass ${behind.url};
            proxy_set_header X-Forwarded-For $http_x_test_client;
          }
        }`,
    );
    try {
      const status = async (client: string, more: Record<string, string> = {}): Promise<number> =>
        (
          await fetch(`${nginx.url}/admin/overview`, {
            headers: { ...headers, 'X-Test-Client': client, ...more },
          })
        ).status;
      expect(await status('203.0.113.7')).toBe(200);
      expect(await status('203.0.113.7, 198.51.100.1')).toBe(403);
      expect(await status('198.51.100.1', { 'X-Real-IP': '203.0.113.7' })).toBe(403);
      expect((await fetch(`${behind.url}/admin/overview`, { headers })).status).toBe(403);
    } finally {
      await nginx.stop();
      await behind.program.stop();
    }
  });
});

describe('input that means harm', () => {
  it.each([
    ['X-Forwarded-For', 'x'.repeat(7_000)],
    ['X-Forwarded-For', '%00, ::ffff:1.2.3.4%eth0, [::1]:80'],
    ['Origin', `https://${'a.'.repeat(3_000)}example.org`],
    ['Cookie', `csrf=${'%'.repeat(500)}; csrf-id=j:{}; =; ;;`],
    ['Sec-Fetch-Site', 'same-origin, cross-site'],
    ['X-CSRF-Token', '|||'],
  ])('in %s is never a 500', async (field, value) => {
    const response = await send('/api/v1/search?q=express', { method: 'POST', headers: { [field]: value } });
    expect(response.status).toBeGreaterThanOrEqual(400);
    expect(response.status).toBeLessThan(500);
    expect((await send('/api/v1/search?q=express', { headers: { [field]: value } })).status).toBeLessThan(
      500,
    );
  });

  it('in the request line is never a 500', async () => {
    for (const path of [
      '/api/v1/search?q=%00',
      '/api/v1/search?q=%c0%ae',
      '/api/v1/search?q=a&q=b&q[]=c',
      '//evil',
    ]) {
      const status = await new Promise<number | undefined>((resolve, reject) => {
        request(new URL(running.url), { path }, (res) => {
          res.resume();
          resolve(res.statusCode);
        })
          .on('error', reject)
          .end();
      });
      expect([path, status !== undefined && status < 500]).toEqual([path, true]);
    }
  });
});
