import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { facts } from '@signalbox/context';
import { listen, testClock } from '@signalbox/testing';
import express, { type RequestHandler, type Response } from 'express';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.js';
import { byAddress, byApiKey, byHeader, memoryStore, zones, RateLimitExceededError } from '../src/index.js';
import { appWith, failingStore, get, listening, send, serving, statuses } from './support.js';

describe('zones', () => {
  it('lets the burst through and then refuses with 429, in words and in numbers', async () => {
    const limits = zones({ zones: { api: '10/m burst 2' } });
    const url = await serving(limits.zone('api'));

    expect(await statuses(3, () => get(url))).toEqual([200, 200, 200]);
    const refused = await get(url);
    expect(refused.status).toBe(429);
    expect(refused.headers['retry-after']).toBe('6');
    expect(refused.body.error).toMatchObject({
      type: 'rate_limited',
      message: 'Too many requests: the limit is 10 requests in 1 minute. Try again in 6 seconds.',
      details: { zone: 'api', limit: 10, windowSeconds: 60, retryAfterSeconds: 6 },
    });
  });

  it('refuses the sixth search in a window, and lets the next window begin', async () => {
    const clock = testClock(0);
    const store = memoryStore({ now: clock.now });
    const url = await serving(zones({ store, zones: { search: '5/m' } }).zone('search'));

    expect(await statuses(6, () => get(url))).toEqual([200, 200, 200, 200, 200, 429]);
    clock.advance(60_000);
    // A refusal is trusted for a second without asking again, by a clock that is not the store's.
    await pause(1_010);
    expect((await get(url)).status).toBe(200);
  });

  it('asks several zones at once and charges none when one refuses', async () => {
    const limits = zones({ zones: { api: '5/h', search: '2/h' } });
    const search = await serving(limits.zone(['api', 'search']));
    const other = await serving(limits.zone('api'));

    expect(await statuses(6, () => get(search))).toEqual([200, 200, 429, 429, 429, 429]);
    expect(await statuses(4, () => get(other))).toEqual([200, 200, 200, 429]);
  });

  it('charges what a request costs, fixed or by the request', async () => {
    const limits = zones({
      zones: { api: '10/h', bulk: { rate: '10/h', cost: (req) => Number(req.query['n']) } },
    });
    const fixed = await serving(limits.zone({ zone: 'api', cost: 4 }));
    expect(await statuses(3, () => get(fixed))).toEqual([200, 200, 429]);

    const bulk = await serving(limits.zone('bulk'));
    expect((await get(`${bulk}/?n=8`)).status).toBe(200);
    expect((await get(`${bulk}/?n=3`)).status).toBe(429);
    expect((await get(`${bulk}/?n=0`)).status).toBe(200);
    expect((await get(`${bulk}/?n=1.5`)).status).toBe(200);
    expect((await get(`${bulk}/?n=1`)).status).toBe(429);
  });

  it.each([
    ['no number', 'abc', 1],
    ['negative', '-5', 1],
    ['infinite', 'Infinity', 10],
    ['above the limit', '1e300', 10],
  ])('counts a cost that is %s as it says', async (_what, cost, counted) => {
    const limits = zones({
      zones: { bulk: { rate: '10/h', cost: (req) => Number(req.query['n']) } },
    });
    const url = await serving(limits.zone('bulk'));
    const { headers, status } = await get(`${url}/?n=${cost}`);
    expect(status).toBe(200);
    expect(headers['ratelimit']).toContain(`;r=${10 - counted};`);
  });

  it('counts by plan', async () => {
    const limits = zones({
      zones: {
        api: {
          plans: { guest: '1/h', pro: '3/h' },
          plan: (req) => req.get('x-plan'),
          key: byHeader('x-user'),
        },
      },
    });
    const url = await serving(limits.zone('api'));
    const as = (user: string, plan: string) => () => get(url, { 'x-user': user, 'x-plan': plan });
    expect(await statuses(2, as('a', 'guest'))).toEqual([200, 429]);
    expect(await statuses(4, as('b', 'pro'))).toEqual([200, 200, 200, 429]);
    // Whatever else is said: the first plan.
    expect(await statuses(2, as('c', '__proto__'))).toEqual([200, 429]);
  });

  it('counts in shadow mode and refuses nobody', async () => {
    const { decisions } = listening();
    const limits = zones({ shadow: true, zones: { api: '1/h' } });
    const seen: unknown[] = [];
    const url = await serving(limits.zone('api'), (req, _res, next) => {
      seen.push(facts(req).rateLimit);
      next();
    });

    expect(await statuses(3, () => get(url))).toEqual([200, 200, 200]);
    const { headers } = await get(url);
    expect(headers).not.toHaveProperty('ratelimit');
    expect(headers).not.toHaveProperty('retry-after');
    expect(seen).toEqual(['allowed', 'shadow', 'shadow', 'shadow']);
    expect(decisions.map(({ outcome }) => outcome)).toEqual([
      'allowed',
      'shadow_refused',
      'shadow_refused',
      'shadow_refused',
    ]);
    expect(limits.report()[0]).toMatchObject({ allowed: 1, shadowRefused: 3, refused: 0, shadow: true });
  });

  it('lets pass who is allowed or skipped, and keeps out who is denied', async () => {
    const limits = zones({ zones: { api: '1/h' }, skip: (req) => req.path === '/free' });
    const url = await serving(limits.zone('api', { skip: (req) => req.path === '/here' }));
    expect(await statuses(3, () => get(`${url}/free`))).toEqual([200, 200, 200]);
    expect(await statuses(3, () => get(`${url}/here`))).toEqual([200, 200, 200]);
    expect(await statuses(2, () => get(url))).toEqual([200, 429]);

    const allowed = await serving(zones({ zones: { api: '1/h' }, allow: ['127.0.0.0/8'] }).zone('api'));
    expect(await statuses(3, () => get(allowed))).toEqual([200, 200, 200]);
    // Who says to be somebody else is not the one who is allowed.
    expect(await statuses(2, () => get(allowed, { 'x-forwarded-for': '127.0.0.1' }))).toEqual([200, 429]);

    const denied = await serving(zones({ zones: { api: '1/h' }, deny: ['127.0.0.1'] }).zone('api'));
    for (const headers of [{}, { 'x-forwarded-for': '203.0.113.9' }, { forwarded: 'for=203.0.113.9' }]) {
      const refused = await get(denied, headers as Record<string, string>);
      expect(refused.status).toBe(403);
      expect(refused.body.error?.type).toBe('address_denied');
    }
  });

  it('refuses also whom a proxy names with a port, at the addresses that are denied', async () => {
    const limits = zones({ zones: { api: '9/h' }, deny: ['203.0.113.0/24', '2001:db8::/32'] });
    const app = appWith(limits.zone('api')).set('trust proxy', true);
    const url = await listen(app);
    for (const address of ['203.0.113.7:4711', '[2001:db8::1]:4711', '[2001:db8::1]'])
      expect([address, (await get(url, { 'x-forwarded-for': address })).status]).toEqual([address, 403]);
    expect((await get(url, { 'x-forwarded-for': '198.51.100.7:4711' })).status).toBe(200);
  });

  it('counts once whom two keys of a zone call by one name, as where one stands in for the other', async () => {
    const limits = zones({ zones: { api: { rate: '2/h', key: [byApiKey(), byAddress()] } } });
    const url = await serving(limits.zone('api'));
    expect(await statuses(3, () => get(url))).toEqual([200, 200, 429]);
    const taken = [];
    for (let times = 0; times < 3; times++) taken.push(await limits.take('api', ['ada', 'ada']));
    expect(taken.map(({ allowed }) => allowed)).toEqual([true, true, false]);
  });

  it('says the same of what is left at each refusal', async () => {
    const url = await serving(zones({ zones: { api: '10/h' } }).zone({ zone: 'api', cost: 7 }));
    await get(url);
    for (let times = 0; times < 3; times++)
      expect((await get(url)).headers['ratelimit']).toBe('"api";r=3;t=3600');
  });

  it('skips nobody by a function that returns a promise', async () => {
    const skip = (async () => false) as unknown as () => boolean;
    const here = await serving(zones({ zones: { api: '1/h' } }).zone('api', { skip }));
    expect(await statuses(2, () => get(here))).toEqual([200, 429]);
    const everywhere = await serving(zones({ zones: { api: '1/h' }, skip }).zone('api'));
    expect(await statuses(2, () => get(everywhere))).toEqual([200, 429]);
  });

  it('does not apply where a key function says so, and says where one is asynchronous', async () => {
    const limits = zones({
      zones: {
        account: { rate: '1/h', key: (req) => req.get('x-account') },
        wrong: { rate: '1/h', key: (async () => 'x') as never },
      },
    });
    const url = await serving(limits.zone('account'));
    expect(await statuses(3, () => get(url))).toEqual([200, 200, 200]);
    expect(await statuses(2, () => get(url, { 'x-account': 'a' }))).toEqual([200, 429]);
    expect((await get(await serving(limits.zone('wrong')))).status).toBe(500);
  });

  it('refuses who is known to be over without asking the store, for a second at most', async () => {
    const inner = memoryStore();
    let asked = 0;
    const store = failingStore({
      ...inner,
      take(asks) {
        asked += 1;
        return inner.take(asks);
      },
    });
    store.isDown = false;
    const limits = zones({
      store,
      zones: { api: { rate: '4/h', cost: (req) => Number(req.query['n'] ?? 1) } },
    });
    const url = await serving(limits.zone('api'));

    expect((await get(`${url}/?n=2`)).status).toBe(200);
    expect((await get(`${url}/?n=3`)).status).toBe(429);
    expect(asked).toBe(2);
    expect((await get(`${url}/?n=3`)).status).toBe(429);
    expect((await get(`${url}/?n=4`)).status).toBe(429);
    expect(asked).toBe(2);
    // What costs less may fit.
    expect((await get(`${url}/?n=2`)).status).toBe(200);
    expect((await get(url)).status).toBe(429);
    expect(asked).toBe(4);
    await limits.reset('api', '127.0.0.1');
    expect((await get(url)).status).toBe(200);
    expect((await get(url)).status).toBe(200);
  });

  it('does not hang or count when the client has gone away meanwhile', async () => {
    const limits = zones({ zones: { api: '5/h' } });
    const url = await serving(limits.zone('api'));
    await Promise.allSettled(Array.from({ length: 3 }, () => fetch(url, { signal: AbortSignal.timeout(1) })));
    expect((await get(url)).status).toBe(200);
  });

  it('shows in req.rateLimit how it stands with the tightest zone', async () => {
    const limits = zones({ zones: { wide: '100/h', narrow: '3/h' } });
    const times: unknown[] = [];
    const url = await serving(limits.zone(['wide', 'narrow']), (req, _res, next) => {
      times.push(req.rateLimit?.resetTime, req.rateLimit?.used);
      next();
    });
    const { body } = await get(url);
    expect(body['rateLimit']).toMatchObject({ limit: 3, remaining: 2, zone: 'narrow' });
    expect(times).toEqual([expect.any(Date), 1]);
  });

  it('tells a plain Express app as much: the error brings status, code and Retry-After', async () => {
    const limits = zones({ zones: { api: '1/h' } });
    const app = express();
    app.use(limits.zone('api'));
    let caught: unknown;
    app.use(((error, _req, res, _next) => {
      caught = error;
      res.status(418).end();
    }) as express.ErrorRequestHandler);
    const url = await serving(app);
    await get(url);
    const { status, headers } = await get(url);
    expect(status).toBe(418);
    expect(headers['retry-after']).toBe('3600');
    expect(caught).toBeInstanceOf(RateLimitExceededError);
    expect(caught).toMatchObject({
      status: 429,
      code: 'rate_limited',
      zone: 'api',
      retryAfterSeconds: 3_600,
    });
  });
});

