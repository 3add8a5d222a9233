import { fileURLToPath } from 'node:url';
import { Agent, request } from 'node:http';
import { setTimeout as after } from 'node:timers/promises';
import { connectRedis } from '@signalbox/redis';
import { startProgram, type Program } from '@signalbox/testing';
import type { RequestHandler } from 'express';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startFaultProxy } from '../../../test/support/fault-proxy.js';
import { startRedis, type RedisServer } from '../../../test/support/redis.js';
import { eventually } from '../../../test/support/eventually.js';
import type { Answer } from '../../../test/support/send.js';
import {
  cache,
  memoryStore,
  redisStore,
  type Cache,
  type CacheOptions,
  type CacheStore,
  type Claim,
} from '../src/index.js';
import { clock, counting, get, serving } from './support.js';

const AT_ONCE = 300;

/** The bodies of so many requests, as many at the same time as there may be. */
async function texts(count: number, url: (index: number) => string, host = 'app.example'): Promise<string[]> {
  const agent = new Agent({ maxSockets: AT_ONCE });
  const one = (target: string): Promise<string> =>
    new Promise((resolve, reject) => {
      // As the processes of one app, which differ by nothing.
      request(target, { agent, headers: { host } }, (res) => {
        let text = '';
        res.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        res.on('end', () => resolve(text));
      })
        .on('error', reject)
        .end();
    });
  const all = await Promise.all(Array.from({ length: count }, (_each, index) => one(url(index))));
  agent.destroy();
  return all;
}

/** Two processes of one app, of which the second is slow to hear what Redis says to the first thing that it asks. */
async function anEarlyAndALate(
  options: Pick<CacheOptions, 'ttlMs' | 'staleWhileRevalidateMs' | 'now'>,
  handler: RequestHandler,
): Promise<{
  redis: RedisServer;
  ask: (host: 'early' | 'late') => Promise<string>;
  hasAsked: Promise<void>;
  letHear: () => void;
}> {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const open = async (): Promise<CacheStore> => {
    // Its deadline is not what the tests are about: a busy machine shall not fail them.
    const link = connectRedis(redis.url, { deadlineMs: 5_000 });
    onTestFinished(() => link.close());
    await eventually(() => link.state === 'up');
    return redisStore(link, { local: false });
  };
  const early = cache({ ...options, store: await open() });
  const store = await open();
  const asked = gate();
  const heard = gate();
  const read: CacheStore['read'] = async (key) => {
    const entry = await store.read(key);
    asked.open();
    await heard.opened;
    return entry;
  };
  const late = cache({ ...options, store: { ...store, stamp: store.stamp, read } });
  const either: RequestHandler = (req, res, next) => {
    const { host } = req.headers;
    sameHost(req, res, () => (host === 'late' ? late : early)(req, res, next));
  };
  const url = await serving(either, handler);
  return {
    redis,
    ask: async (host) => (await texts(1, () => url, host)).join(''),
    hasAsked: asked.opened,
    letHear: heard.open,
  };
}

/** As the processes of one app, which differ by nothing. */
const sameHost: RequestHandler = (req, _res, next) => {
  req.headers.host = 'app.example';
  next();
};

async function hasLock(redis: RedisServer): Promise<boolean> {
  return (await redis.command('KEYS', '*')).includes(':lock');
}

describe('one who asked just before another process kept it', () => {
  it('finds it when it gets the right to make it', async () => {
    const handler = counting();
    const { redis, ask, hasAsked, letHear } = await anEarlyAndALate({ ttlMs: 60_000 }, handler);
    const lateOne = ask('late');
    await hasAsked;
    await ask('early');
    await eventually(async () => !(await hasLock(redis)));
    letHear();
    expect(await lateOne).toBe('answer 1');
    expect(handler.calls()).toBe(1);
  });

  it('does not make it anew once more where it was stale', async () => {
    const { now, pass } = clock();
    const handler = counting();
    const times = { ttlMs: 10_000, staleWhileRevalidateMs: 60_000, now };
    const { redis, ask, hasAsked, letHear } = await anEarlyAndALate(times, handler);
    const claims = async (): Promise<number> =>
      Number(/cmdstat_set:calls=(\d+)/.exec(await redis.command('info', 'commandstats'))?.[1]);
    await ask('early');
    pass(20);
    const lateOne = ask('late');
    await hasAsked;
    expect(await ask('early')).toBe('answer 1');
    await eventually(async () => handler.calls() === 2 && !(await hasLock(redis)));
    const before = await claims();
    letHear();
    expect(await lateOne).toBe('answer 1');
    await eventually(async () => (await claims()) > before && !(await hasLock(redis)));
    expect(handler.calls()).toBe(2);
    expect(await ask('late')).toBe('answer 2');
  });
});

