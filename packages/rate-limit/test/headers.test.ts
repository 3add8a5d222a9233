import { testClock } from '@signalbox/testing';
import { describe, expect, it } from 'vitest';
import { byAddress, byHeader, memoryStore, rateLimit, zones } from '../src/index.js';
import { get, serving } from './support.js';

/** The members of a list of strings with integer parameters (RFC 9651 section 4.2); throws where it is none. */
function parseList(field: string): { name: string; parameters: Record<string, number> }[] {
  return field.split(', ').map((member) => {
    const match = /^"([\x20-\x21\x23-\x5b\x5d-\x7e]*)"((?:;[a-z*][a-z0-9_.*-]*=-?\d{1,15})*)$/.exec(member);
    if (match === null) throw new Error(`not a structured field: ${member}`);
    const [, name = '', parameters = ''] = match;
    const pairs = parameters
      .split(';')
      .slice(1)
      .map((pair) => pair.split('=') as [string, string]);
    return {
      name,
      parameters: Object.fromEntries(pairs.map(([key, value]) => [key, Number(value)])),
    };
  });
}

describe('the header fields', () => {
  it('are those of the draft: policy and standing', async () => {
    const clock = testClock(0);
    const store = memoryStore({ now: clock.now });
    const limits = zones({ store, zones: { api: '10/s burst 20' } });
    const url = await serving(limits.zone('api'));

    const first = await get(url);
    expect(first.headers['ratelimit-policy']).toBe('"api";q=21;w=3');
    expect(first.headers['ratelimit']).toBe('"api";r=20;t=1');
    for (let times = 0; times < 20; times++) await get(url);
    const { headers } = await get(url);
    expect(headers['ratelimit']).toBe('"api";r=0;t=3');
    expect(headers['retry-after']).toBe('1');
  });

  it('name a zone with two keys once, by the one that has less left', async () => {
    const limits = zones({
      zones: { login: { rate: '3/m', key: [byAddress(), byHeader('x-account')] } },
    });
    const url = await serving(limits.zone('login'));
    await get(url, { 'x-account': 'ada' });
    const { headers } = await get(url, { 'x-account': 'bob' });
    expect(headers['ratelimit-policy']).toBe('"login";q=3;w=60');
    expect(headers['ratelimit']).toBe('"login";r=1;t=60');
  });

  it('list several zones, and those of several middlewares', async () => {
    const limits = zones({ zones: { api: '100/m', search: '5/s burst 10' } });
    const url = await serving(
      limits.zone(['api', 'search']),
      rateLimit({ limit: 9, name: 'all' }),
      zones({ zones: { other: '1/h sliding' } }).zone('other'),
    );
    const { headers } = await get(url);
    expect(parseList(String(headers['ratelimit-policy']))).toEqual([
      { name: 'api', parameters: { q: 100, w: 60 } },
      { name: 'search', parameters: { q: 11, w: 3 } },
      { name: 'all', parameters: { q: 9, w: 60 } },
      { name: 'other', parameters: { q: 1, w: 3600 } },
    ]);
    expect(parseList(String(headers['ratelimit']))).toEqual([
      { name: 'api', parameters: { r: 99, t: 60 } },
      { name: 'search', parameters: { r: 10, t: 1 } },
      { name: 'all', parameters: { r: 8, t: 60 } },
      { name: 'other', parameters: { r: 0, t: 3600 } },
    ]);
  });

  it('hold for rates of any size', async () => {
    const limits = zones({
      zones: { huge: '9007199254740991/9007199254740991ms', small: '1/1ms', odd: '7/333ms burst 5' },
    });
    const url = await serving(limits.zone(['huge', 'small', 'odd']));
    const { headers, status } = await get(url);
    expect(status).toBe(200);
    expect(parseList(String(headers['ratelimit-policy']))).toHaveLength(3);
    expect(parseList(String(headers['ratelimit']))).toHaveLength(3);
  });

  it('never tell to come back at once', async () => {
    const url = await serving(zones({ zones: { api: '1/5ms sliding' } }).zone('api'));
    const answers = await Promise.all(Array.from({ length: 20 }, () => get(url)));
    const waits = answers.filter(({ status }) => status === 429).map(({ headers }) => headers['retry-after']);
    expect(waits.every((wait) => wait === '1')).toBe(true);
  });

  it('are the legacy ones besides, or none, by option', async () => {
    const legacy = await serving(
      zones({ legacyHeaders: true, headers: false, zones: { wide: '9/m', narrow: '2/m' } }).zone([
        'wide',
        'narrow',
      ]),
    );
    const { headers } = await get(legacy);
    expect(headers).toMatchObject({ 'x-ratelimit-limit': '2', 'x-ratelimit-remaining': '1' });
    const resetSeconds = Number(headers['x-ratelimit-reset']) - Date.now() / 1000;
    expect(resetSeconds).toBeGreaterThan(58);
    expect(resetSeconds).toBeLessThan(62);
    expect(headers).not.toHaveProperty('ratelimit');

    const none = await serving(rateLimit({ limit: 1, headers: false }));
    await get(none);
    const refused = await get(none);
    expect(refused.status).toBe(429);
    expect(Object.keys(refused.headers).filter((name) => name.includes('ratelimit'))).toEqual([]);
    expect(refused.headers['retry-after']).toBe('60');
  });
});
