import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer, request, type RequestOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import { listen } from '@signalbox/testing';
import express, { type ErrorRequestHandler, type RequestHandler } from 'express';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../test/support/eventually.js';
import { selfSigned } from '../../../test/support/self-signed.js';
import { send } from '../../../test/support/send.js';
import { byUser, cache, cachedRoute, memoryStore } from '../src/index.js';
import { clock, counting, fields, get, serving } from './support.js';

/** Answers by who asks, as a careless handler does: without a word about caches. */
const whoAmI: RequestHandler = (req, res) => {
  const who = req.headers.authorization ?? req.headers.cookie ?? req.headers['x-api-key'] ?? 'nobody';
  res.json({ you: who });
};

const ALICE = { cookie: 'sid=alice' };
const BOB = { cookie: 'sid=bob' };

describe('two users', () => {
  it.each([
    ['cookies', ALICE, BOB],
    ['Authorization', { authorization: 'Bearer alice' }, { authorization: 'Bearer bob' }],
    ['API keys', { 'x-api-key': 'alice' }, { 'x-api-key': 'bob' }],
  ])('with %s never see each other in what a careless handler answers', async (_kind, alice, bob) => {
    const url = await serving(cache({ ttlMs: 60_000 }), whoAmI);
    for (const [who, name] of [
      [alice, 'alice'],
      [bob, 'bob'],
      [{}, 'nobody'],
      [alice, 'alice'],
      [{}, 'nobody'],
      [bob, 'bob'],
    ] as const) {
      const { text } = await get(`${url}/me`, who);
      expect(text).toContain(name);
    }
  });

  it.each(
    `x-access-token x-auth-token token apikey api_key x-session-id x-jwt
     x-forwarded-user x-auth-request-email remote-user x-consumer-id x-amzn-oidc-identity
     x-ms-client-principal-name x-goog-iap-jwt-assertion cf-access-jwt-assertion ssl-client-s-dn`.split(
      /\s+/,
    ),
  )(
    'of whom %s tells who they are never see each other, and visitors without it share an answer',
    async (name) => {
      const handler = counting((req, res) => void res.send(`page of ${req.get(name) ?? 'nobody'}`));
      const url = await serving(cache({ ttlMs: 60_000 }), handler);
      for (const who of ['alice', 'bob', 'alice'])
        expect((await get(url, { [name]: who })).text).toBe(`page of ${who}`);
      for (const agent of ['one', 'other'])
        expect((await get(url, { 'user-agent': agent })).text).toBe('page of nobody');
      expect(handler.calls()).toBe(4);
    },
  );

  it.each(['X-Access-Token', 'X-API-Key', 'X-Forwarded-User'])(
    'are told apart by %s where the cache is told that it is part of the key',
    async (name) => {
      const handler = counting((req, res) => void res.send(`page of ${req.get(name)}`));
      const url = await serving(cache({ ttlMs: 60_000, vary: [name] }), handler);
      for (const who of ['alice', 'bob', 'alice', 'bob'])
        expect((await get(url, { [name]: who })).text).toBe(`page of ${who}`);
      expect(handler.calls()).toBe(2);
    },
  );

  it.each(['authorization', 'cookie', 'x-api-key'])(
    'with %s never see each other either where a step below takes it off the request',
    async (name) => {
      const checked: RequestHandler = (req, res) => {
        const who = String(req.headers[name] ?? 'nobody');
        // As a gateway does, whose upstream is not to see it.
        Reflect.deleteProperty(req.headers, name);
        res.send(`page of ${who}`);
      };
      const url = await serving(cache({ ttlMs: 60_000 }), checked);
      for (const who of ['alice', 'bob'])
        expect((await get(url, { [name]: who })).text).toBe(`page of ${who}`);
      expect((await get(url)).text).toBe('page of nobody');
      expect((await get(url, { [name]: 'bob' })).text).toBe('page of bob');
    },
  );

  it.each([
    ['', {}, 0],
    [', also where that is done while an older answer is sent in its place', { softTimeoutMs: 10 }, 11],
  ])(
    'are kept apart by what Vary names where a step below takes that off the request%s',
    async (_when, more, passed) => {
      const { now, pass } = clock();
      let tookMs = 0;
      const checked: RequestHandler = async (req, res) => {
        const who = req.headers.cookie ?? 'nobody';
        delete req.headers.cookie;
        res.set({ 'cache-control': 'public, max-age=10', vary: 'Cookie' });
        await pause(tookMs);
        res.end(`page of ${who}`);
      };
      const route = cache({ now, staleIfErrorMs: 60_000, ...more });
      const url = await serving(route, checked);
      for (const headers of [ALICE, {}]) await get(url, headers);
      pass(passed);
      tookMs = passed * 5;
      const { stored } = route.report();
      await get(url, ALICE);
      await eventually(() => passed === 0 || route.report().stored > stored);
      expect((await get(url)).text).toBe('page of nobody');
      expect(await get(url, ALICE)).toMatchObject({ text: 'page of sid=alice' });
    },
  );

  it('are kept apart also where that is done while an older answer is sent in its place', async () => {
    const { now, pass } = clock();
    let isPersonal = false;
    const checked: RequestHandler = async (req, res) => {
      const { authorization } = req.headers;
      delete req.headers.authorization;
      if (!isPersonal) return void res.set('cache-control', 'public, max-age=10').end('for all');
      await pause(50);
      res.end(`page of ${authorization ?? 'nobody'}`);
    };
    const route = cache({ now, ttlMs: 10_000, staleIfErrorMs: 60_000, softTimeoutMs: 10 });
    const url = await serving(route, checked);
    await get(url);
    isPersonal = true;
    pass(11);
    expect((await get(url, { authorization: 'alice' })).text).toBe('for all');
    await eventually(() => route.report().refused.credentials === 1);
    pass(60);
    expect((await get(url)).text).toBe('page of nobody');
  });

  it('who are signed in get nothing that was kept for nobody in particular', async () => {
    const handler = counting();
    const url = await serving(cache({ ttlMs: 60_000 }), handler);
    await get(url);
    expect((await get(url)).text).toBe('answer 1');
    const { text, headers } = await get(url, ALICE);
    expect(text).toBe('answer 2');
    expect(headers['cache-status']).toBe('signalbox; fwd=uri-miss');
  });

  it.each(['max-age=60', 'max-age=60, must-revalidate'])(
    'are not given the same by Cache-Control: %s, which does not say public',
    async (control) => {
      const handler = counting(fields({ 'cache-control': control }));
      const url = await serving(cache(), handler);
      const asked = [ALICE, BOB, { authorization: 'Bearer alice' }, { authorization: 'Bearer bob' }, {}];
      const texts = new Set<string>();
      for (const who of asked) texts.add((await get(url, who)).text);
      expect(texts.size).toBe(asked.length);
    },
  );

  it.each(['public, max-age=60', 's-maxage=60'])(
    'share what says %s (RFC 9111 section 3.5)',
    async (control) => {
      const handler = counting(fields({ 'cache-control': control }));
      const url = await serving(cache(), handler);
      for (const who of [ALICE, BOB, { authorization: 'Bearer x' }, {}]) {
        expect((await get(url, who)).text).toBe('answer 1');
      }
    },
  );

  it('is one for all where it is shared, though who asks was named above', async () => {
    const above: RequestHandler = (_req, res, next) => {
      res.vary('X-API-Key');
      next();
    };
    const url = await serving(above, cachedRoute(60_000, { shared: true }), counting());
    for (const key of ['one', 'two']) {
      const { text, headers } = await get(url, { 'x-api-key': key });
      expect([text, headers.vary, headers['cache-control']]).toEqual([
        'answer 1',
        'X-API-Key',
        expect.stringContaining('private'),
      ]);
    }
  });

  it('share an answer that the app says is for all; other caches are told to keep off', async () => {
    const handler = counting();
    const url = await serving(cachedRoute(60_000, { shared: true }), handler);
    for (const who of [ALICE, BOB, {}]) {
      const { text, headers } = await get(url, who);
      expect(text).toBe('answer 1');
      expect(headers['cache-control']).toBe('private');
    }
  });

  it.each([
    ['a HEAD that finds nothing', {}, 'HEAD', 200],
    ['a request that says no-store', { 'cache-control': 'no-store' }, 'GET', 200],
    ['an error', {}, 'GET', 404],
  ])('are told so also of what is not kept: %s', async (_what, headers, method, status) => {
    const url = await serving(cachedRoute(60_000, { shared: true }), counting(fields({}, status)));
    const answer = await send(url, { method, headers: { ...ALICE, ...headers } });
    expect([answer.status, answer.headers['cache-control']]).toEqual([status, 'private']);
  });

  it('are let in where the answer is kept for all, also where another cache on the same store stands before that', async () => {
    const store = memoryStore();
    const signedIn: RequestHandler = (req, res, next) => {
      if (req.headers.cookie === undefined) res.status(401).end('who are you?');
      else next();
    };
    const url = await serving(
      cache({ store, ttlMs: 60_000 }),
      signedIn,
      cachedRoute(60_000, { store, shared: true }),
      counting(),
    );
    expect((await get(url, ALICE)).text).toBe('answer 1');
    expect(await get(url)).toMatchObject({ status: 401, text: 'who are you?' });
    const { text, headers } = await get(url, BOB);
    expect([text, headers['cache-control']]).toEqual(['answer 1', 'private']);
  });

  it('do not share what says private, even where the app says that all is for all', async () => {
    const handler = counting(fields({ 'cache-control': 'private, max-age=60' }));
    const url = await serving(cachedRoute(60_000, { shared: true }), handler);
    expect((await get(url, ALICE)).text).toBe('answer 1');
    expect((await get(url, BOB)).text).toBe('answer 2');
  });

  it('with certificates that nobody has signed never see each other’s answers either', async () => {
    const { key, cert } = selfSigned();
    const named: RequestHandler = (req, res) => {
      const { fingerprint } = (req.socket as TLSSocket).getPeerCertificate();
      res.end(fingerprint === undefined ? 'nobody' : 'somebody');
    };
    const options = { key, cert, requestCert: true, rejectUnauthorized: false };
    const server = createServer(options, express().use(cache({ ttlMs: 60_000 }), named));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const ask = async (own: RequestOptions): Promise<string> => {
      const sent = request({
        host: '127.0.0.1',
        port,
        rejectUnauthorized: false,
        agent: false,
        ...own,
      }).end();
      const [response] = (await once(sent, 'response')) as [IncomingMessage];
      return text(response);
    };
    expect(await ask({ key, cert })).toBe('somebody');
    expect(await ask({})).toBe('nobody');
    expect(await ask({ key, cert })).toBe('somebody');
  });

  it('have each his own where the key is who asks', async () => {
    const signIn: RequestHandler = (req, _res, next) => {
      const subject = req.headers.cookie?.replace('sid=', '');
      Object.assign(req, { auth: subject === undefined ? undefined : { subject } });
      next();
    };
    const handler = counting();
    const url = await serving(signIn, cachedRoute(60_000, { key: byUser() }), handler);
    expect((await get(url, ALICE)).text).toBe('answer 1');
    expect((await get(url, BOB)).text).toBe('answer 2');
    const again = await get(url, ALICE);
    expect(again.text).toBe('answer 1');
    expect(again.headers['cache-control']).toBe('private');
    expect((await get(url)).text).toBe('answer 3');
    expect((await get(url)).text).toBe('answer 4');
  });

  it('are told apart also when the cache was asked before it was known who asks', async () => {
    const signIn: RequestHandler = (req, _res, next) => {
      Object.assign(req, { auth: { subject: req.headers.cookie } });
      next();
    };
    const pages = cache({ ttlMs: 60_000, key: byUser() });
    const url = await serving(pages.lookup, signIn, pages.answer, counting());
    expect((await get(url, ALICE)).text).toBe('answer 1');
    expect((await get(url, BOB)).text).toBe('answer 2');
    expect((await get(url, ALICE)).text).toBe('answer 1');
  });

  it('are told apart by what the session holds when the answer is made, not only before', async () => {
    const session: RequestHandler = (req, _res, next) => {
      Object.assign(req, { session: { cookie: {} } });
      next();
    };
    const handler = counting((req, _res, next) => {
      Object.assign(Reflect.get(req, 'session') as object, { formToken: 'secret' });
      next();
    });
    const url = await serving(session, cache({ ttlMs: 60_000 }), handler);
    expect((await get(url)).text).toBe('answer 1');
    expect((await get(url)).text).toBe('answer 2');
  });

  it('do not wait for each other: what one is answered is not the answer to the other', async () => {
    const handler = counting((_req, _res, next) => void setTimeout(next, 30));
    const url = await serving(cache({ ttlMs: 60_000 }), handler);
    const answers = await Promise.all([ALICE, BOB, ALICE, {}].map((who) => get(url, who)));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(4);
  });
});

