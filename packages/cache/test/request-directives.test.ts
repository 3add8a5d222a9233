import { describe, expect, it } from 'vitest';
import { cache, type CacheOptions } from '../src/index.js';
import { clock, counting, fields, get, serving } from './support.js';

/** Whether what was answered is used for a request with these fields, so many seconds later. */
async function isUsed(
  stated: Record<string, string>,
  asked: Record<string, string>,
  afterSeconds: number,
  options: CacheOptions = {},
): Promise<boolean> {
  const { now, pass } = clock();
  const handler = counting(fields(stated));
  const url = await serving(cache({ now, etag: false, requestDirectives: true, ...options }), handler);
  await get(url);
  pass(afterSeconds);
  return (await get(url, asked)).text === 'answer 1';
}

const STALE_ALLOWED = { 'cache-control': 'max-age=10, stale-if-error=1000' };

describe('what a request says (RFC 9111 section 5.2.1)', () => {
  it.each([
    ['max-age=5', 4, true],
    ['max-age=5', 6, false],
    ['max-age=0', 1, false],
    ['min-fresh=3', 6, true],
    ['min-fresh=3', 8, false],
    ['no-cache', 0, false],
    ['max-age=5, foobar', 4, true],
  ])('%s, %d seconds later: used is %s', async (directives, seconds, used) => {
    expect(await isUsed({ 'cache-control': 'max-age=10' }, { 'cache-control': directives }, seconds)).toBe(
      used,
    );
  });

  it('counts the age that an answer came with', async () => {
    const stated = { 'cache-control': 'max-age=100', age: '50' };
    expect(await isUsed(stated, { 'cache-control': 'max-age=60' }, 5)).toBe(true);
    expect(await isUsed(stated, { 'cache-control': 'max-age=60' }, 15)).toBe(false);
    expect(await isUsed(stated, { 'cache-control': 'min-fresh=60' }, 0)).toBe(false);
  });

  it.each([
    ['max-stale=5', 14, true],
    ['max-stale=5', 16, false],
    ['max-stale', 500, true],
    ['max-stale=0', 11, false],
  ])('%s, 10 seconds fresh and %d old: used is %s', async (directives, seconds, used) => {
    expect(await isUsed(STALE_ALLOWED, { 'cache-control': directives }, seconds)).toBe(used);
  });

  it.each(['must-revalidate', 'proxy-revalidate', 's-maxage=10', 'no-cache'])(
    'max-stale does not hold against %s of the answer (section 4.2.4)',
    async (control) => {
      const stated = { 'cache-control': `max-age=10, stale-if-error=1000, ${control}`, etag: '"a"' };
      expect(await isUsed(stated, { 'cache-control': 'max-stale' }, 11)).toBe(false);
    },
  );

  it('Pragma: no-cache counts where there is no Cache-Control (section 5.4), and only by option', async () => {
    const stated = { 'cache-control': 'max-age=10' };
    const pragma = { pragma: 'no-cache' };
    expect(await isUsed(stated, pragma, 0)).toBe(false);
    expect(await isUsed(stated, { ...pragma, 'cache-control': 'max-age=5' }, 0)).toBe(true);
    expect(await isUsed(stated, { pragma: 'foobar' }, 0)).toBe(true);
    expect(await isUsed(stated, pragma, 0, { requestDirectives: false })).toBe(true);
  });
});
