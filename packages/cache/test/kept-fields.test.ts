import { request } from 'node:http';
import type { RequestHandler } from 'express';
import { describe, expect, it } from 'vitest';
import { cache } from '../src/index.js';
import { clock, counting, fields, get, serving } from './support.js';

const at = (ms: number): string => new Date(ms).toUTCString();

describe('fields that are kept (RFC 9111 section 3.1)', () => {
  it.each([
    'Test-Header',
    'X-Test-Header',
    'Content-Foo',
    'Content-Encoding',
    'Content-Language',
    'Content-Location',
    'Content-MD5',
    'Content-Range',
    'Content-Security-Policy',
    'Content-Type',
    'Clear-Site-Data',
    'ETag',
    'Expires',
    'Last-Modified',
    'Public-Key-Pins',
    'X-Frame-Options',
    'X-XSS-Protection',
  ])('%s is sent again', async (name) => {
    const value = name === 'ETag' ? '"a"' : 'any-value';
    const handler = counting(fields({ 'cache-control': 'max-age=60', [name]: value }));
    const url = await serving(cache(), handler);
    await get(url);
    const { headers, text } = await get(url);
    expect(text).toBe('answer 1');
    expect(headers[name.toLowerCase()]).toBe(value);
    expect(headers['cache-control']).toBe('max-age=60');
  });

  it.each([
    'Keep-Alive',
    'Proxy-Authenticate',
    'Proxy-Authentication-Info',
    'Proxy-Authorization',
    'Proxy-Connection',
    'TE',
    'Upgrade',
  ])('%s is not, since it is about the connection', async (name) => {
    const handler = counting(fields({ 'cache-control': 'max-age=60', [name]: 'other' }));
    const url = await serving(cache(), handler);
    await get(url);
    const { headers, text } = await get(url);
    expect(text).toBe('answer 1');
    expect(headers[name.toLowerCase()] ?? 'nothing').not.toContain('other');
  });

  it('several that Connection names are not (RFC 9110 section 7.6.1)', async () => {
    const stated = { 'cache-control': 'max-age=60', connection: 'A-Hop,b-hop', 'a-hop': '1', 'b-hop': '2' };
    const url = await serving(cache(), counting(fields(stated)));
    await get(url);
    const { headers, text } = await get(url);
    expect([text, headers['a-hop'], headers['b-hop']]).toEqual(['answer 1', undefined, undefined]);
  });

  it('several lines of one field stay several', async () => {
    const handler = counting(fields({ 'cache-control': 'max-age=60', link: ['</a>', '</b>'] }));
    const url = await serving(cache(), handler);
    await get(url);
    expect((await fetch(url)).headers.get('link')).toBe('</a>, </b>');
  });

  it('one that stands above and was taken away below stays away', async () => {
    const above: RequestHandler = (_req, res, next) => {
      res.set('x-frame-options', 'DENY');
      next();
    };
    const handler = counting((_req, res, next) => {
      res.removeHeader('x-frame-options');
      next();
    });
    const url = await serving(above, cache({ ttlMs: 60_000 }), handler);
    for (let times = 0; times < 2; times += 1) {
      const { text, headers } = await get(url);
      expect([text, headers['x-frame-options']]).toEqual(['answer 1', undefined]);
    }
  });

  it('Age is sent with what is kept (section 5.1), Date and Expires stay as they were', async () => {
    const { now, pass } = clock();
    const expires = at(now() + 100_000);
    const url = await serving(cache({ now }), counting(fields({ expires, date: at(now()) })));
    const first = await get(url);
    expect(first.headers.age).toBeUndefined();
    for (const [seconds, age] of [
      [0, '0'],
      [10, '10'],
      [40, '50'],
    ] as const) {
      pass(seconds);
      expect((await get(url)).headers).toMatchObject({ age, expires, date: first.headers.date });
    }
  });

  it('those of an interim answer are not (RFC 9110 section 15.2)', async () => {
    const handler = counting((_req, res, next) => {
      res.set('cache-control', 'max-age=60');
      res.writeEarlyHints({ link: '</style.css>; rel=preload; as=style', 'x-interim': '1' }, () => next());
    });
    const url = await serving(cache(), handler);
    const hints = await new Promise<unknown>((resolve, reject) => {
      request(url, { agent: false })
        .on('information', ({ statusCode }) => resolve(statusCode))
        .on('error', reject)
        .end();
    });
    expect(hints).toBe(103);
    const { status, headers, text } = await get(url);
    expect([status, text]).toEqual([200, 'answer 1']);
    expect([headers.link, headers['x-interim']]).toEqual([undefined, undefined]);
  });
});

