import { errorHandler } from '@signalbox/errors';
import { assertNeverHangs, listen } from '@signalbox/testing';
import express from 'express';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startFaultProxy, type FaultProxy } from '../../../test/support/fault-proxy.js';
import { startRedis, type RedisServer } from '../../../test/support/redis.js';
import { eventually } from '../../../test/support/eventually.js';
import { connectedClient } from '../../../test/support/redis-client.js';
import {
  memoryTokenStore,
  redisTokenStore,
  revocationBus,
  type TokenPair,
  type Tokens,
} from '../src/index.js';
import { hearing, refusalOf, tokensWith } from './token-support.js';

interface Stage {
  redis: RedisServer;
  proxy: FaultProxy;
  auth: Tokens;
  pair: TokenPair;
}

async function stage(): Promise<Stage> {
  const redis = await startRedis();
  const proxy = await startFaultProxy({ to: redis.port });
  onTestFinished(async () => {
    await proxy.stop();
    await redis.stop();
  });
  const auth = tokensWith({ store: redisTokenStore(await connectedClient(proxy.port)) });
  let pair: TokenPair | undefined;
  await eventually(async () => {
    pair = await auth.issue('u_1').catch(() => undefined);
    return pair !== undefined;
  });
  if (pair === undefined) throw new Error('nothing was issued');
  return { redis, proxy, auth, pair };
}

const faults: [string, (stage: Stage) => unknown, (stage: Stage) => unknown][] = [
  ['stopped', ({ redis }) => redis.pause(), ({ redis }) => redis.resume()],
  ['killed', ({ redis }) => redis.kill(), ({ redis }) => redis.restart()],
  ['blackholed', ({ proxy }) => proxy.blackhole(), ({ proxy }) => proxy.pass()],
];

describe('with a Redis that is', () => {
  it.concurrent.each(faults)(
    '%s, tokens are refused with 503 or let pass, and never hang',
    async (_what, begin, end) => {
      const on = await stage();
      const { auth, pair } = on;
      await begin(on);
      const soon = { withinMs: 1_000 };
      const unavailable = { status: 503, code: 'token_store_unavailable', retryAfterSeconds: 1 };

      for (let times = 0; times < 3; times++) {
        const asks = [
          auth.verify(pair.accessToken),
          auth.verify(pair.accessToken, { onStoreDown: 'open' }),
          auth.issue('u_1'),
          auth.refresh(pair.refreshToken),
          auth.revoke(pair.accessToken),
          auth.revokeAll('u_2'),
        ] as const;
        const outcomes = await assertNeverHangs<unknown>(asks, soon);
        expect(outcomes.map(({ status }) => status)).toEqual([
          'rejected',
          'fulfilled',
          ...Array.from({ length: 4 }, () => 'rejected'),
        ]);
        for (const outcome of outcomes) {
          if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject(unavailable);
        }
      }
      // What is wrong with the token itself needs no store.
      expect((await refusalOf(() => auth.verify('x', { onStoreDown: 'open' }))).code).toBe('invalid_token');

      await end(on);
      await eventually(async () => {
        try {
          const { accessToken } = await auth.issue('u_3');
          return (await auth.verify(accessToken)).subject === 'u_3';
        } catch {
          return false;
        }
      });
    },
  );
});