describe('zones().take', () => {
  it('counts in the buckets of the requests', async () => {
    const limits = zones({ zones: { search: '3/h' } });
    const url = await serving(limits.zone('search'));
    await get(url);
    expect(await limits.take('search', '127.0.0.1')).toMatchObject({
      allowed: true,
      zone: 'search',
      limit: 3,
      remaining: 1,
      source: 'store',
      retryAfterSeconds: undefined,
    });
    // The same address, as a socket on a dual-stack server sees it.
    expect(await limits.take('search', '::ffff:127.0.0.1')).toMatchObject({ allowed: true, remaining: 0 });
    expect(await limits.take('search', '127.0.0.1')).toMatchObject({
      allowed: false,
      retryAfterSeconds: 3_600,
    });
    expect((await get(url)).status).toBe(429);
    expect(await limits.take('search', '127.0.0.2')).toMatchObject({ allowed: true, remaining: 2 });

    await limits.reset('search', '127.0.0.1');
    expect((await get(url)).status).toBe(200);
  });

  it('takes cost and plan', async () => {
    const limits = zones({
      zones: { api: { plans: { guest: '1/h', pro: '10/h' }, plan: () => 'guest' } },
    });
    expect(await limits.take('api', 'a', { plan: 'pro', cost: 9 })).toMatchObject({ remaining: 1 });
    expect(await limits.take('api', 'a', { plan: 'pro', cost: 0 })).toMatchObject({ allowed: true });
    expect(await limits.take('api', '::1', { cost: Number.NaN })).toMatchObject({
      remaining: 0,
      allowed: true,
    });
  });

  it('wants one text for each key function of a zone', async () => {
    const limits = zones({
      zones: { login: { rate: '1/h', key: [byAddress(), (req) => req.get('x-account')] }, api: '1/s' },
    });
    await expect(limits.take('login', 'x')).rejects.toThrow(
      new TypeError('zones: the key of "login" must be a list of 2, got 1'),
    );
    await expect(limits.take('api', 7 as never)).rejects.toThrow(
      new TypeError('take: "key" must be a string or a list of strings, got 7'),
    );
    expect(await limits.take('login', ['10.0.0.1', undefined])).toMatchObject({ allowed: true });
    expect(await limits.take('login', ['10.0.0.2', 'alice'])).toMatchObject({ allowed: true });
    expect(await limits.take('login', ['10.0.0.3', 'alice'])).toMatchObject({ allowed: false });
    expect(await limits.take('login', ['10.0.0.1', 'bob'])).toMatchObject({ allowed: false });
    await limits.reset('login', 'alice');
    expect(await limits.take('login', ['10.0.0.4', 'alice'])).toMatchObject({ allowed: true });
  });
});