function gate(): { open: () => void; opened: Promise<void> } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open: () => open(), opened };
}

describe('many who miss at once', () => {
  it('are one call', async () => {
    let come = 0;
    const enough = gate();
    const counted: RequestHandler = (_req, _res, next) => {
      come += 1;
      if (come === AT_ONCE) enough.open();
      next();
    };
    const handler = counting(async (_req, _res, next) => {
      await enough.opened;
      next();
    });
    const route = cache({ ttlMs: 60_000 });
    const url = await serving(counted, route, handler);
    const all = await texts(1_000, () => url);
    expect(new Set(all)).toEqual(new Set(['answer 1']));
    expect(handler.calls()).toBe(1);
    const { coalesced, hit, miss } = route.report();
    expect({ miss, rest: coalesced + hit }).toEqual({ miss: 1, rest: 999 });
    expect(coalesced).toBeGreaterThanOrEqual(AT_ONCE - 1);
  });

  it('go each their own way when the answer turns out to be for one alone, and wait no more', async () => {
    const handler = counting((_req, res, next) => {
      res.set('cache-control', 'private');
      setTimeout(next, 50);
    });
    const url = await serving(cache({ ttlMs: 60_000 }), handler);
    const startedAt = performance.now();
    const all = await texts(50, () => url);
    expect(new Set(all).size).toBe(50);
    // One waits for the first, all others at the same time.
    expect(performance.now() - startedAt).toBeLessThan(1_500);
  });

  it('are one call also where somebody who is signed in gets an answer for him alone', async () => {
    const handler = counting((req, res, next) => {
      if (req.headers.cookie !== undefined) res.set('cache-control', 'private').cookie('seen', '1');
      setTimeout(next, 50);
    });
    const url = await serving(cache({ ttlMs: 60_000 }), handler);
    await get(url, { host: 'app.example', cookie: 'sid=1' });
    expect(new Set(await texts(50, () => url))).toEqual(new Set(['answer 2']));
  });

  it.each(['max-age=0', 'no-cache'])('get each an answer of their own to %s', async (control) => {
    const handler = counting((_req, res, next) => {
      res.set({ 'cache-control': control, etag: '"x"' });
      setTimeout(next, 30);
    });
    const url = await serving(cache(), handler);
    const all = await texts(10, () => url);
    expect(new Set(all).size).toBe(10);
  });

  it.each(['max-age=0', 'no-cache'])(
    'do not wait for each other in vain, once %s is known',
    async (control) => {
      const asking: (() => void)[] = [];
      const handler = counting((_req, res, next) => {
        res.set({ 'cache-control': control, etag: '"x"' });
        if (handler.calls() === 1) next();
        else asking.push(next);
      });
      // Another process always has the right to make it.
      const claim = (): Promise<Claim> =>
        Promise.resolve({ isMine: handler.calls() === 0, release: () => undefined });
      const url = await serving(cache({ store: Object.assign(memoryStore(), { claim }) }), handler);
      await get(url);
      const all = Promise.all([get(url), get(url), get(url)]);
      await eventually(() => asking.length === 3);
      for (const answer of asking) answer();
      expect(new Set((await all).map(({ text }) => text)).size).toBe(3);
    },
  );

  it('do not hang on one who hangs up', async () => {
    const handler = counting((_req, res, next) => {
      const timer = setTimeout(next, 60);
      res.on('close', () => clearTimeout(timer));
    });
    const url = await serving(cache({ ttlMs: 60_000, waitMs: 60_000 }), handler);
    const first = request(url, { agent: false });
    first.on('error', () => undefined).end();
    await eventually(() => handler.calls() === 1);
    const waiting = Promise.all([get(url), get(url), get(url)]);
    setTimeout(() => first.destroy(), 10);
    const answers = await waiting;
    expect(answers.map(({ text }) => text)).toEqual(['answer 2', 'answer 2', 'answer 2']);
  });

  it('do not hang on a call that hangs', async () => {
    const handler = counting((_req, _res, next) => void (handler.calls() > 1 && next()));
    const url = await serving(cache({ ttlMs: 60_000, waitMs: 100 }), handler);
    const first = request(url, { agent: false });
    first.on('error', () => undefined).end();
    await eventually(() => handler.calls() === 1);
    expect((await get(url)).text).toBe('answer 2');
    first.destroy();
  });

  it('get what a call brings that took longer than they wait for one, and make no more', async () => {
    const making: (() => void)[] = [];
    const handler = counting((_req, _res, next) => void making.push(next));
    const url = await serving(cache({ ttlMs: 60_000, waitMs: 300 }), handler);
    const got: string[] = [];
    const all = Promise.all(Array.from({ length: 10 }, async () => got.push((await get(url)).text)));
    await eventually(() => making.length === 2);
    making[0]?.();
    // All but the one that made the second call when the first took so long.
    await eventually(() => got.length === 9);
    making[1]?.();
    await all;
    expect(got.toSorted()).toEqual([...Array<string>(9).fill('answer 1'), 'answer 2']);
    expect(handler.calls()).toBe(2);
  });

  it('get only what fits them, where answers vary', async () => {
    const handler: RequestHandler = (req, res) => {
      setTimeout(() => res.vary('Accept-Language').end(String(req.headers['accept-language'])), 30);
    };
    const url = await serving(cache({ ttlMs: 60_000 }), handler);
    const languages = ['de', 'en', 'fr', 'de', 'en', 'fr'];
    const answers = await Promise.all(languages.map((language) => get(url, { 'accept-language': language })));
    expect(answers.map(({ text }) => text)).toEqual(languages);
  });

  it('are told that what they get is old where no newer answer could be had', async () => {
    const { now, pass } = clock();
    let status = 200;
    const handler = counting((_req, res, next) => {
      res.status(status);
      setTimeout(next, 50);
    });
    const url = await serving(cache({ now, ttlMs: 10_000, staleIfErrorMs: 60_000 }), handler);
    await get(url);
    status = 503;
    pass(20);
    const answers = await Promise.all([get(url), get(url), get(url)]);
    expect(new Set(answers.map(({ headers }) => headers['cache-status']))).toEqual(
      new Set(['signalbox; fwd=stale; fwd-status=503', 'signalbox; fwd=stale; detail=none-newer; collapsed']),
    );
    expect(handler.calls()).toBe(2);
  });

  it('are one call for each variant, and all of them are kept', async () => {
    const handler = counting((req, res, next) => {
      res.vary('Accept-Language').set('x-for', req.headers['accept-language']);
      setTimeout(next, 100);
    });
    const route = cache({ ttlMs: 60_000 });
    const url = await serving(route, handler);
    const languages = Array.from({ length: 60 }, (_, index) => ['de', 'en', 'fr'][index % 3] ?? '');
    const ask = (language: string): Promise<Answer> => get(url, { 'accept-language': language });
    const answers = await Promise.all(languages.map(ask));
    expect(answers.map(({ headers }) => headers['x-for'])).toEqual(languages);
    expect(handler.calls()).toBe(3);
    for (const language of languages.slice(0, 3)) {
      expect((await ask(language)).headers['cache-status']).toContain('hit');
    }
  });
});