/** Answers 304 to who asks by the validator, with these fields then. */
function validated(first: Record<string, string>, then: Record<string, string>): RequestHandler {
  return (req, res, next) => {
    const isKnown =
      req.headers['if-none-match'] === first['etag'] &&
      req.headers['if-modified-since'] === first['last-modified'];
    if (!isKnown) return void fields({ 'cache-control': 'max-age=10', ...first })(req, res, next);
    res.writeHead(304, { 'cache-control': 'max-age=10', ...then }).end();
  };
}

async function renewed(
  first: Record<string, string>,
  then: Record<string, string>,
): Promise<{ headers: Record<string, unknown>; again: Record<string, unknown>; calls: number }> {
  const { now, pass } = clock();
  const handler = counting(validated(first, then));
  const url = await serving(cache({ now, etag: false }), handler);
  await get(url);
  pass(11);
  const answer = await get(url);
  expect(answer).toMatchObject({ status: 200, text: 'answer 1' });
  const again = await get(url);
  return { headers: answer.headers, again: again.headers, calls: handler.calls() };
}

describe('an answer that a 304 renews (RFC 9111 sections 3.2 and 4.3)', () => {
  it.each([
    ['a strong ETag', { etag: '"abc"' }],
    ['a weak ETag', { etag: 'W/"abc"' }],
    ['Last-Modified', { 'last-modified': at(0) }],
    ['both', { etag: '"abc"', 'last-modified': at(0) }],
  ])('is asked for by %s, and used again (section 4.3.1)', async (_what, validator) => {
    const { calls, again } = await renewed(validator, {});
    expect(calls).toBe(2);
    expect(again).toMatchObject(validator);
  });

  it.each([
    'test-header',
    'x-test-header',
    'content-foo',
    'content-type',
    'content-security-policy',
    'expires',
  ])('takes over %s from the 304', async (name) => {
    const { headers, again } = await renewed({ etag: '"a"', [name]: 'old' }, { etag: '"a"', [name]: 'new' });
    expect(headers[name]).toBe('new');
    expect(again[name]).toBe('new');
  });

  it.each(['test-header', 'content-type', 'x-frame-options'])(
    'keeps %s, of which the 304 says nothing',
    async (name) => {
      const { headers, again } = await renewed({ etag: '"a"', [name]: 'old' }, { etag: '"a"' });
      expect([headers[name], again[name]]).toEqual(['old', 'old']);
    },
  );

  it.each([
    ['content-length', '8'],
    ['content-encoding', 'identity'],
  ])('keeps its %s, which is about the body', async (name, value) => {
    const { headers, again } = await renewed({ etag: '"a"', [name]: value }, { etag: '"a"', [name]: '9999' });
    expect([headers[name], again[name]]).toEqual([value, value]);
  });

  it('is asked for with the fields that it varies by (section 4.3.1)', async () => {
    const { now, pass } = clock();
    const seen: unknown[] = [];
    const handler: RequestHandler = (req, res) => {
      seen.push([req.headers['x-kind'], req.headers['if-none-match']]);
      res.set({ 'cache-control': 'max-age=10', vary: 'X-Kind', etag: '"a"' });
      if (req.headers['if-none-match'] === '"a"') res.status(304).end();
      else res.end('page');
    };
    const url = await serving(cache({ now }), handler);
    await get(url, { 'x-kind': 'one' });
    pass(11);
    expect((await get(url, { 'x-kind': 'one' })).text).toBe('page');
    expect(seen).toEqual([
      ['one', undefined],
      ['one', '"a"'],
    ]);
  });

  it.each(['private', 'no-cache'])(
    'takes over no field that the 304 names in %s (section 5.2.2)',
    async (directive) => {
      const { now, pass } = clock();
      const handler: RequestHandler = (req, res) => {
        const control = `max-age=10, ${directive}="X-User"`;
        res.set({ etag: '"a"', 'cache-control': control, 'x-user': req.headers['x-me'] ?? 'nobody' });
        if (req.headers['if-none-match'] === '"a"') res.status(304).end();
        else res.end('page');
      };
      const url = await serving(cache({ now }), handler);
      await get(url, { 'x-me': 'alice' });
      pass(11);
      await get(url, { 'x-me': 'bob' });
      const { headers } = await get(url, { 'x-me': 'carol' });
      expect(headers['cache-status']).toContain('hit');
      expect(headers['x-user']).toBeUndefined();
    },
  );

  it('is from then on told apart by what the 304 says in Vary (section 4.1)', async () => {
    const { now, pass } = clock();
    const handler: RequestHandler = (req, res) => {
      res.set({ etag: '"a"', 'cache-control': 'max-age=10' });
      if (req.headers['if-none-match'] === '"a"') res.status(304).vary('Accept-Language').end();
      else res.end(String(req.headers['accept-language']));
    };
    const url = await serving(cache({ now }), handler);
    await get(url, { 'accept-language': 'en' });
    pass(11);
    await get(url, { 'accept-language': 'en' });
    expect((await get(url, { 'accept-language': 'de' })).text).toBe('de');
    const { text, headers } = await get(url, { 'accept-language': 'en' });
    expect(text).toBe('en');
    expect(headers['cache-status']).toContain('hit');
  });

  it('tells caches further on all by which it differs, also what only the body was made by', async () => {
    const { now, pass } = clock();
    const handler: RequestHandler = (req, res) => {
      res.set({ etag: '"a"', 'cache-control': 'max-age=10', vary: 'Accept' });
      if (req.headers['if-none-match'] === '"a"') res.status(304).end();
      // As what compresses does, which leaves a 304 as it is.
      else res.vary('Accept-Encoding').end('compressed');
    };
    const url = await serving(cache({ now }), handler);
    for (const status of ['uri-miss; stored', 'stale; fwd-status=304; stored']) {
      const { headers } = await get(url);
      expect(headers).toMatchObject({
        'cache-status': `signalbox; fwd=${status}`,
        vary: 'Accept, Accept-Encoding',
      });
      pass(11);
    }
  });

  it('is as old as the 304 says by its Age (section 4.2.3)', async () => {
    const { now, pass } = clock();
    const handler = counting(validated({ etag: '"a"' }, { etag: '"a"', age: '7' }));
    const url = await serving(cache({ now }), handler);
    await get(url);
    pass(11);
    expect((await get(url)).headers.age).toBe('7');
    pass(2);
    expect((await get(url)).headers.age).toBe('9');
    pass(1.5);
    expect((await get(url)).headers['cache-status']).toContain('fwd=stale; fwd-status=304');
  });

  it('is fresh for as long as a field above says, as it was the first time', async () => {
    const { now, pass } = clock();
    const above: RequestHandler = (_req, res, next) => {
      res.set('cache-control', 'public, max-age=10');
      next();
    };
    const handler = counting((req, res, next) => {
      res.set('etag', '"a"').status(req.headers['if-none-match'] === '"a"' ? 304 : 200);
      next();
    });
    const url = await serving(above, cache({ now }), handler);
    for (const status of ['fwd=uri-miss; stored', 'fwd=stale; fwd-status=304; stored']) {
      for (const each of [status, 'hit']) {
        const { text, headers } = await get(url);
        expect(text).toBe('answer 1');
        expect(headers['cache-status']).toContain(`signalbox; ${each}`);
      }
      pass(11);
    }
  });

  it('is asked for by the validators that it came with, however often', async () => {
    const { now, pass } = clock();
    const modified = at(0);
    const seen: unknown[] = [];
    const handler: RequestHandler = (req, res) => {
      seen.push([req.headers['if-none-match'], req.headers['if-modified-since']]);
      res.set({ 'cache-control': 'max-age=10', 'last-modified': modified });
      if (req.headers['if-modified-since'] === modified) res.status(304).end();
      else res.end('page');
    };
    const url = await serving(cache({ now }), handler);
    for (let times = 0; times < 4; times += 1) {
      await get(url);
      pass(11);
    }
    // The ETag that clients get is the cache's own, and takes precedence where it is sent (RFC 9110 section 13.2.2).
    expect(seen.slice(1)).toEqual(Array.from({ length: 3 }, () => [undefined, modified]));
  });

  it('is forgotten by the tags that it had, also where the 304 says nothing of them', async () => {
    const { now, pass } = clock();
    const handler = counting(validated({ etag: '"a"', 'surrogate-key': 'lamp' }, { etag: '"a"' }));
    const route = cache({
      now,
      tags: (_req, res) => [res.getHeader('surrogate-key')].filter((key) => typeof key === 'string'),
    });
    const url = await serving(route, handler);
    await get(url);
    pass(11);
    await get(url);
    expect((await get(url)).headers['cache-status']).toContain('hit');
    await route.invalidate({ tag: 'lamp' });
    expect((await get(url)).text).toBe('answer 3');
  });

  it('answers the client’s own condition when it is renewed (section 4.3.2)', async () => {
    const { now, pass } = clock();
    const modified = at(0);
    const handler = counting(validated({ 'last-modified': modified, etag: '"a"' }, {}));
    const url = await serving(cache({ now }), handler);
    await get(url);
    pass(11);
    const answer = await get(url, { 'if-modified-since': modified });
    expect(answer).toMatchObject({ status: 304, text: '' });
    expect(answer.headers.etag).toBe('"a"');
  });

  it('is not asked for by the validator of a client that has another one', async () => {
    const { now, pass } = clock();
    const seen: unknown[] = [];
    const handler = counting((req, res, next) => {
      seen.push(req.headers['if-none-match']);
      res.set({ 'cache-control': 'max-age=10', etag: `"${handler.calls()}"` });
      next();
    });
    const url = await serving(cache({ now }), handler);
    await get(url, { 'if-none-match': '"clients"' });
    pass(11);
    await get(url, { 'if-none-match': '"clients"' });
    expect(seen).toEqual([undefined, '"1"']);
  });
});

