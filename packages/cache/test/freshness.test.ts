import type { RequestHandler } from 'express';
import { describe, expect, it } from 'vitest';
import { send } from '../../../test/support/send.js';
import { cache } from '../src/index.js';
import { clock, counting, fields, get, serving } from './support.js';

const at = (ms: number): string => new Date(ms).toUTCString();

describe('freshness (RFC 9111 section 4.2)', () => {
  it.each([
    ['max-age=10', {}],
    ['max-age="10"', {}],
    ['MAX-AGE=10', {}],
    ['x="max-age=99", max-age=10', {}],
    ['max-age=99, s-maxage=10', {}],
    ['max-age=10, max-age=99', {}],
    ['max-age=10', { expires: at(Date.now() + 99_000) }],
    ['max-age=99', { 'cdn-cache-control': 'max-age=10' }],
    ['no-store', { 'cdn-cache-control': 'max-age=10' }],
    ['max-age=99', { 'cdn-cache-control': 'max-age=99, max-age=10;x=1' }],
    ['max-age=10', { 'cdn-cache-control': 'max-age=99 broken"' }],
    ['max-age=15', { age: '5' }],
    ['max-age=15', { age: '5, 1' }],
  ])('%s with %o is fresh for ten seconds', async (control, more) => {
    const { now, pass } = clock();
    const handler = counting(fields({ 'cache-control': control, ...more }));
    const url = await serving(cache({ now, requestDirectives: true }), handler);
    await get(url);
    pass(9);
    expect((await get(url)).text).toBe('answer 1');
    pass(2);
    expect((await get(url)).text).toBe('answer 2');
  });

  it.each([
    ['max-age=0', {}],
    ['max-age=x', {}],
    ['max-age=-1', {}],
    ['max-age=1.5', {}],
    ['max-age', {}],
    ['', { expires: '0' }],
    ['', { expires: 'soon' }],
    ['', { expires: at(0) }],
    ['max-age=99', { 'cdn-cache-control': 'no-store' }],
    ['max-age=99', { 'cdn-cache-control': 'max-age=0' }],
    ['max-age=99', { age: '100' }],
    ['max-age=99', { date: at(Date.now() - 200_000) }],
    ['', {}],
  ])('%s with %o is stale at once', async (control, more) => {
    const handler = counting(fields({ ...(control === '' ? {} : { 'cache-control': control }), ...more }));
    const url = await serving(cache({ etag: false }), handler);
    await get(url);
    expect((await get(url)).text).toBe('answer 2');
  });

  it('counts Expires from Date (section 4.2.1), in any form that a date has', async () => {
    const { now, pass } = clock();
    const date = now() - 5_000;
    for (const expires of [at(date + 20_000), at(date + 20_000).toLowerCase()]) {
      const url = await serving(cache({ now }), counting(fields({ date: at(date), expires })));
      await get(url);
      expect((await get(url)).text).toBe('answer 1');
    }
    const url = await serving(
      cache({ now }),
      counting(fields({ date: at(date), expires: at(date + 20_000) })),
    );
    await get(url);
    pass(20);
    expect((await get(url)).text).toBe('answer 2');
  });

  it('takes a tenth of the time since Last-Modified where it is told to (section 4.2.2)', async () => {
    const { now, pass } = clock();
    const handler = counting(fields({ 'last-modified': at(now() - 1_000_000) }));
    const url = await serving(cache({ now, heuristic: true, etag: false }), handler);
    await get(url);
    pass(90);
    expect((await get(url)).text).toBe('answer 1');
    pass(20);
    expect((await get(url)).text).toBe('answer 2');
  });

  it('gives an Age, and adds to that which the answer came with (section 5.1)', async () => {
    const { now, pass } = clock();
    const url = await serving(cache({ now }), counting(fields({ 'cache-control': 'max-age=99', age: '30' })));
    await get(url);
    pass(7);
    expect((await get(url)).headers.age).toBe('37');
  });

  it('keeps the Date of the answer', async () => {
    const { now, pass } = clock();
    const handler = counting(fields({ 'cache-control': 'max-age=99' }));
    const url = await serving(cache({ now }), handler);
    await get(url);
    const { headers } = await get(url);
    pass(30);
    expect((await get(url)).headers.date).toBe(headers.date);
    expect(headers.date).toBe(at(now() - 30_000));
  });

  it('uses ttlMs only where the answer states nothing, and shortens it by at most the jitter', async () => {
    const { now, pass } = clock();
    const url = await serving(cache({ now, ttlMs: 100_000, jitter: 0.2 }), counting());
    await get(url);
    pass(79);
    expect((await get(url)).text).toBe('answer 1');
    pass(22);
    expect((await get(url)).text).toBe('answer 2');

    const stated = await serving(
      cache({ now, ttlMs: 100_000 }),
      counting(fields({ 'cache-control': 'max-age=5' })),
    );
    await get(stated);
    pass(6);
    expect((await get(stated)).text).toBe('answer 2');
  });
});

