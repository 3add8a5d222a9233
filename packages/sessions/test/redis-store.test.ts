import { listen } from '@signalbox/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.js';
import { sharedRedis } from '../../../test/support/shared-redis.js';
import { redisStore, type SessionStore } from '../src/index.js';
import { itKeepsTheStoreContract } from './store-contract.js';
import { appWith, SECRET, send } from './support.js';

const redis = sharedRedis();
let store: SessionStore;
beforeAll(() => {
  store = redisStore(redis.link);
});

/** How often each command ran while `work` did. */
async function commandsDuring(work: () => Promise<unknown>): Promise<Record<string, number>> {
  await redis.server.command('config', 'resetstat');
  await work();
  const lines = (await redis.server.command('info', 'commandstats')).split('\n');
  const counts = lines.map((line) => /^cmdstat_([^:]+):calls=(\d+)/.exec(line));
  return Object.fromEntries(
    counts.flatMap((found) =>
      found === null || /config|info/.test(found[1] ?? '') ? [] : [[found[1], Number(found[2])]],
    ),
  );
}

describe('redisStore', () => {
  itKeepsTheStoreContract(
    () => store,
    (ms) =>
      new Promise((resolve) => {
        setTimeout(resolve, ms);
      }),
  );

  it('is asked nothing for visitors without a session, whatever the route looks at', async () => {
    const url = await listen(appWith({ store }).app);
    const commands = await commandsDuring(async () => {
      for (const path of ['/plain', '/read', '/me', '/required']) await send('GET', url + path);
      await send('GET', `${url}/read`, { cookie: 'sid=made-up' });
    });
    expect(commands).toEqual({});
  });

  it('is asked one command by a request that changes nothing, and none at its end', async () => {
    const { app } = appWith({ store, loadUser: (name) => ({ name }) });
    const url = await listen(app);
    const { cookie } = await send('POST', `${url}/in/alice`, { json: { count: 1 } });
    const commands = await commandsDuring(async () => {
      for (const path of ['/plain', '/read', '/me', '/required', '/nowhere']) {
        await send('GET', url + path, { cookie });
      }
    });
    expect(commands).toEqual({ getex: 5 });
  });

  it('is asked one more by a request that changes something', async () => {
    const url = await listen(appWith({ store }).app);
    const { cookie } = await send('POST', `${url}/in/alice`);
    await send('POST', `${url}/count`, { cookie });
    const commands = await commandsDuring(() => send('POST', `${url}/count`, { cookie }));
    expect(commands).toMatchObject({ getex: 1, evalsha: 1 });
  });

  it('has neither ids nor names in its keys, and an expiry on each', async () => {
    const url = await listen(appWith({ store, secrets: SECRET }).app);
    const { cookie = '' } = await send('POST', `${url}/in/alice-the-user`);
    await send('POST', `${url}/count`);
    await send('POST', `${url}/out`, { cookie: (await send('POST', `${url}/in/bob-the-user`)).cookie });
    const keys = (await redis.server.command('keys', '*')).split('\n');
    const [random = ''] = cookie.replace('sid=', '').split('.');
    for (const key of keys) {
      expect(key).toMatch(/^signalbox:sessions:\{[\w-]+\}(?::[\w-]{22})?$/);
      expect(key).not.toContain(random.slice(0, 32));
      // Of one that is gone meanwhile it is -2.
      expect(await redis.server.command('pttl', key)).not.toBe('-1');
    }
  });

  it('finds its scripts again after SCRIPT FLUSH', async () => {
    const url = await listen(appWith({ store }).app);
    const { cookie } = await send('POST', `${url}/in/alice`);
    await redis.server.command('script', 'flush');
    expect((await send('POST', `${url}/count`, { cookie })).status).toBe(200);
  });

  it.each([
    ['request', 'longliving'],
    ['extend()', 'longextended'],
  ])(
    'lists a session as long as it lives by a %s, also where sessions lived shorter when it began',
    async (by, user) => {
      const before = await listen(appWith({ store, idleMs: 1_000, absoluteMs: 1_500 }).app);
      const { cookie, body } = await send('POST', `${before}/in/${user}`);
      const { app, session } = appWith({ store, idleMs: 60_000, absoluteMs: 600_000, resendMs: 0 });
      const url = await listen(app);
      if (by === 'extend()') expect(await session.extend(user, String(body['id']))).toBe(true);
      else expect((await send('GET', `${url}/required`, { cookie })).status).toBe(200);
      await new Promise((resolve) => setTimeout(resolve, 2_600));
      expect(await session.sessionsOf(user)).toHaveLength(1);
      expect((await send('GET', `${url}/required`, { cookie })).status).toBe(200);
      expect(await session.signOutEverywhere(user)).toBe(1);
      expect((await send('GET', `${url}/required`, { cookie })).status).toBe(401);
    },
  );

  it('takes what somebody else wrote there for no session', async () => {
    const { app, session } = appWith({ store });
    const url = await listen(app);
    const { cookie, body } = await send('POST', `${url}/in/mallory`);
    const key = (await redis.server.command('keys', `*:${String(body['id'])}`)).split('\n')[0] ?? '';
    const others = ['null', '5', '"text"', '[]'].map((json) => `${Date.now()}\n${json}`);
    for (const text of ['nonsense', '{"userId":"root"}', '1700000000000\n[', '\n{}', '-5\n{}', ...others]) {
      await redis.server.command('set', key, text);
      expect((await send('GET', `${url}/required`, { cookie })).status).toBe(401);
    }
    await session.signOutEverywhere('mallory');
    await eventually(async () => (await session.sessionsOf('mallory')).length === 0);
  });

  it.each([
    [[undefined], 'redisLink: "source" must be a RedisLink or an ioredis client'],
    [['redis://127.0.0.1'], 'redisLink: "source" must be a RedisLink or an ioredis client'],
  ])('refuses %o as a source', (args, message) => {
    expect(() => redisStore(args[0] as never)).toThrow(message);
  });

  it.each([
    [{ prefix: 'a{b}' }, 'redisStore: "prefix" must be text without braces, got "a{b}"'],
    [{ prefx: 'a' }, 'redisStore: "prefx" is not an option; did you mean "prefix"?'],
  ])('refuses %o', (options, message) => {
    expect(() => redisStore(redis.client, options as never)).toThrow(new TypeError(message));
  });
});