describe('zones().report', () => {
  it('says what each zone allows, what it has seen and how many are near the limit, and names nobody', async () => {
    const limits = zones({
      zones: {
        api: '10/s burst 20',
        login: { rate: '2/15m', count: 'failures' },
        bulk: { plans: { guest: '1/h sliding', pro: '50/s burst 100' }, plan: () => undefined },
      },
    });
    const url = await serving(limits.zone('login'), (_req, res) => void res.status(401).end());
    await statuses(4, () => get(url));

    const report = limits.report();
    expect(report).toMatchObject([
      { zone: 'api', rate: '10/s burst 20', policy: '10 requests in 1 second, 21 at once', nearLimit: 0 },
      {
        zone: 'login',
        rate: '2/15m',
        policy: '2 requests in 15 minutes',
        count: 'failures',
        allowed: 2,
        refused: 2,
        nearLimit: 1,
        local: 0,
      },
      {
        zone: 'bulk',
        policy: '1 request in any hour',
        plans: { guest: '1/h sliding', pro: '50/s burst 100' },
        perSecond: 0,
      },
    ]);
    expect(report[1]?.perSecond).toBeGreaterThan(0);
    expect(JSON.stringify(report)).not.toContain('127.0.0.1');
  });
});

describe('failures', () => {
  const login: RequestHandler = (req, res) => {
    res.status((req.body as { password?: string }).password === 'right' ? 200 : 401).end();
  };
  const attempt = (url: string, account: unknown, password: string) =>
    send('POST', url, { 'content-type': 'application/json' }, JSON.stringify({ account, password }));

  function loginApp(): Promise<string> {
    const limits = zones({
      zones: {
        login: {
          rate: '5/15m',
          count: 'failures',
          key: [byAddress(), (req) => (req.body as { account?: string }).account],
        },
      },
    });
    return serving(express.json(), limits.zone('login'), login);
  }

  it('alone count, by account and by address', async () => {
    const url = await loginApp();
    expect(await statuses(20, () => attempt(url, 'alice', 'right'))).toEqual(
      Array.from({ length: 20 }, () => 200),
    );
    expect(await statuses(4, () => attempt(url, 'alice', 'wrong'))).toEqual([401, 401, 401, 401]);
    expect((await attempt(url, 'alice', 'right')).status).toBe(200);
    expect((await attempt(url, 'bob', 'wrong')).status).toBe(401);
    // Five from this address.
    expect((await attempt(url, 'carol', 'right')).status).toBe(429);
  });

  it('are no more than the limit, however many guesses come at once', async () => {
    const url = await loginApp();
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_each, index) => attempt(url, 'alice', `guess ${index}`)),
    );
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(5);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(95);
  });

  it('cannot be hidden behind another spelling of the account', async () => {
    const limits = zones({
      zones: {
        login: { rate: '2/h', count: 'failures', key: (req) => (req.body as { account?: string }).account },
      },
    });
    const url = await serving(express.json(), limits.zone('login'), login);
    expect((await attempt(url, 'alice', 'wrong')).status).toBe(401);
    expect((await attempt(url, ['alice'], 'wrong')).status).toBe(401);
    expect((await attempt(url, 'alice', 'wrong')).status).toBe(429);
    expect((await attempt(url, { toString: 1 }, 'wrong')).status).toBe(401);
  });

  it('are what the app says they are', async () => {
    const limits = zones({
      zones: { login: { rate: '1/h', count: 'failures' } },
      requestWasSuccessful: (_req, res) => res.statusCode === 401,
    });
    const url = await serving(express.json(), limits.zone('login'), login);
    expect(await statuses(3, () => attempt(url, 'a', 'wrong'))).toEqual([401, 401, 401]);
    expect(await statuses(2, () => attempt(url, 'a', 'right'))).toEqual([200, 429]);
  });

  it.each<[string, () => boolean]>([
    [
      'throws',
      () => {
        throw new TypeError('"requestWasSuccessful" has failed');
      },
    ],
    ['is asynchronous', (async () => Promise.reject(new Error('no'))) as unknown as () => boolean],
  ])('include whatever a test has not called a success that %s', async (_how, requestWasSuccessful) => {
    const warned = new Promise((resolve) => process.once('warning', resolve));
    const limits = zones({ zones: { login: { rate: '1/h', count: 'failures' } }, requestWasSuccessful });
    const url = await serving(express.json(), limits.zone('login'), login);
    expect(await statuses(2, () => attempt(url, 'a', 'right'))).toEqual([200, 429]);
    expect(await warned).toMatchObject({ message: expect.stringContaining('"requestWasSuccessful"') });
  });

  it('include guesses whose sender hangs up before the answer', async () => {
    const limits = zones({ zones: { login: { rate: '3/h', count: 'failures' } } });
    const guesses: Response[] = [];
    const url = await serving(limits.zone('login'), (_req, res) => void guesses.push(res));
    const control = new AbortController();
    const asked = Array.from({ length: 3 }, () => fetch(url, { signal: control.signal }));
    await Promise.all([
      eventually(() => guesses.length === 3).then(() => control.abort()),
      Promise.allSettled(asked),
    ]);
    await eventually(() => guesses.every((res) => res.closed));
    for (const res of guesses) res.status(200).end();
    expect((await get(url)).status).toBe(429);
  });

  it('do not include a success whose sender hangs up while it waits behind another answer', async () => {
    const limits = zones({ zones: { login: { rate: '2/h', count: 'failures' } } });
    let waiting: (() => void) | undefined;
    let isAnswered = false;
    const url = await serving(limits.zone('login'), (req, res) => {
      if (req.path === '/held') waiting = () => void res.end();
      else isAnswered = res.status(200).end('answered').writableEnded;
    });
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.write('GET /held HTTP/1.1\r\nHost: x\r\n\r\nGET /right HTTP/1.1\r\nHost: x\r\n\r\n');
    await eventually(() => isAnswered && waiting !== undefined);
    socket.destroy();
    // The one that was held stays counted, since nobody knows what it would have been; the other does not.
    await eventually(async () => (await get(url)).headers['ratelimit'] === '"login";r=0;t=3600');
    expect(await statuses(3, () => get(url))).toEqual([200, 200, 200]);
  });

  it('of an app that serves other things are counted beside them', async () => {
    const limits = zones({ zones: { api: '100/h', login: { rate: '1/h', count: 'failures' } } });
    const app = appWith(limits.zone(['api', 'login']));
    const url = await serving(app);
    await statuses(3, () => get(url));
    const { headers } = await get(url);
    expect(headers['ratelimit']).toBe('"api";r=96;t=3600, "login";r=0;t=3600');
  });
});

describe('a middleware of zones', () => {
  it('asks the store before it returns, so that all who ask in one turn share a write', async () => {
    let isReturned = false;
    const askedAfter: boolean[] = [];
    const inner = memoryStore();
    const limits = zones({
      store: {
        ...inner,
        async take(asks) {
          askedAfter.push(isReturned);
          return inner.take(asks);
        },
      },
      zones: { api: '9/h', search: '9/h' },
    });
    const middleware = limits.zone(['api', 'search']);
    const url = await serving((req, res, next) => {
      isReturned = false;
      void middleware(req, res, next);
      isReturned = true;
    });
    expect((await get(url)).status).toBe(200);
    expect(askedAfter).toEqual([false]);
  });
});