describe('requests that say what they want (section 5.2.1)', () => {
  it.each(['no-cache', 'max-age=0', 'min-fresh=1000'])(
    '%s is heeded by option, and else is not',
    async (control) => {
      for (const requestDirectives of [false, true]) {
        const { now, pass } = clock();
        const url = await serving(cache({ now, ttlMs: 60_000, requestDirectives }), counting());
        await get(url);
        pass(1);
        const { text } = await get(url, { 'cache-control': control });
        expect(text).toBe(requestDirectives ? 'answer 2' : 'answer 1');
      }
    },
  );

  it('only-if-cached is 504 where there is nothing', async () => {
    const url = await serving(cache({ ttlMs: 60_000, requestDirectives: true }), counting());
    expect((await get(url, { 'cache-control': 'only-if-cached' })).status).toBe(504);
    await get(url);
    expect((await get(url, { 'cache-control': 'only-if-cached' })).status).toBe(200);
  });
});

describe('validation (section 4.3)', () => {
  const tagged: RequestHandler = (req, res, next) => {
    res.set({ etag: '"v1"', 'cache-control': 'max-age=10', 'x-version': 'old' });
    if (req.headers['if-none-match'] === '"v1"') {
      res.set('x-version', 'new').status(304).end();
    } else next();
  };

  it('asks with the validator once it is stale, and takes the new fields from the 304', async () => {
    const { now, pass } = clock();
    const handler = counting(tagged);
    const url = await serving(cache({ now }), handler);
    await get(url);
    pass(11);
    const renewed = await get(url);
    expect(renewed).toMatchObject({ status: 200, text: 'answer 1' });
    expect(renewed.headers).toMatchObject({ 'x-version': 'new', 'content-length': '8' });
    expect(renewed.headers['cache-status']).toBe('signalbox; fwd=stale; fwd-status=304; stored');
    pass(9);
    expect((await get(url)).headers['cache-status']).toMatch(/^signalbox; hit; ttl=\d$/);
    expect(handler.calls()).toBe(2);
  });

  it('asks each time where the answer says no-cache', async () => {
    const handler = counting((req, res, next) => {
      res.set({ etag: '"v1"', 'cache-control': 'no-cache' });
      if (req.headers['if-none-match'] === '"v1"') res.status(304).end();
      else next();
    });
    const url = await serving(cache(), handler);
    for (let times = 1; times <= 3; times += 1) {
      expect((await get(url)).text).toBe('answer 1');
      expect(handler.calls()).toBe(times);
    }
  });

  it('answers the client’s own conditions, If-None-Match before If-Modified-Since', async () => {
    const modified = at(Date.now() - 50_000);
    const handler = counting(
      fields({ etag: '"v1"', 'last-modified': modified, 'cache-control': 'max-age=60' }),
    );
    const url = await serving(cache(), handler);
    const first = await get(url, { 'if-none-match': '"v1"' });
    expect(first).toMatchObject({ status: 304, text: '' });
    for (const [condition, status] of [
      [{ 'if-none-match': '"v1"' }, 304],
      [{ 'if-none-match': 'W/"v1"' }, 304],
      [{ 'if-none-match': '"v0", "v1"' }, 304],
      [{ 'if-none-match': '*' }, 304],
      [{ 'if-none-match': '"v2"' }, 200],
      [{ 'if-none-match': '"v2"', 'if-modified-since': modified }, 200],
      [{ 'if-modified-since': modified }, 304],
      [{ 'if-modified-since': at(0) }, 200],
      [{ 'if-modified-since': 'yesterday' }, 200],
    ] as const) {
      const answer = await get(url, condition);
      expect(answer.status, JSON.stringify(condition)).toBe(status);
      expect(answer.headers.etag).toBe('"v1"');
    }
    expect(handler.calls()).toBe(1);
  });

  it.each([
    ['is too long', { 'content-length': '3000000' }, 'x'.repeat(3_000_000)],
    ['is private', { 'cache-control': 'private' }, 'x'],
  ])('answers them also where what is answered %s and not kept', async (_why, stated, body) => {
    const modified = 'Sun, 06 Nov 1994 08:49:37 GMT';
    const page = fields({ ...stated, etag: '"v1"', 'last-modified': modified });
    // As whoever knows conditions, of which the cache tells him nothing.
    const handler: RequestHandler = (req, res) => {
      page(req, res, () => {
        const { 'if-none-match': etag, 'if-modified-since': since } = req.headers;
        if (etag === '"v1"' || since === modified) res.status(304).removeHeader('content-length');
        res.end(res.statusCode === 304 ? undefined : body);
      });
    };
    const url = await serving(cache({ ttlMs: 60_000 }), handler);
    for (const condition of [{ 'if-none-match': '"v1"' }, { 'if-modified-since': modified }]) {
      const { status, text, headers } = await get(`${url}/${Object.keys(condition)[0]}`, condition);
      expect([status, text.length, headers.etag]).toEqual([304, 0, '"v1"']);
    }
    expect((await get(url, { 'if-none-match': '"v0"' })).text.length).toBe(body.length);
  });

  it('leaves the answer to them to the handler where nothing could be kept: of who says who asks', async () => {
    const handler = counting(fields({ etag: '"v1"', 'cache-control': 'private' }));
    const url = await serving(cache({ ttlMs: 60_000 }), handler);
    const asked = { cookie: 'sid=alice', 'if-none-match': '"v1"' };
    expect(await get(url, asked)).toMatchObject({ status: 200, text: 'answer 1' });
  });

  it('gives an answer without ETag one, which is made once', async () => {
    const url = await serving(cache({ ttlMs: 60_000 }), counting());
    const { headers } = await get(url);
    expect(headers.etag).toMatch(/^W\/"[\w-]{16}"$/);
    expect((await get(url)).headers.etag).toBe(headers.etag);
    expect((await get(url, { 'if-none-match': String(headers.etag) })).status).toBe(304);
  });
});

