import { describe, expect, it } from 'vitest';
import { memoryStore, rateLimit, zones, type RateLimitOptions, type ZonesOptions } from '../src/index.js';

const WANTED = 'must be a rate such as 10/s, 5/15m, 10/s burst 20 or 100/h sliding';

describe('rateLimit refuses', () => {
  it.each<[unknown, string]>([
    [undefined, 'rateLimit: "options" must be an object, got undefined'],
    [{}, 'rateLimit: "limit" must be an integer of at least 1, got undefined'],
    ...[0, -1, 1.5, Number.NaN, Infinity, '5'].map((limit): [unknown, string] => [
      { limit },
      `rateLimit: "limit" must be an integer of at least 1, got ${typeof limit === 'string' ? '"5"' : String(limit)}`,
    ]),
    [{ limit: 1, windowMs: 0 }, 'rateLimit: "windowMs" must be an integer of at least 1, got 0'],
    [{ limit: 1, windowMs: '15m' }, 'rateLimit: "windowMs" must be an integer of at least 1, got "15m"'],
    [{ limit: 1, key: 'ip' }, 'rateLimit: "key" must be a function, got "ip"'],
    [{ limit: 1, key: [] }, 'rateLimit: "key" must be a function, got an array'],
    [
      { limit: 1, name: '' },
      'rateLimit: "name" must be a name of up to 64 letters, digits, "_", "." and "-" that begins with a letter, got ""',
    ],
    [
      { limit: 1, name: 'a b' },
      'rateLimit: "name" must be a name of up to 64 letters, digits, "_", "." and "-" that begins with a letter, got "a b"',
    ],
    [{ limit: 1, count: 'errors' }, 'rateLimit: "count" must be "all" or "failures", got "errors"'],
    [{ limit: 1, instances: 0 }, 'rateLimit: "instances" must be an integer of at least 1, got 0'],
    [
      { limit: 1, onStoreDown: 'pass' },
      'rateLimit: "onStoreDown" must be "local" or "open" or "closed", got "pass"',
    ],
    [{ limit: 1, shadow: 1 }, 'rateLimit: "shadow" must be true or false, got 1'],
    [{ limit: 1, headers: 'draft-8' }, 'rateLimit: "headers" must be true or false, got "draft-8"'],
    [{ limit: 1, legacyHeaders: null }, 'rateLimit: "legacyHeaders" must be true or false, got null'],
    [
      { limit: 1, secret: 'short' },
      'rateLimit: "secret" must be of at least 32 bytes, got text of 5 characters',
    ],
    [{ limit: 1, skip: true }, 'rateLimit: "skip" must be a function, got true'],
    [
      { limit: 1, allow: '127.0.0.1' },
      'rateLimit: "allow" must be a list of addresses and networks, got "127.0.0.1"',
    ],
    [
      { limit: 1, deny: ['10.0.0.0/33'] },
      'rateLimit: "deny" must be a list of addresses and networks, got "10.0.0.0/33"',
    ],
    [
      { limit: 1, deny: ['example.org'] },
      'rateLimit: "deny" must be a list of addresses and networks, got "example.org"',
    ],
    [{ limit: 1, store: {} }, 'rateLimit: "store" must be memoryStore() or redisStore(), got an object'],
    [
      { limit: 1, store: { sendCommand() {} } },
      'rateLimit: "store" must be memoryStore() or redisStore(), got an object: wrap the Redis client in redisStore()',
    ],
    [
      { limit: 1, store: memoryStore },
      'rateLimit: "store" must be memoryStore() or redisStore(), got a function',
    ],
    [{ limit: 1, window: 5 }, 'rateLimit: "window" is not an option; did you mean "windowMs"?'],
    [
      { limit: 1, legacyheaders: true },
      'rateLimit: "legacyheaders" is not an option; did you mean "legacyHeaders"?',
    ],
    [
      { limit: 1, requestWasSuccessful: 200 },
      'rateLimit: "requestWasSuccessful" must be a function, got 200',
    ],
  ])('%o', (options, message) => {
    expect(() => rateLimit(options as RateLimitOptions)).toThrow(new TypeError(message));
  });
});