describe('Set-Cookie', () => {
  it('is never kept, whatever the answer says of itself', async () => {
    const handler = counting(fields({ 'set-cookie': 'sid=alice', 'cache-control': 'public, max-age=60' }));
    const url = await serving(cache({ shared: true, ttlMs: 60_000 }), handler);
    expect((await get(url)).text).toBe('answer 1');
    expect((await get(url)).text).toBe('answer 2');
  });

  it('of whoever stands above the cache is that request’s alone, on a miss and on a hit', async () => {
    let visits = 0;
    const visit: RequestHandler = (_req, res, next) => {
      visits += 1;
      res.setHeader('set-cookie', `visit=${visits}`);
      next();
    };
    const url = await serving(visit, cache({ ttlMs: 60_000 }), counting());
    const first = await get(url);
    const second = await get(url);
    expect([first.text, second.text]).toEqual(['answer 1', 'answer 1']);
    expect([first.headers['set-cookie'], second.headers['set-cookie']]).toEqual([['visit=1'], ['visit=2']]);
  });

  it('is never kept either where it is added to those that stand above', async () => {
    const above: RequestHandler = (_req, res, next) => {
      res.setHeader('set-cookie', ['theme=dark', 'seen=1']);
      next();
    };
    const handler = counting((_req, res, next) => {
      res.appendHeader('set-cookie', `sid=${handler.calls()}`);
      next();
    });
    const url = await serving(above, cache({ ttlMs: 60_000 }), handler);
    expect((await get(url)).text).toBe('answer 1');
    const { text, headers } = await get(url);
    expect([text, headers['set-cookie']]).toEqual(['answer 2', ['theme=dark', 'seen=1', 'sid=2']]);
  });

  it('of an answer that says that nothing has changed reaches who asked, and nobody else', async () => {
    const { now, pass } = clock();
    const handler = counting((req, res, next) => {
      res.set({ etag: '"a"', 'cache-control': 'max-age=10' });
      if (req.headers['if-none-match'] !== '"a"') return next();
      res.cookie('seen', String(handler.calls())).set('x-seen', '1').status(304).end();
    });
    const route = cache({ now });
    const url = await serving(route, handler);
    await get(url);
    pass(11);
    const { status, text, headers } = await get(url);
    expect([status, text, headers['set-cookie']]).toEqual([200, 'answer 1', ['seen=2; Path=/']]);
    const next = await get(url);
    expect([next.text, next.headers['set-cookie'], next.headers['x-seen']]).toEqual([
      'answer 3',
      undefined,
      undefined,
    ]);
  });

  it('that is added as the answer leaves keeps the answer from being kept', async () => {
    const late: RequestHandler = (_req, res, next) => {
      const writeHead = res.writeHead.bind(res);
      res.writeHead = function writeHeadWithCookie(this: typeof res, ...args: [number]) {
        this.setHeader('set-cookie', 'sid=new');
        return writeHead(...args);
      } as typeof res.writeHead;
      next();
    };
    const url = await serving(late, cache({ ttlMs: 60_000 }), counting());
    expect((await get(url)).text).toBe('answer 1');
    expect((await get(url)).text).toBe('answer 2');
  });
});