describe('when Redis is gone', () => {
  it('the answer is 503 with Retry-After, and one route may stay open', async () => {
    const { redis, auth, pair } = await stage();
    const app = express();
    app.use((_req, res, next) => {
      // As a request logger does that reports errors itself.
      Object.assign(res, { err: undefined });
      next();
    });
    app.get('/search', async (_req, res) => {
      res.json({ subject: (await auth.verify(pair.accessToken, { onStoreDown: 'open' })).subject });
    });
    app.get('/me', async (_req, res) => {
      res.json({ subject: (await auth.verify(pair.accessToken)).subject });
    });
    app.use(errorHandler());
    const url = await listen(app);
    await redis.kill();
    const refused = await fetch(`${url}/me`);
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(await refused.json()).toMatchObject({ error: { type: 'token_store_unavailable' } });
    expect((await fetch(`${url}/search`)).status).toBe(200);
  });

  it('health hears when that begins and when it ends, also when nobody asks', async () => {
    const { redis, auth, pair } = await stage();
    // Only now: on a busy machine the first answer may have been late.
    const { features } = hearing();
    await redis.kill();
    for (let times = 0; times < 5; times++) {
      await auth.verify(pair.accessToken, { onStoreDown: 'open' });
    }
    const about = () => features.filter(({ feature }) => feature === 'tokens');
    expect(about()).toHaveLength(1);
    expect(about()[0]).toMatchObject({ degraded: true, policy: 'open' });
    await redis.restart();
    await eventually(() => about().length === 2);
    expect(about()[1]).toMatchObject({ degraded: false });
  });

  it('what this process knows to be revoked stays so, where tokens pass unasked', async () => {
    const { redis, proxy } = await stage();
    const client = await connectedClient(proxy.port);
    const auth = tokensWith({
      store: redisTokenStore(client),
      bus: revocationBus({ redis: client }),
      onStoreDown: 'open',
    });
    const [revoked, fine] = [await auth.issue('u_1'), await auth.issue('u_1')];
    await auth.revoke(revoked.accessToken);
    await redis.kill();
    expect((await refusalOf(() => auth.verify(revoked.accessToken))).code).toBe('token_revoked');
    expect((await auth.verify(fine.accessToken)).subject).toBe('u_1');
  });

  it('a refresh whose answer was lost is made again with the same token', async () => {
    const { proxy, auth, pair } = await stage();
    await proxy.delay(400);
    await expect(auth.refresh(pair.refreshToken)).rejects.toMatchObject({ status: 503 });
    await proxy.pass();
    let next: TokenPair | undefined;
    await eventually(async () => {
      next = await auth.refresh(pair.refreshToken).catch(() => undefined);
      return next !== undefined;
    });
    // An answer may be late once more, on a machine that was busy with the ones before.
    await eventually(async () => {
      const verified = await auth.verify(next?.accessToken ?? '').catch(() => undefined);
      return verified?.subject === 'u_1';
    });
    await eventually(async () => {
      const after = await auth.refresh(next?.refreshToken ?? '').catch(() => undefined);
      return after?.tokenType === 'Bearer';
    });
  });

  it('and comes back empty, nobody refreshes what it has forgotten, and all may sign in', async () => {
    const { redis, auth, pair } = await stage();
    await redis.command('flushall');
    expect((await auth.verify(pair.accessToken)).subject).toBe('u_1');
    expect((await refusalOf(() => auth.refresh(pair.refreshToken))).code).toBe('token_revoked');
    const after = await auth.issue('u_1');
    expect((await auth.refresh(after.refreshToken)).tokenType).toBe('Bearer');
  });

  it('and a store of the app throws or rejects, it is the same', async () => {
    const failing = async (): Promise<never> => Promise.reject(new Error('gone'));
    const throwing = (): never => {
      throw new Error('gone');
    };
    for (const isRevoked of [failing, throwing]) {
      const auth = tokensWith({ store: { ...memoryTokenStore(), isRevoked } });
      const { accessToken } = await auth.issue('u_1');
      await expect(auth.verify(accessToken)).rejects.toMatchObject({
        status: 503,
        code: 'token_store_unavailable',
      });
      expect((await auth.verify(accessToken, { onStoreDown: 'open' })).subject).toBe('u_1');
      await expect(async () => auth.verify(accessToken, { onStoreDown: 'local' as never })).rejects.toThrow(
        'verify: "onStoreDown" must be "closed" or "open", got "local"',
      );
    }
  });

  it('a key that holds something else is a store that does not work, and no 500', async () => {
    const { redis, auth, pair } = await stage();
    await auth.revokeAll('u_9');
    const [key = ''] = (await redis.command('keys', '*mark')).split('\n');
    await redis.command('del', key);
    await redis.command('hset', key, 'a', 'b');
    await expect(auth.issue('u_9')).rejects.toMatchObject({ status: 503, code: 'token_store_unavailable' });
    expect((await auth.verify(pair.accessToken)).subject).toBe('u_1');
  });
});

describe('with a store of the app’s own', () => {
  it.each(['never answers', 'throws at once'])('that %s, whatever needs it is 503, in time', async (how) => {
    const inner = memoryTokenStore();
    let isWell = true;
    const fails = (): Promise<never> => {
      if (how === 'throws at once') throw new Error('the store is broken');
      return new Promise(() => {});
    };
    const auth = tokensWith({
      storeTimeoutMs: 30,
      store: {
        open: (...args) => (isWell ? inner.open(...args) : fails()),
        rotate: fails,
        revoke: fails,
        revokeSubject: fails,
        isRevoked: fails,
      },
    });
    const { accessToken, refreshToken } = await auth.issue('u_1');
    isWell = false;
    const asks: (() => Promise<unknown>)[] = [
      () => auth.verify(accessToken),
      () => auth.refresh(refreshToken),
      () => auth.issue('u_1'),
      () => auth.revoke(accessToken),
      () => auth.revokeAll('u_1'),
    ];
    for (const ask of asks) {
      const asked = assertNeverHangs(ask, { withinMs: 1_000 });
      await expect(asked).rejects.toMatchObject({ status: 503, code: 'token_store_unavailable' });
    }
    expect((await auth.verify(accessToken, { onStoreDown: 'open' })).subject).toBe('u_1');
  });
});
