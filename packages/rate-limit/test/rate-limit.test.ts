import { facts } from '@signalbox/context';
import { testClock } from '@signalbox/testing';
import { describe, expect, it } from 'vitest';
import { startFaultProxy } from '../../../test/support/fault-proxy.js';
import { eventually } from '../../../test/support/eventually.js';
import { connectedClient } from '../../../test/support/redis-client.js';
import { sharedRedis } from '../../../test/support/shared-redis.js';
import { byHeader, memoryStore, rateLimit, redisStore, type RateLimitStore } from '../src/index.js';
import { get, listening, serving, statuses } from './support.js';

const redis = sharedRedis();

const stores: readonly (readonly [string, () => RateLimitStore])[] = [
  ['in memory', () => memoryStore()],
  ['in Redis', () => redisStore(redis.link)],
];

let serial = 0;
const unique = (): string => `limit${(serial += 1)}`;

describe.each(stores)('rateLimit %s', (_where, store) => {
  it('answers 429 with Retry-After once a caller has used its limit', async () => {
    const url = await serving(rateLimit({ limit: 2, store: store(), name: unique() }));
    expect(await statuses(2, () => get(url))).toEqual([200, 200]);
    const refused = await get(url);
    expect(refused.status).toBe(429);
    expect(refused.headers['retry-after']).toMatch(/^(60|59)$/);
    expect(refused.body.error).toMatchObject({
      type: 'rate_limited',
      details: { limit: 2, windowSeconds: 60 },
    });
    expect((await get(url)).status).toBe(429);
  });

  it('lets exactly the limit through, however many come at once', async () => {
    const url = await serving(rateLimit({ limit: 7, store: store(), name: unique() }));
    const answers = await Promise.all(Array.from({ length: 60 }, () => get(url)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(7);
  });

  it('sets the fields of the draft, req.rateLimit and what the log says', async () => {
    const { decisions } = listening();
    const name = unique();
    const seen: unknown[] = [];
    const url = await serving(rateLimit({ limit: 5, store: store(), name }), (req, _res, next) => {
      seen.push(facts(req).rateLimit);
      next();
    });
    const { headers, body } = await get(url);
    expect(headers).toMatchObject({
      'ratelimit-policy': `"${name}";q=5;w=60`,
      ratelimit: `"${name}";r=4;t=60`,
    });
    expect(body['rateLimit']).toMatchObject({ limit: 5, remaining: 4, zone: name });
    expect(seen).toEqual(['allowed']);
    expect(decisions).toEqual([{ zone: name, outcome: 'allowed', local: false }]);
  });

  it('counts failures alone where it is told to', async () => {
    const limiter = rateLimit({
      limit: 2,
      store: store(),
      name: unique(),
      count: 'failures',
      key: byHeader('x-user'),
    });
    const url = await serving(limiter, (req, res) => void res.status(req.path === '/ok' ? 204 : 401).end());
    const as = (path: string) => () => get(`${url}${path}`, { 'x-user': 'u' });
    // The answer is out before it is taken back.
    for (let times = 0; times < 5; times++) {
      await eventually(async () => (await as('/ok')()).status === 204, 1_000);
    }
    await eventually(async () => (await as('/ok')()).headers['ratelimit']?.includes('r=1;') === true);
    expect(await statuses(4, as('/wrong'))).toContain(429);
  });

  it('refuses nobody in shadow mode', async () => {
    const { decisions } = listening();
    const url = await serving(rateLimit({ limit: 1, store: store(), name: unique(), shadow: true }));
    expect(await statuses(3, () => get(url))).toEqual([200, 200, 200]);
    expect(decisions.map(({ outcome }) => outcome)).toEqual(['allowed', 'shadow_refused', 'shadow_refused']);
  });

  it('knows who is allowed, denied, skipped or not meant', async () => {
    const limit = { limit: 1, store: store() };
    const free = await Promise.all([
      serving(rateLimit({ ...limit, name: unique(), allow: ['127.0.0.1/32'] })),
      serving(rateLimit({ ...limit, name: unique(), skip: () => true })),
      serving(rateLimit({ ...limit, name: unique(), key: () => undefined })),
    ]);
    for (const url of free) expect(await statuses(3, () => get(url))).toEqual([200, 200, 200]);
    const denied = await serving(rateLimit({ ...limit, name: unique(), deny: ['127.0.0.0/8', '::1'] }));
    expect((await get(denied)).status).toBe(403);
  });
});

describe('rateLimit', () => {
  it('opens a new window when the last one has ended', async () => {
    const clock = testClock(0);
    const url = await serving(rateLimit({ limit: 1, windowMs: 100, store: memoryStore({ now: clock.now }) }));
    expect(await statuses(2, () => get(url))).toEqual([200, 429]);
    clock.advance(100);
    await eventually(async () => (await get(url)).status === 200);
  });

  it('keeps parallel limits of one request apart', async () => {
    const first = rateLimit({ limit: 1, name: 'first' });
    const second = rateLimit({ limit: 5, name: 'second' });
    const url = await serving((req, res, next) => {
      const outcomes: unknown[] = [];
      const join = (outcome?: unknown): void => {
        outcomes.push(outcome);
        if (outcomes.length === 2) next(outcomes.find((each) => each !== undefined));
      };
      void first(req, res, join);
      void second(req, res, join);
    });
    expect((await get(url)).headers['ratelimit']).toBe('"first";r=0;t=60, "second";r=4;t=60');
    expect((await get(url)).body.error).toMatchObject({ details: { zone: 'first' } });
  });

  it('waits for Redis once, and leaves no key without an expiry', async () => {
    const proxy = await startFaultProxy({ to: redis.server.port });
    const own = await connectedClient(proxy.port);
    const url = await serving(
      rateLimit({ limit: 1_000, store: redisStore(own), name: unique(), count: 'failures' }),
      (_req, res) => void res.status(500).end(),
    );
    await get(url);
    proxy.resetCounts();
    for (let times = 0; times < 10; times++) await get(url);
    expect(proxy.counts.roundTrips).toBe(10);
    await proxy.stop();
    for (const key of await redis.client.keys('*')) expect(await redis.client.pttl(key)).toBeGreaterThan(0);
  });

  it('takes back nothing from a window that has ended', async () => {
    const name = unique();
    let answer: (() => void) | undefined;
    let isOver = false;
    const url = await serving(
      rateLimit({ limit: 5, windowMs: 150, store: redisStore(redis.link), name, count: 'failures' }),
      (_req, res) => {
        answer = () => void res.status(200).end();
        res.on('close', () => {
          isOver = true;
        });
      },
    );
    const asked = get(url);
    await eventually(() => answer !== undefined);
    await eventually(async () => (await redis.client.keys(`*${name}*`)).length === 0);
    answer?.();
    await asked;
    await eventually(() => isOver);
    // What is taken back is sent by now, on the same connection: it would be answered first.
    await redis.client.ping();
    expect(await redis.client.keys(`*${name}*`)).toEqual([]);
  });

  it('refuses one name for two limits in one store, and lets one limit be made twice', () => {
    const store = memoryStore();
    rateLimit({ limit: 5, store });
    rateLimit({ limit: 5, store });
    expect(() => rateLimit({ limit: 6, store })).toThrow(
      new TypeError(
        'rateLimit: "name" must differ from that of another limit, got "default", under which the store counts 5/m',
      ),
    );
    rateLimit({ limit: 6, store, name: 'other' });
  });
});
