import { errorHandler, ForbiddenError, notFound } from '@signalbox/errors';
import { signals } from '@signalbox/signals';
import { listen } from '@signalbox/testing';
import express, { type Express } from 'express';
import { describe, expect, it, onTestFinished } from 'vitest';
import { heard, heardFeature } from '../../../test/support/heard.js';
import { send, type Answer } from '../../../test/support/send.js';
import { cors, exposedByDefault, type CorsOptions } from '../src/index.js';

function appWith(options: CorsOptions): Express {
  const app = express();
  app.use(cors(options));
  app.get('/', (_req, res) => void res.json({ ok: true }));
  app.get('/refused', (_req, _res, next) => next(new ForbiddenError()));
  app.get('/broken', () => {
    throw new Error('broken');
  });
  app.options('/own', (_req, res) => void res.set('Allow', 'GET').status(200).end());
  app.get(['/public/:thing', '/publicity', '/closed/:thing'], (_req, res) => void res.json({ ok: true }));
  app.use(notFound());
  app.use(errorHandler());
  return app;
}

const ORIGINS = ['https://app.example.com', 'https://*.example.org', 'http://localhost:5173'];

async function askFrom(origin: string | undefined, options: CorsOptions, path = '/'): Promise<Answer> {
  const url = await listen(appWith(options));
  return send(url, { path, headers: origin === undefined ? {} : { Origin: origin } });
}

const preflight = (origin: string, more: Record<string, string> = {}) => ({
  method: 'OPTIONS',
  headers: { Origin: origin, 'Access-Control-Request-Method': 'PUT', ...more },
});

describe('cors: an origin that is allowed', () => {
  it.each([
    'https://app.example.com',
    'https://a.example.org',
    'https://a.b.example.org',
    'https://xn--bcher-kva.example.org',
    'http://localhost:5173',
  ])('%s is named, with credentials and exposed headers', async (origin) => {
    const { status, headers } = await askFrom(origin, { origins: ORIGINS });

    expect(status).toBe(200);
    expect(headers['access-control-allow-origin']).toBe(origin);
    expect(headers['access-control-allow-credentials']).toBe('true');
    expect(headers['access-control-expose-headers']?.split(',')).toEqual([...exposedByDefault]);
    expect(headers['vary']).toBe('Origin');
  });

  it.each(['X-Total-Count', 'X-Page', 'X-Per-Page', 'X-Request-ID', 'RateLimit', 'Retry-After'])(
    'may read %s',
    (name) => {
      expect(exposedByDefault).toContain(name);
    },
  );

  it('reads errors as well', async () => {
    for (const [path, status] of [
      ['/refused', 403],
      ['/broken', 500],
      ['/nowhere', 404],
    ] as const) {
      const answer = await askFrom('https://app.example.com', { origins: ORIGINS }, path);
      expect(answer.status).toBe(status);
      expect(answer.headers['access-control-allow-origin']).toBe('https://app.example.com');
      expect(answer.headers['access-control-allow-credentials']).toBe('true');
      expect(answer.headers['vary']).toBe('Origin, Accept');
      expect(JSON.parse(answer.text)).toHaveProperty('error.code', status);
    }
  });

  it('is answered alike the second time', async () => {
    const url = await listen(appWith({ origins: ORIGINS }));
    const headers = { Origin: 'https://a.example.org' };
    const first = await send(url, { headers });
    const second = await send(url, { headers });

    expect({ ...second.headers, date: '' }).toEqual({ ...first.headers, date: '' });
  });
});

describe('cors: an origin that is not allowed', () => {
  it.each([
    'https://evil.com',
    'https://evil-example.org',
    'https://evilexample.org',
    'https://example.org',
    'https://.example.org',
    'https://a..example.org',
    'https://example.org.evil.com',
    'https://a.example.org.evil.com',
    'https://a.example.org.',
    'https://a.example.org:444',
    'https://evil.com:443.example.org',
    'https://user@a.example.org',
    'https://evil.com#.example.org',
    'https://evil.com/.example.org',
    'https://evil.com?.example.org',
    'https://evil.com\\.example.org',
    'http://a.example.org',
    'HTTPS://APP.EXAMPLE.COM',
    'https://App.example.com',
    'https://app.example.com.',
    'https://app.example.com:443',
    'https://app.example.com:444',
    'https://app.example.com/',
    'https://user:pass@app.example.com',
    'http://app.example.com',
    'https://app.example.com, https://evil.com',
    'http://localhost',
    'http://localhost:5174',
    'null',
    'NULL',
    '*',
    'undefined',
    'https://',
    '://',
    `https://${'a.'.repeat(2_000)}example.org`,
    `https://${'a'.repeat(64)}.example.org`,
  ])('%s gets an answer without CORS headers, and no error', async (origin) => {
    const findings = heard(signals.securityFinding);
    const { status, headers } = await askFrom(origin, { origins: ORIGINS });

    expect(status).toBe(200);
    expect(headers['access-control-allow-origin']).toBeUndefined();
    expect(headers['access-control-allow-credentials']).toBeUndefined();
    expect(headers['vary']).toBe('Origin');
    expect(findings).toEqual([{ kind: 'origin', rule: 'cors_origin', enforced: true }]);
  });

  it('gets 204 without CORS headers to a preflight request', async () => {
    const findings = heard(signals.securityFinding);
    const url = await listen(appWith({ origins: ORIGINS }));
    const { status, headers } = await send(url, preflight('https://evil.com'));

    expect(status).toBe(204);
    expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    expect(headers['vary']).toBe('Origin');
    expect(findings).toEqual([{ kind: 'origin', rule: 'cors_preflight', enforced: true }]);
  });

  it("is no finding where it is the app's own, which browsers send as well", async () => {
    const findings = heard(signals.securityFinding);
    const url = await listen(appWith({ origins: ORIGINS }));

    await send(url, { headers: { Origin: url } });
    await send(url, { headers: { Origin: 'https://elsewhere.example', 'Sec-Fetch-Site': 'same-origin' } });

    expect(findings).toEqual([]);
  });

  it('is everybody where no origin is listed', async () => {
    const { status, headers } = await askFrom('https://app.example.com', { origins: [] });

    expect(status).toBe(200);
    expect(headers['access-control-allow-origin']).toBeUndefined();
  });
});

