import { setTimeout as pause } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { startFaultProxy } from '../../../test/support/fault-proxy.js';
import { connectedClient } from '../../../test/support/redis-client.js';
import { sharedRedis } from '../../../test/support/shared-redis.js';
import { redisTokenStore, type TokenStore } from '../src/index.js';
import { itKeepsTheTokenStoreContract } from './token-store-contract.js';
import { tokensWith } from './token-support.js';

const redis = sharedRedis();
let store: TokenStore;
beforeAll(() => {
  store = redisTokenStore(redis.link);
});

describe('redisTokenStore', () => {
  itKeepsTheTokenStoreContract(() => store, pause);

  it('writes no key without an expiry, none outside its prefix, and no token or name', async () => {
    const auth = tokensWith({ store });
    const { accessToken, refreshToken } = await auth.issue('ada@example.com', { email: 'ada@example.com' });
    await auth.refresh(refreshToken);
    await auth.revoke(accessToken);
    await auth.revokeAll('ada@example.com');

    const keys = await redis.client.keys('*');
    expect(keys.length).toBeGreaterThan(20);
    for (const key of keys) {
      expect(key).toMatch(/^signalbox:auth:\{[\w-]{22}\}:(mark|(chain|next|gone):[\w-]{22})$/);
      expect(await redis.client.pttl(key)).toBeGreaterThan(0);
      const value = (await redis.client.get(key)) ?? '';
      for (const part of [...accessToken.split('.'), ...refreshToken.split('.')])
        expect(value).not.toContain(part);
    }
  });

  it('verifies with one command and one round trip, the tokens of one subject or of many', async () => {
    const proxy = await startFaultProxy({ to: redis.server.port });
    const auth = tokensWith({ store: redisTokenStore(await connectedClient(proxy.port)) });
    const pairs = [await auth.issue('ada'), await auth.issue('eve')];
    const commands = async (): Promise<number> =>
      Number(/cmdstat_mget:calls=(\d+)/.exec(await redis.server.command('info', 'commandstats'))?.[1] ?? 0);

    const before = await commands();
    proxy.resetCounts();
    for (const { accessToken } of pairs) {
      for (let times = 0; times < 5; times++) await auth.verify(accessToken);
    }
    expect(proxy.counts.roundTrips).toBe(10);
    expect((await commands()) - before).toBe(10);
    await proxy.stop();
  });

  it('asks before the call returns, so that other questions of the turn share the round trip', async () => {
    const proxy = await startFaultProxy({ to: redis.server.port });
    const auth = tokensWith({ store: redisTokenStore(await connectedClient(proxy.port)) });
    const { accessToken } = await auth.issue('ada');
    const token = auth.check(accessToken);
    await auth.verify(accessToken);
    proxy.resetCounts();
    await Promise.all([auth.revocation(token), auth.verify(accessToken), auth.revocation(token)]);
    expect(proxy.counts.roundTrips).toBe(1);
    await proxy.stop();
  });

  it('finds its scripts again after SCRIPT FLUSH', async () => {
    const auth = tokensWith({ store });
    const { refreshToken } = await auth.issue('ada');
    await redis.server.command('script', 'flush');
    const { accessToken } = await auth.refresh(refreshToken);
    await redis.server.command('script', 'flush');
    await auth.revokeAll('ada');
    await expect(auth.verify(accessToken)).rejects.toMatchObject({ code: 'token_revoked' });
  });

  it('keeps apart what differs in prefix or secret', async () => {
    const auth = tokensWith({ store });
    const { accessToken } = await auth.issue('ada');
    await auth.revoke(accessToken);
    await expect(auth.verify(accessToken)).rejects.toMatchObject({ code: 'token_revoked' });
    const others = [{ prefix: 'elsewhere:' }, { secret: 'thirty-two bytes, or a few more!!' }];
    for (const options of others) {
      const other = tokensWith({ store: redisTokenStore(redis.link, options) });
      expect((await other.verify(accessToken)).subject).toBe('ada');
    }
  });

  it.each([
    [{ prefix: 'a{b}' }, 'redisTokenStore: "prefix" must be text without braces, got "a{b}"'],
    [{ secret: 'short' }, 'redisTokenStore: "secret" must be of at least 32 bytes, got text of 5 characters'],
    [{ prefx: 'a' }, 'redisTokenStore: "prefx" is not an option; did you mean "prefix"?'],
  ])('refuses %o', (options, message) => {
    expect(() => redisTokenStore(redis.client, options as never)).toThrow(new TypeError(message));
  });

  it('refuses what is neither a link nor a client', () => {
    expect(() => redisTokenStore('redis://127.0.0.1' as never)).toThrow(
      'redisLink: "source" must be a RedisLink',
    );
  });
});