describe('fields of another request', () => {
  it('set above the cache are never sent again', async () => {
    let requests = 0;
    const above: RequestHandler = (req, res, next) => {
      requests += 1;
      res.setHeader('x-request-id', `request-${requests}`);
      res.setHeader('ratelimit', `"default";r=${100 - requests}`);
      res.setHeader('access-control-allow-origin', String(req.headers.origin));
      res.setHeader('vary', 'Origin');
      next();
    };
    const url = await serving(above, cache({ ttlMs: 60_000 }), counting(fields({ 'x-page': '7' })));
    await get(url, { origin: 'https://one.example' });
    const { headers, text } = await get(url, { origin: 'https://two.example' });
    expect(text).toBe('answer 1');
    expect(headers).toMatchObject({
      'x-request-id': 'request-2',
      ratelimit: '"default";r=98',
      'access-control-allow-origin': 'https://two.example',
      vary: 'Origin',
      'x-page': '7',
    });
  });

  it('added above to several lines of one that is kept are not kept with them', async () => {
    const late: RequestHandler = (req, res, next) => {
      const writeHead = res.writeHead.bind(res);
      res.writeHead = function writeHeadWithLink(this: typeof res, ...args: [number]) {
        this.appendHeader('link', `<${req.url}>; rel="self"`);
        return writeHead(...args);
      } as typeof res.writeHead;
      next();
    };
    const handler = counting(fields({ link: ['</a.css>; rel="preload"', '</b.css>; rel="preload"'] }));
    const url = await serving(late, cache({ ttlMs: 60_000 }), handler);
    for (let times = 0; times < 3; times += 1) {
      expect((await get(url)).headers.link).toBe(
        '</a.css>; rel="preload", </b.css>; rel="preload", </>; rel="self"',
      );
    }
    expect(handler.calls()).toBe(1);
  });

  it('set below by a limiter or for tracing are not kept either', async () => {
    const handler = counting(
      fields({ 'x-request-id': 'one', ratelimit: 'r=1', 'server-timing': 'db;dur=3', 'retry-after': '1' }),
    );
    const url = await serving(cache({ ttlMs: 60_000 }), handler);
    await get(url);
    const { headers, text } = await get(url);
    expect(text).toBe('answer 1');
    for (const name of ['x-request-id', 'ratelimit', 'server-timing']) expect(headers[name]).toBeUndefined();
  });

  it('make an answer that names the origin it is for an answer for that origin', async () => {
    const handler = counting((req, res, next) => {
      res.setHeader('access-control-allow-origin', String(req.headers.origin));
      next();
    });
    const url = await serving(cache({ ttlMs: 60_000 }), handler);
    for (const origin of ['https://one.example', 'https://two.example', 'https://one.example']) {
      expect((await get(url, { origin })).headers['access-control-allow-origin']).toBe(origin);
    }
    expect(handler.calls()).toBe(2);
  });
});