describe('cors: a request without an origin', () => {
  it('gets Vary and nothing else, for what it gets may be kept for others', async () => {
    const { headers } = await askFrom(undefined, { origins: ORIGINS });

    expect(headers['vary']).toBe('Origin');
    expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
  });

  it('keeps what others vary by', async () => {
    const app = express();
    app.use((_req, res, next) => {
      res.vary('Cookie');
      next();
    });
    app.use(cors({ origins: [] }));
    app.get('/', (_req, res) => void res.end());

    expect((await send(await listen(app))).headers['vary']).toBe('Cookie, Origin');
  });
});

describe('cors: a preflight request', () => {
  it('is answered with 204, what is asked for, and how long that holds', async () => {
    const url = await listen(appWith({ origins: ORIGINS }));
    const asked = preflight('https://a.example.org', { 'Access-Control-Request-Headers': 'x-csrf-token' });
    const { status, headers } = await send(url, asked);

    expect(status).toBe(204);
    expect(headers).toMatchObject({
      'access-control-allow-origin': 'https://a.example.org',
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': 'GET,HEAD,PUT,PATCH,POST,DELETE',
      'access-control-allow-headers': 'x-csrf-token',
      'access-control-max-age': '3600',
      vary: 'Origin, Access-Control-Request-Headers',
    });
  });

  it('learns the methods and header fields that were chosen', async () => {
    const options = { origins: ORIGINS, methods: ['get'], allowedHeaders: ['X-One'], maxAgeSeconds: 5 };
    const url = await listen(appWith(options));
    const { headers } = await send(url, preflight('https://app.example.com'));

    expect(headers).toMatchObject({
      'access-control-allow-methods': 'GET',
      'access-control-allow-headers': 'X-One',
      'access-control-max-age': '5',
    });
  });

  it('is told from other OPTIONS requests, which are for the app', async () => {
    const url = await listen(appWith({ origins: ORIGINS }));
    const { status, headers } = await send(url, {
      method: 'OPTIONS',
      path: '/own',
      headers: { Origin: 'https://app.example.com' },
    });

    expect(status).toBe(200);
    expect(headers['allow']).toBe('GET');
    expect(headers['access-control-allow-origin']).toBe('https://app.example.com');
  });
});