describe('Vary (RFC 9111 section 4.1)', () => {
  it.each(['*', '*, *', ', *', '*, X-Kind', 'X-Kind, *', 'x-kind,*'])(
    '"%s" is never used again',
    async (vary) => {
      const url = await serving(cache(), counting(fields({ 'cache-control': 'max-age=60', vary })));
      await get(url);
      expect((await get(url)).text).toBe('answer 2');
    },
  );

  it.each([[['*', '*']], [['', '*']], [['X-Kind', '*']]])(
    '%j on several lines is never used again',
    async (vary) => {
      const url = await serving(cache(), counting(fields({ 'cache-control': 'max-age=60', vary })));
      await get(url);
      expect((await get(url)).text).toBe('answer 2');
    },
  );

  it.each([
    [{ a: '1' }, { a: '1' }, true],
    [{ a: '1' }, { a: '2' }, false],
    [{ a: '1' }, {}, false],
    [{}, { a: '1' }, false],
    [{}, { a: '' }, false],
    [{ a: '1', b: '2' }, { a: '1', b: '2' }, true],
    [{ a: '1', b: '2' }, { a: '1', b: '3' }, false],
    [{ a: '1', b: '2' }, { a: '2', b: '1' }, false],
    [{ a: '1', b: '2' }, { b: '1', a: '2' }, false],
    [{ a: '1', c: '3' }, { a: '1', c: '3' }, true],
    [{ a: '1', b: '2', c: '3' }, { a: '1', c: '3' }, false],
    [{ a: '1', other: '1' }, { a: '1', other: '2' }, true],
    [{ a: '1, 2' }, { a: '1,2' }, true],
    [{ a: ' 1 ,2' }, { a: '1, 2' }, true],
    [{ a: '1,2' }, { a: '2,1' }, false],
    [{ a: 'x' }, { a: 'X' }, false],
  ] as const)('by three fields, of %o and %o: %s', async (one, other, isSame) => {
    const handler = counting(fields({ 'cache-control': 'max-age=60', vary: 'A, B, C' }));
    const url = await serving(cache(), handler);
    expect((await get(url, one)).text).toBe('answer 1');
    expect((await get(url, other)).text).toBe(isSame ? 'answer 1' : 'answer 2');
    // Both are kept beside each other.
    expect((await get(url, one)).text).toBe('answer 1');
  });
});