describe('what a step below says as the head leaves, as on-headers has it', () => {
  const late: RequestHandler = (req, res, next) => {
    const writeHead = res.writeHead.bind(res);
    res.writeHead = function writeHeadWithField(this: typeof res, ...args: [number]) {
      if (req.url === '/vary') this.appendHeader('vary', 'Accept-Language');
      else this.setHeader('cache-control', 'private');
      return writeHead(...args);
    } as typeof res.writeHead;
    next();
  };

  it.each(['end', 'write', 'flushHeaders'] as const)(
    'keeps an answer from others, by res.%s',
    async (how) => {
      const handler = counting((_req, res, next) => {
        if (how === 'end') return next();
        if (how === 'write') res.write('answer ');
        else res.flushHeaders();
        res.end(`${how === 'write' ? '' : 'answer '}${handler.calls()}`);
      });
      const url = await serving(cache({ ttlMs: 60_000 }), late, handler);
      expect((await get(url)).text).toBe('answer 1');
      expect(await get(url)).toMatchObject({ text: 'answer 2', headers: { 'cache-control': 'private' } });
    },
  );

  it('leaves nothing of an answer with the one that is sent in its place where that fails', async () => {
    const failing: RequestHandler = (_req, res, next) => {
      const writeHead = res.writeHead.bind(res);
      let times = 0;
      res.writeHead = function failOnce(this: typeof res, ...args: [number]) {
        times += 1;
        if (times === 1) throw new Error('this field cannot be sent');
        return writeHead(...args);
      } as typeof res.writeHead;
      next();
    };
    const instead: ErrorRequestHandler = (_error, _req, res, _next) => {
      res.status(404).set('cache-control', 'max-age=60').end('nothing');
    };
    const app = express();
    app.use(cache(), failing, counting(), instead);
    const url = await listen(app);
    expect((await get(url)).text).toBe('nothing');
    expect(await get(url)).toMatchObject({ status: 404, text: 'nothing' });
  });

  it('is said once, and tells variants apart', async () => {
    const handler = counting();
    const url = `${await serving(cache({ ttlMs: 60_000 }), late, handler)}/vary`;
    for (const [language, text] of [
      ['de', 'answer 1'],
      ['fr', 'answer 2'],
      ['de', 'answer 1'],
    ] as const) {
      const answer = await get(url, { 'accept-language': language });
      expect([answer.text, answer.headers.vary]).toEqual([text, 'Accept-Language']);
    }
  });

  it.each([
    ['after a stale one was sent', { staleWhileRevalidateMs: 60_000 }],
    ['after a stale one was sent since it took long', { staleIfErrorMs: 60_000, softTimeoutMs: 20 }],
  ])('holds also for what is made anew when its client has gone, %s', async (_when, options) => {
    const { now, pass } = clock();
    const handler = counting((_req, _res, next) => void setTimeout(next, handler.calls() > 1 ? 60 : 0));
    let isLate = false;
    const route = cache({ now, ttlMs: 10_000, ...options });
    const url = await serving(route, (req, res, next) => (isLate ? late(req, res, next) : next()), handler);
    await get(url);
    pass(11);
    isLate = true;
    await get(url);
    await eventually(() => route.report().refused.private === 1);
    expect((await get(url)).text).toBe('answer 3');
  });
});