describe('cors: a function of origins', () => {
  it.each([
    ['says yes', () => true, 'https://a.example'],
    ['says yes later', async () => true, 'https://a.example'],
    ['says no', () => false, undefined],
    ['says no later', async () => false, undefined],
    ['says something else than yes', () => 'yes' as never, undefined],
  ])('%s', async (_what, fn, allowed) => {
    const { status, headers } = await askFrom('https://a.example', { origins: [fn] });

    expect(status).toBe(200);
    expect(headers['access-control-allow-origin']).toBe(allowed);
    expect(headers['vary']).toBe('Origin');
  });

  it('gets the origin and the request, after the list, one after the other', async () => {
    const asked: string[] = [];
    const origins = [
      'https://listed.example',
      async (origin: string) => {
        asked.push(`first ${origin}`);
        return false;
      },
      (origin: string, { path }: express.Request) => {
        asked.push(`second ${origin} ${path}`);
        return origin === 'app://mobile';
      },
    ];
    const url = await listen(appWith({ origins }));

    await send(url, { headers: { Origin: 'https://listed.example' } });
    const { headers } = await send(url, { headers: { Origin: 'app://mobile' } });

    expect(headers['access-control-allow-origin']).toBe('app://mobile');
    expect(asked).toEqual(['first app://mobile', 'second app://mobile /']);
  });

  it.each([
    'null',
    '',
    'nonsense',
    'https://',
    'https://a b',
    'https://a@b',
    'https://a,https://b',
    'https://a/',
  ])('is not asked about %j', async (origin) => {
    const { headers } = await askFrom(origin, { origins: [() => true] });
    expect(headers['access-control-allow-origin']).toBeUndefined();
  });

  it.each([
    [
      'throws',
      () => {
        throw new TypeError('secret');
      },
    ],
    ['rejects', () => Promise.reject(new TypeError('secret'))],
  ])('that %s has not allowed the origin, and says so until it answers again', async (_what, fail) => {
    const findings = heard(signals.securityFinding);
    const states = heardFeature('cors');
    let fn: () => boolean | Promise<boolean> = fail;
    const url = await listen(appWith({ origins: [() => fn()] }));
    const headers = { Origin: 'https://a.example' };

    for (let times = 0; times < 2; times += 1) {
      const answer = await send(url, { headers });
      expect(answer.status).toBe(200);
      expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    }
    expect(findings).toContainEqual({ kind: 'origin', rule: 'origin_function_failed', enforced: true });
    fn = () => true;
    expect((await send(url, { headers })).headers['access-control-allow-origin']).toBe('https://a.example');

    expect(states).toEqual([
      { feature: 'cors', degraded: true, policy: 'closed', reason: 'an origin function failed: TypeError' },
      { feature: 'cors', degraded: false, policy: 'closed', reason: 'it works again' },
    ]);
  });

  it('that never answers has not allowed the origin', async () => {
    const options = { origins: [() => new Promise<boolean>(() => undefined)], timeoutMs: 20 };
    const { status, headers } = await askFrom('https://a.example', options);

    expect(status).toBe(200);
    expect(headers['access-control-allow-origin']).toBeUndefined();
  });

  it.each(['GET', 'OPTIONS'])('may come to its answer after somebody has answered a %s', async (method) => {
    let decide = (_allowed: boolean): void => undefined;
    const decided = new Promise<boolean>((resolve) => {
      decide = resolve;
    });
    const handled: string[] = [];
    const unheard: unknown[] = [];
    const hear = (reason: unknown): void => void unheard.push(reason);
    process.on('unhandledRejection', hear);
    onTestFinished(() => void process.off('unhandledRejection', hear));
    const app = express();
    app.use((_req, res, next) => {
      setTimeout(() => res.status(503).end(), 10);
      next();
    });
    app.use(cors({ origins: [() => decided] }), (req) => void handled.push(req.path));
    const { status } = await send(await listen(app), { ...preflight('https://a.example'), method });
    decide(true);
    await new Promise((resolve) => setImmediate(resolve));

    expect(status).toBe(503);
    expect(handled).toEqual([]);
    expect(unheard).toEqual([]);
  });
});

describe('cors: everybody', () => {
  it.each(['https://a.example', 'null', undefined])('has the same answer, %s', async (origin) => {
    const { headers } = await askFrom(origin, { origins: '*' });

    expect(headers['access-control-allow-origin']).toBe('*');
    expect(headers['access-control-allow-credentials']).toBeUndefined();
    expect(headers['vary']).toBe('Origin');
  });

  it('gets a preflight answer', async () => {
    const url = await listen(appWith({ origins: '*' }));
    const { status, headers } = await send(url, preflight('https://a.example'));

    expect(status).toBe(204);
    expect(headers['access-control-allow-origin']).toBe('*');
  });
});

describe('cors: rules for paths', () => {
  const options: CorsOptions = {
    origins: ORIGINS,
    maxAgeSeconds: 60,
    paths: {
      '/public': { origins: '*' },
      '/public/own/': { origins: ['https://app.example.com'], exposedHeaders: [] },
      '/closed': false,
    },
  };

  it.each([
    ['/public/a', 'https://any.example', '*'],
    ['/PUBLIC/a', 'https://any.example', '*'],
    ['/public/own', 'https://any.example', undefined],
    ['/public/own', 'https://app.example.com', 'https://app.example.com'],
    ['/publicity', 'https://any.example', undefined],
    ['/publicity', 'https://app.example.com', 'https://app.example.com'],
    ['/closed/a', 'https://app.example.com', undefined],
    ['/Closed/a', 'https://app.example.com', undefined],
  ])('%s, asked from %s, allows %s', async (path, origin, allowed) => {
    const { status, headers } = await askFrom(origin, options, path);

    expect(status).toBe(200);
    expect(headers['access-control-allow-origin']).toBe(allowed);
    expect(headers['vary']).toBe('Origin');
  });

  it('take what they leave out from the main one', async () => {
    const url = await listen(appWith(options));
    const { headers } = await send(url, { ...preflight('https://any.example'), path: '/public/a' });

    expect(headers['access-control-max-age']).toBe('60');
    expect(headers['access-control-allow-credentials']).toBeUndefined();
    expect((await send(url, { ...preflight('https://app.example.com'), path: '/closed/a' })).status).toBe(
      204,
    );
  });
});
