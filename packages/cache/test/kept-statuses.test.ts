import { describe, expect, it } from 'vitest';
import { cache, type CacheOptions } from '../src/index.js';
import { clock, counting, fields, get, serving } from './support.js';

const at = (ms: number): string => new Date(ms).toUTCString();
const CHANGED = { 'last-modified': at(Date.now() - 100_000_000) };

async function isUsedAgain(
  status: number,
  stated: Record<string, string>,
  options: CacheOptions = {},
  afterSeconds = 0,
): Promise<boolean> {
  const { now, pass } = clock();
  const handler = counting(fields(stated, status));
  const url = await serving(cache({ now, etag: false, ...options }), handler);
  const { status: first } = await get(url);
  expect(first).toBe(status);
  pass(afterSeconds);
  expect((await get(url)).status).toBe(status);
  return handler.calls() === 1;
}

describe('the status of an answer', () => {
  it.each([200, 203, 204, 299, 301, 302, 303, 307, 308, 400, 403, 404, 410, 422, 451, 499])(
    'may be %d where the answer states its lifetime, and then ends with it (RFC 9111 section 3)',
    async (status) => {
      const stated = { 'cache-control': 'max-age=60' };
      expect(await isUsedAgain(status, stated, {}, 59)).toBe(true);
      expect(await isUsedAgain(status, stated, {}, 61)).toBe(false);
    },
  );

  it.each([206, 412, 416, 417, 428, 429, 431, 500, 501, 502, 503, 504, 599])(
    'may not be %d, whatever the answer states',
    async (status) => {
      expect(await isUsedAgain(status, { 'cache-control': 'public, max-age=60' }, { shared: true })).toBe(
        false,
      );
    },
  );

  it.each([200, 203, 204, 300, 301, 308, 404, 405, 410, 414])(
    'may be %d for a lifetime by Last-Modified (RFC 9111 section 4.2.2, RFC 9110 section 15.1)',
    async (status) => {
      expect(await isUsedAgain(status, CHANGED, { heuristic: true })).toBe(true);
    },
  );

  it.each([201, 202, 302, 303, 307, 400, 403, 429, 501, 502, 503, 504, 599])(
    'may not be %d for a lifetime by Last-Modified (RFC 9110 section 15.1)',
    async (status) => {
      expect(await isUsedAgain(status, CHANGED, { heuristic: true })).toBe(false);
    },
  );

  it('may be any for a lifetime by Last-Modified where the answer says public (section 4.2.2)', async () => {
    const stated = { ...CHANGED, 'cache-control': 'public' };
    expect(await isUsedAgain(299, stated, { heuristic: true })).toBe(true);
    expect(await isUsedAgain(299, CHANGED, { heuristic: true })).toBe(false);
  });

  it.each([
    [200, true],
    [404, true],
    [299, false],
    [499, false],
  ])(
    '%d beside must-understand decides whether no-store counts (section 5.2.2.3): %s',
    async (status, isKept) => {
      const stated = { 'cache-control': 'max-age=60, no-store, must-understand' };
      expect(await isUsedAgain(status, stated)).toBe(isKept);
    },
  );

  it('is sent again with the body and the fields that came with it', async () => {
    const handler = counting(fields({ 'cache-control': 'max-age=60', location: '/there' }, 301));
    const url = await serving(cache(), handler);
    const first = await get(url);
    const again = await get(url);
    expect(again).toMatchObject({ status: 301, text: first.text });
    expect(again.headers.location).toBe('/there');
  });

  it('may not be that of a POST, whatever the answer states (section 4)', async () => {
    const handler = counting(fields({ 'cache-control': 'max-age=60', 'content-location': '/' }));
    const url = await serving(cache(), handler);
    await fetch(url, { method: 'POST' });
    expect((await get(url)).text).toBe('answer 2');
  });
});