describe('HEAD and parts', () => {
  it('a HEAD that is answered from what is kept leaves that as it is (RFC 9111 section 4.3.5)', async () => {
    const url = await serving(cache({ ttlMs: 60_000 }), counting(fields({ 'x-a': '1' })));
    await get(url);
    await fetch(url, { method: 'HEAD' });
    expect(await get(url)).toMatchObject({ text: 'answer 1' });
  });

  it.each([
    ['bytes=0-1', 206],
    ['bytes=99-', 416],
  ])('a part, %s, has not the sum of the whole (RFC 9530 section 2)', async (range, status) => {
    const sums = {
      'content-digest': 'sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:',
      'content-md5': 'ZajifYh5',
    };
    const handler = counting(fields({ ...sums, 'repr-digest': 'sha-256=:RK/0:' }));
    const url = await serving(cache({ ttlMs: 60_000 }), handler);
    await get(url);
    expect((await get(url)).headers).toMatchObject(sums);
    const part = await get(url, { range });
    expect(part.status).toBe(status);
    expect([part.headers['content-digest'], part.headers['content-md5']]).toEqual([undefined, undefined]);
    expect(part.headers['repr-digest']).toBe('sha-256=:RK/0:');
  });

  it('a part has the fields of the whole (RFC 9110 section 15.3.7)', async () => {
    const handler = counting(fields({ 'cache-control': 'max-age=60', 'x-a': '1', etag: '"a"' }));
    const url = await serving(cache(), handler);
    await get(url);
    const part = await get(url, { range: 'bytes=0-1' });
    expect(part).toMatchObject({ status: 206, text: 'an' });
    expect(part.headers).toMatchObject({ 'x-a': '1', etag: '"a"', 'cache-control': 'max-age=60' });
    expect((await get(url)).text).toBe('answer 1');
  });

  it('a part is not for those above to compress, who would make bytes of nothing of it', async () => {
    const handler = counting(fields({ 'cache-control': 'max-age=60' }));
    const url = await serving(cache(), handler);
    expect((await get(url)).headers['cache-control']).toBe('max-age=60');
    const part = await get(url, { range: 'bytes=0-1', 'accept-encoding': 'gzip' });
    expect([part.status, part.headers['cache-control']]).toEqual([206, 'max-age=60, no-transform']);
  });

  it('a range behind the end is answered for nobody else', async () => {
    const handler = counting(fields({ 'cache-control': 'public, max-age=60' }));
    const url = await serving(cache(), handler);
    await get(url);
    const { status, headers } = await get(url, { range: 'bytes=999-' });
    expect([status, headers['content-range'], headers['cache-control']]).toEqual([
      416,
      'bytes */8',
      'no-store',
    ]);
  });

  it.each([
    [0, 200],
    [1, 206],
  ])(
    'a date that was %d s old when the answer was sent makes it %d (RFC 9110 section 8.8.2.2)',
    async (age, status) => {
      const { now } = clock();
      const [date, modified] = [at(now()), at(now() - age * 1_000)];
      const handler = counting(fields({ 'cache-control': 'max-age=60', 'last-modified': modified, date }));
      const url = await serving(cache({ now }), handler);
      await get(url);
      expect((await get(url, { range: 'bytes=0-1', 'if-range': modified })).status).toBe(status);
    },
  );

  it('a part that a handler answers is not used again, nor taken for the whole (section 3.3)', async () => {
    const handler = counting((req, res, next) => {
      res.set('cache-control', 'max-age=60');
      if (req.headers.range === undefined) return next();
      res.status(206).set('content-range', 'bytes 0-1/8').end('an');
    });
    const url = await serving(cache(), handler);
    for (let times = 0; times < 2; times += 1) {
      expect(await get(url, { range: 'bytes=0-1' })).toMatchObject({ status: 206, text: 'an' });
    }
    expect((await get(url)).text).toBe('answer 3');
  });
});