describe('a request that passes through two caches', () => {
  it.each<[string, boolean, (one: Cache, other: Cache) => Cache[]]>([
    ['of one Redis', true, (one, other) => [one, other]],
    ['which are the same', false, (one) => [one, one]],
  ])('%s does not wait for itself', async (_which, isShared, chosen) => {
    const { now, pass } = clock();
    const redis = await startRedis();
    onTestFinished(() => redis.stop());
    const link = connectRedis(redis.url, { deadlineMs: 5_000 });
    onTestFinished(() => link.close());
    await eventually(() => link.state === 'up');
    const open = (): Cache =>
      cache({ now, ttlMs: 60_000, waitMs: 60_000, ...(isShared ? { store: redisStore(link) } : {}) });
    const handler = counting((_req, _res, next) => void setTimeout(next, 30));
    const url = await serving(...chosen(open(), open()), handler);
    for (const text of ['answer 1', 'answer 2']) {
      const answers = await Promise.all([get(url), get(url), get(url)]);
      expect(new Set(answers.map((answer) => answer.text))).toEqual(new Set([text]));
      pass(70);
    }
    expect(handler.calls()).toBe(2);
  });
});

describe('two processes whose calls hang', () => {
  it('hold the right to make it no longer than others wait', async () => {
    const locks = new Set<string>();
    const claim = ({ text }: { text: string }): Promise<Claim> => {
      const isMine = !locks.has(text);
      locks.add(text);
      return Promise.resolve({ isMine, release: () => void (isMine && locks.delete(text)) });
    };
    const store = Object.assign(memoryStore(), { claim });
    const hanging = counting(() => undefined);
    const process = (): Promise<string> =>
      serving(sameHost, cache({ store, ttlMs: 60_000, waitMs: 100 }), hanging);
    for (const url of [await process(), await process()]) {
      const asking = request(url, { agent: false }).on('error', () => undefined);
      onTestFinished(() => void asking.destroy());
      asking.end();
    }
    // The second has waited for the first, and makes it by itself now.
    await eventually(() => hanging.calls() === 2);
    await eventually(() => locks.size === 0, 1_000);
  });
});