describe('zones refuses', () => {
  it.each<[unknown, string]>([
    [null, 'zones: "options" must be an object, got null'],
    [{}, 'zones: "zones" must be an object, got undefined'],
    [{ zones: [] }, 'zones: "zones" must be an object, got an array'],
    [{ zones: {} }, 'zones: "zones" must name at least one zone, got none'],
    [{ zones: { api: '10 per second' } }, `zones: "zones.api.rate" ${WANTED}, got "10 per second"`],
    [{ zones: { api: 10 } }, 'zones: "zones.api" must be an object, got 10'],
    [{ zones: { api: {} } }, `zones: "zones.api.rate" ${WANTED}, got undefined`],
    [
      { zones: { api: { limit: 10 } } },
      'zones: "zones.api.rate.windowMs" must be an integer of at least 1, got undefined',
    ],
    [
      { zones: { api: { rate: '1/s', keys: 1 } } },
      'zones: "zones.api": "keys" is not an option; did you mean "key"?',
    ],
    [
      { zones: { api: { rate: '1/s', key: 'ip' } } },
      'zones: "zones.api.key" must be a function or a list of functions, got "ip"',
    ],
    [
      { zones: { api: { rate: '1/s', key: [] } } },
      'zones: "zones.api.key" must be a function or a list of functions, got an array',
    ],
    [{ zones: { api: { rate: '1/s', key: ['ip'] } } }, 'zones: "zones.api.key" must be a function, got "ip"'],
    [
      { zones: { api: { rate: '1/s', cost: -1 } } },
      'zones: "zones.api.cost" must be an integer of at least 0, got -1',
    ],
    [
      { zones: { api: { rate: '1/s', cost: Number.NaN } } },
      'zones: "zones.api.cost" must be an integer of at least 0, got NaN',
    ],
    [
      { zones: { api: { rate: '1/s', cost: '2' } } },
      'zones: "zones.api.cost" must be an integer of at least 0, got "2"',
    ],
    [
      { zones: { api: { rate: '1/s burst 3', cost: 5 } } },
      'zones: "zones.api.cost" must be at most 4, which is all that may come at once, got 5',
    ],
    [
      { zones: { api: { rate: '1/s', count: 'success' } } },
      'zones: "zones.api.count" must be "all" or "failures", got "success"',
    ],
    [
      { zones: { api: { plans: { pro: '1/s' } } } },
      'zones: "zones.api" must have both "plans" and "plan", or neither',
    ],
    [
      { zones: { api: { rate: '1/s', plan: () => 'pro' } } },
      'zones: "zones.api" must have both "plans" and "plan", or neither',
    ],
    [
      { zones: { api: { plans: { pro: 'x' }, plan() {} } } },
      `zones: "zones.api.plans.pro" ${WANTED}, got "x"`,
    ],
    [
      { zones: { api: { plans: { pro: '1/s' }, plan: 'pro' } } },
      'zones: "zones.api.plan" must be a function, got "pro"',
    ],
    [
      { zones: { api: { rate: '1/s', onStoreDown: 'stale' } } },
      'zones: "zones.api.onStoreDown" must be "local" or "open" or "closed", got "stale"',
    ],
    [
      { zones: { 'a}b': '1/s' } },
      'zones: "zones.<name>" must be a name of up to 64 letters, digits, "_", "." and "-" that begins with a letter, got "a}b"',
    ],
    [{ zones: { api: '1/s' }, zone: 1 }, 'zones: "zone" is not an option; did you mean "zones"?'],
    [
      { zones: { api: '1/s' }, instances: 1.5 },
      'zones: "instances" must be an integer of at least 1, got 1.5',
    ],
  ])('%o', (options, message) => {
    expect(() => zones(options as ZonesOptions)).toThrow(new TypeError(message));
  });
});

describe('zone() refuses', () => {
  const limits = zones({ zones: { api: '10/s burst 20', search: '5/s' } });

  it('what is no zone, in the compiler and at run time', () => {
    // @ts-expect-error a zone that there is not
    expect(() => limits.zone('serach')).toThrow(
      new TypeError('zone: there is no zone "serach"; did you mean "search"?'),
    );
    // @ts-expect-error a zone that there is not
    expect(() => limits.zone(['api', 'login'])).toThrow(
      new TypeError('zone: there is no zone "login"; there are api, search'),
    );
    // @ts-expect-error a zone that there is not
    expect(() => limits.zone({ zone: 'toString' })).toThrow(TypeError);
    // @ts-expect-error no zone at all
    expect(() => limits.zone({})).toThrow(
      new TypeError('zone: there is no zone undefined; there are api, search'),
    );
  });

  it.each<[unknown, unknown, string]>([
    [[], {}, 'zone: "use" must name at least one zone, got none'],
    [7, {}, 'zone: "use" must be an object, got 7'],
    [
      { zone: 'api', cost: 22 },
      {},
      'zone: "api.cost" must be at most 21, which is all that may come at once, got 22',
    ],
    [
      { zone: 'api', plan: 'x' },
      {},
      'zone: "api": "plan" is not an option; there are zone, key, cost, count, shadow',
    ],
    [{ zone: 'api', key: 5 }, {}, 'zone: "api.key" must be a function or a list of functions, got 5'],
    [{ zone: 'api', shadow: 'no' }, {}, 'zone: "api.shadow" must be true or false, got "no"'],
    ['api', { skip: true }, 'zone: "skip" must be a function, got true'],
    ['api', { skp: true }, 'zone: "skp" is not an option; did you mean "skip"?'],
  ])('%o, %o', (use, options, message) => {
    expect(() => limits.zone(use as 'api', options as object)).toThrow(new TypeError(message));
  });

  it('take, of what is no zone, and of options that are none', async () => {
    await expect(limits.take('serach' as 'search', 'x')).rejects.toThrow(
      'take: there is no zone "serach"; did you mean "search"?',
    );
    await expect(limits.take('search', 'x', { costs: 1 } as object)).rejects.toThrow(
      'take: "costs" is not an option; did you mean "cost"?',
    );
    await expect(limits.reset('serach' as 'search', 'x')).rejects.toThrow(TypeError);
  });
});