describe('HEAD and ranges', () => {
  it('HEAD is answered from what GET was answered (section 4)', async () => {
    const handler = counting();
    const url = await serving(cache({ ttlMs: 60_000 }), handler);
    await get(url);
    const { status, text, headers } = await send(url, { method: 'HEAD' });
    expect({ status, text, length: headers['content-length'] }).toEqual({
      status: 200,
      text: '',
      length: '8',
    });
    expect(handler.calls()).toBe(1);
  });

  it.each([
    ['bytes=0-1', 206, '01', 'bytes 0-1/10'],
    ['bytes=7-', 206, '789', 'bytes 7-9/10'],
    ['bytes=-2', 206, '89', 'bytes 8-9/10'],
    ['bytes=5-99', 206, '56789', 'bytes 5-9/10'],
    ['bytes=20-', 416, '', 'bytes */10'],
    ['bytes=3-2', 200, '0123456789', undefined],
    ['bytes=0-1,3-4', 200, '0123456789', undefined],
    ['lines=0-1', 200, '0123456789', undefined],
  ])('of a whole answer %s is %d (RFC 9110 section 14)', async (range, status, text, contentRange) => {
    const url = await serving(cache({ ttlMs: 60_000 }), (_req, res) => void res.end('0123456789'));
    await get(url);
    const answer = await get(url, { range });
    expect(answer).toMatchObject({ status, text });
    expect(answer.headers['content-range']).toBe(contentRange);
    expect((await get(url, { range, 'if-range': '"other"' })).status).toBe(200);
  });
});