describe('two processes, of which one has sent an older answer since the new one takes long', () => {
  it('make that once, all the same', async () => {
    const redis = await startRedis();
    onTestFinished(() => redis.stop());
    const { now, pass } = clock();
    let release = (): void => undefined;
    const handler = counting((_req, _res, next) => {
      if (handler.calls() === 1) return next();
      release = () => next();
    });
    const started = async (): Promise<string> => {
      const link = connectRedis(redis.url, { deadlineMs: 5_000 });
      onTestFinished(() => link.close());
      await eventually(() => link.state === 'up');
      const store = redisStore(link, { local: false });
      const options = { ttlMs: 10_000, jitter: 0, staleIfErrorMs: 60_000, softTimeoutMs: 30 };
      return serving(sameHost, cache({ ...options, store, now }), handler);
    };
    const [one, other] = await Promise.all([started(), started()]);
    await get(one);
    pass(11);
    expect((await get(one)).text).toBe('answer 1');
    expect((await get(other)).text).toBe('answer 1');
    expect(handler.calls()).toBe(2);
    release();
    await eventually(async () => (await get(other)).text === 'answer 2');
    await eventually(async () => !(await hasLock(redis)));
    expect(handler.calls()).toBe(2);
  });
});

describe('two processes that are asked again and again while one of them makes it', () => {
  it('make it once, whenever each is asked, also where Redis is far from one of them', async () => {
    const redis = await startRedis();
    onTestFinished(() => redis.stop());
    const proxy = await startFaultProxy({ to: redis.port });
    const calls = new Map<string, number>();
    let takesMs = 0;
    const handler: RequestHandler = (req, res) => {
      calls.set(req.url, (calls.get(req.url) ?? 0) + 1);
      setTimeout(() => res.end('made'), takesMs);
    };
    const process = async (port: number): Promise<string> => {
      const link = connectRedis(`redis://127.0.0.1:${port}`, { deadlineMs: 5_000 });
      onTestFinished(() => link.close());
      await eventually(() => link.state === 'up');
      return serving(sameHost, cache({ store: redisStore(link), ttlMs: 60_000 }), handler);
    };
    const urls = [await process(redis.port), await process(proxy.port)];
    await proxy.delay(20);
    const asks = fc.array(fc.tuple(fc.nat(1), fc.nat(60)), { minLength: 10, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(asks, fc.integer({ min: 20, max: 40 }), async (all, making) => {
        takesMs = making;
        const path = `/${calls.size}`;
        await Promise.all(
          all.map(async ([which, afterMs]) => {
            await after(afterMs);
            return get(`${urls[which]}${path}`);
          }),
        );
        expect(calls.get(path)).toBe(1);
      }),
      { numRuns: 100, endOnFailure: true },
    );
  });
});

describe('many processes', () => {
  let redis: RedisServer;
  let client: Redis;
  beforeAll(async () => {
    redis = await startRedis();
    client = new Redis(redis.port);
  });
  afterAll(async () => {
    client.disconnect();
    await redis.stop();
  });

  async function startServers(count: number, tookMs: number): Promise<{ program: Program; url: string }[]> {
    return Promise.all(
      Array.from({ length: count }, async () => {
        const program = await startProgram(
          process.execPath,
          [fileURLToPath(new URL('programs/serves.mjs', import.meta.url))],
          { env: { REDIS_URL: redis.url, TOOK_MS: String(tookMs) }, ready: /ready \d+/ },
        );
        onTestFinished(() => program.kill().then(() => undefined));
        const [, port] = await program.waitFor(/ready (\d+)/);
        return { program, url: `http://127.0.0.1:${port}` };
      }),
    );
  }

  it('make 1 000 misses one call, and so does a memoized function', async () => {
    const servers = await startServers(4, 300);
    for (const path of ['/page/four', '/value/memo']) {
      const all = await texts(1_000, (index) => `${servers[index % 4]?.url}${path}`);
      expect(new Set(all).size).toBe(1);
    }
    expect(await client.mget('calls:four', 'calls:memo')).toEqual(['1', '1']);
  });

  it('go on when the one that makes the answer dies', async () => {
    const servers = await startServers(2, 1_500);
    const [one, two] = servers;
    const lost = texts(1, () => `${one?.url}/page/dies`).catch(() => 'lost');
    await one?.program.waitFor(/making dies/);
    const waiting = texts(20, () => `${two?.url}/page/dies`);
    await one?.program.kill();
    expect(await lost).toBe('lost');
    const answers = await waiting;
    expect(new Set(answers)).toEqual(new Set([JSON.stringify({ pid: two?.program.pid })]));
    expect(await client.get('calls:dies')).toBe('2');
  });
});