describe('what is not kept', () => {
  it.each([500, 502, 503, 504, 400, 401, 403, 404, 429, 302])(
    'an answer of %s without a word',
    async (status) => {
      const handler = counting(fields({}, status));
      const url = await serving(cache({ ttlMs: 60_000 }), handler);
      await get(url);
      expect((await get(url)).text).toBe('answer 2');
    },
  );

  it('an error, whatever it says', async () => {
    const handler = counting(fields({ 'cache-control': 'public, max-age=60' }, 503));
    const url = await serving(cache(), handler);
    await get(url);
    expect((await get(url)).text).toBe('answer 2');
  });

  it.each(['no-store', 'private', 'no-cache', 'max-age=0'])('Cache-Control: %s', async (control) => {
    const handler = counting(fields({ 'cache-control': control }));
    const url = await serving(cache({ ttlMs: 60_000, etag: false }), handler);
    await get(url);
    expect((await get(url)).text).toBe('answer 2');
  });

  it('an answer whose length is not what it says', async () => {
    const broken = counting((_req, res) => {
      res.setHeader('content-length', '100');
      res.write('half');
      setTimeout(() => res.destroy(), 10);
    });
    const url = await serving(cache({ ttlMs: 60_000 }), broken);
    await expect(get(url)).rejects.toThrow();
    await expect(get(url)).rejects.toThrow();
    expect(broken.calls()).toBe(2);
  });

  it('a stream of events, for which nobody else waits', async () => {
    const events = counting((_req, res) => void res.type('text/event-stream').write('data: x\n\n'));
    const url = await serving(cache({ ttlMs: 60_000 }), events);
    for (let listener = 0; listener < 3; listener += 1) {
      const { body } = await fetch(url);
      await body?.cancel();
    }
    expect(events.calls()).toBe(3);
  });

  it('a body above the limit, whether it says so or not', async () => {
    const long = counting((_req, res) => {
      res.write('x'.repeat(600));
      res.end('x'.repeat(600));
    });
    const url = await serving(cache({ ttlMs: 60_000, maxBodyBytes: 1_000 }), long);
    expect((await get(url)).text).toHaveLength(1_200);
    expect((await get(url)).text).toHaveLength(1_200);
    expect(long.calls()).toBe(2);
  });

  it('a request that says no-store (RFC 9111 section 5.2.1.5)', async () => {
    const handler = counting();
    const url = await serving(cache({ ttlMs: 60_000 }), handler);
    await get(url, { 'cache-control': 'no-store' });
    expect((await get(url)).text).toBe('answer 2');
    expect((await get(url, { 'cache-control': 'no-store' })).text).toBe('answer 2');
  });

  it('an answer to HEAD, to a range, or to a GET with a body', async () => {
    const handler = counting();
    const url = await serving(cache({ ttlMs: 60_000 }), handler);
    await send(url, { method: 'HEAD' });
    await get(url, { range: 'bytes=0-1' });
    await send(url, { body: 'q=poison', headers: { 'content-length': '8' } });
    expect((await get(url)).text).toBe('answer 4');
    expect((await send(url, { body: 'q=poison', headers: { 'content-length': '8' } })).text).toBe('answer 5');
  });
});