describe('Vary (section 4.1)', () => {
  const byLanguage: RequestHandler = (req, res) => {
    res.vary('Accept-Language').end(String(req.headers['accept-language']));
  };

  it('keeps an answer for each value of the fields it names', async () => {
    const route = cache({ ttlMs: 60_000 });
    const url = await serving(route, byLanguage);
    for (const language of ['de', 'en', 'fr', 'de', 'en', 'fr', 'DE', ' en']) {
      expect((await get(url, { 'accept-language': language })).text).toBe(language.trim().toLowerCase());
    }
    expect(route.report()).toMatchObject({ miss: 3, hit: 5 });
  });

  it('never uses an answer with Vary: * again', async () => {
    const url = await serving(cache({ ttlMs: 60_000 }), counting(fields({ vary: 'x, *' })));
    await get(url);
    expect((await get(url)).text).toBe('answer 2');
  });

  it('looks at what the app names, too', async () => {
    const url = await serving(cache({ ttlMs: 60_000, vary: ['X-Tenant'] }), counting());
    expect((await get(url, { 'x-tenant': 'a' })).text).toBe('answer 1');
    expect((await get(url, { 'x-tenant': 'b' })).text).toBe('answer 2');
    expect((await get(url, { 'x-tenant': 'a' })).text).toBe('answer 1');
  });

  it('tells the caches in front what the app names', async () => {
    const byAccept: RequestHandler = (_req, res, next) => {
      res.vary('Accept').set('ETag', '"a"');
      next();
    };
    const url = await serving(cache({ ttlMs: 60_000, vary: ['X-Tenant', 'X-Plan'] }), counting(byAccept));
    const headers = { 'x-tenant': 'a' };
    for (const [more, status] of [
      [{}, 200],
      [{}, 200],
      [{ 'if-none-match': '"a"' }, 304],
    ] as const) {
      const answer = await get(url, { ...headers, ...more });
      expect([answer.status, answer.headers.vary]).toEqual([status, 'x-tenant, x-plan, Accept']);
    }
    expect((await get(url, headers)).text).toBe('answer 1');
  });

  it('adds to what stands there already', async () => {
    const above: RequestHandler = (_req, res, next) => {
      res.vary('Origin');
      next();
    };
    const url = await serving(above, cache({ ttlMs: 60_000 }), byLanguage);
    await get(url);
    expect((await get(url)).headers.vary).toBe('Origin, Accept-Language');
  });
});

describe('fields that are not sent again (section 3.1)', () => {
  it('are those that Connection names, and those in no-cache="…"', async () => {
    const handler = counting(
      fields({
        connection: 'x-hop',
        'x-hop': '1',
        'x-once': '1',
        'x-kept': '1',
        'cache-control': 'max-age=9, no-cache="x-once"',
      }),
    );
    const url = await serving(cache(), handler);
    await get(url);
    const { headers, text } = await get(url);
    expect(text).toBe('answer 1');
    expect(headers['x-kept']).toBe('1');
    expect([headers['x-hop'], headers['x-once']]).toEqual([undefined, undefined]);
  });
});
