import { testClock } from '@signalbox/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startFaultProxy } from '../../../test/support/fault-proxy.js';
import { eventually } from '../../../test/support/eventually.js';
import { connectedClient } from '../../../test/support/redis-client.js';
import { sharedRedis } from '../../../test/support/shared-redis.js';
import {
  keyRing,
  memoryTokenStore,
  redisTokenStore,
  revocationBus,
  type RevocationEvent,
  type Tokens,
  type TokenStore,
} from '../src/index.js';
import { refusalOf, storesOn, tokensWith } from './token-support.js';

const redis = sharedRedis();

async function isRefused(auth: Tokens, token: string, code = 'token_revoked'): Promise<void> {
  expect(await refusalOf(() => auth.verify(token))).toMatchObject({ status: 401, code });
}

it('is remembered as long as the token is valid, also where it is another issuer’s and valid for longer', async () => {
  const clock = testClock(Date.now());
  const keys = keyRing([{ kid: 'k', secret: 'x'.repeat(32) }]);
  const other = tokensWith({ keys, now: clock.now, accessTtlMs: 3_600_000 });
  const { accessToken } = await other.issue('u_1');
  const store = memoryTokenStore({ now: clock.now });
  const here = tokensWith({ keys, store, now: clock.now, accessTtlMs: 60_000, refreshTtlMs: 60_000 });
  await here.revoke(accessToken);
  clock.advance(3_500_000);
  const elsewhere = tokensWith({ keys, store, now: clock.now });
  await isRefused(elsewhere, accessToken);
});

it.each([
  ['of a sign-in by its name', (auth: Tokens) => auth.revokeFamily('u_1', 'laptop')],
  ['of everything', (auth: Tokens) => auth.revokeAll('u_1')],
  ['of access tokens alone', (auth: Tokens) => auth.revokeAll('u_1', { keepSignIns: true })],
])(
  '%s is remembered as long as access tokens are valid that were issued when they lived longer',
  async (_of, revoke) => {
    const clock = testClock(Date.now());
    const store = memoryTokenStore({ now: clock.now });
    const hourMs = 3_600_000;
    const before = tokensWith({ store, now: clock.now, accessTtlMs: 12 * hourMs });
    const { accessToken } = await before.issue('u_1', {}, { family: 'laptop' });
    await revoke(tokensWith({ store, now: clock.now, accessTtlMs: 300_000, refreshTtlMs: hourMs }));
    clock.advance(11 * hourMs);
    // Another process, which has heard nothing.
    await isRefused(
      tokensWith({ store, now: clock.now, accessTtlMs: 300_000, refreshTtlMs: hourMs }),
      accessToken,
    );
  },
);

describe.each(storesOn(redis))('revocation with %s', (_name, openStore) => {
  it.each(['accessToken', 'refreshToken'] as const)(
    'of an %s ends its sign-in and no other',
    async (which) => {
      const auth = tokensWith({ store: openStore() });
      const ended = await auth.issue('u_1');
      const other = await auth.issue('u_1');
      const next = await auth.refresh(ended.refreshToken);
      await auth.revoke(ended[which]);
      await auth.revoke(ended[which]);
      for (const pair of [ended, next]) {
        await isRefused(auth, pair.accessToken);
        expect(await refusalOf(() => auth.refresh(pair.refreshToken))).toMatchObject({
          code: 'token_revoked',
        });
      }
      expect((await auth.verify(other.accessToken)).subject).toBe('u_1');
      expect((await auth.refresh(other.refreshToken)).tokenType).toBe('Bearer');
    },
  );

  it('of a sign-in by the name that the app gave it ends all that was issued under that', async () => {
    const auth = tokensWith({ store: openStore() });
    const pairs = [
      await auth.issue('u_1', {}, { family: 'a session' }),
      await auth.issue('u_1', {}, { family: 'a session' }),
    ];
    const others = [await auth.issue('u_1'), await auth.issue('u_2', {}, { family: 'a session' })];
    for (const pair of pairs) {
      expect(auth.check(pair.accessToken).family).toBe('a session');
      pairs[pairs.indexOf(pair)] = await auth.refresh(pair.refreshToken);
    }
    await auth.revokeFamily('u_1', 'a session');
    await auth.revokeFamily('u_1', 'one that never was');
    for (const pair of pairs) {
      await isRefused(auth, pair.accessToken);
      expect(await refusalOf(() => auth.refresh(pair.refreshToken))).toMatchObject({ code: 'token_revoked' });
    }
    for (const pair of others) expect((await auth.refresh(pair.refreshToken)).tokenType).toBe('Bearer');
    await expect(auth.issue('u_1', {}, { family: '' })).rejects.toThrow(
      'issue: "family" must be a non-empty string',
    );
    await expect(auth.revokeFamily('u_1', '')).rejects.toThrow(
      'revokeFamily: "family" must be a non-empty string',
    );
  });

  it('of everything leaves what is issued right after', async () => {
    const auth = tokensWith({ store: openStore() });
    const subject = `u_${Math.random()}`;
    for (let times = 0; times < 30; times++) {
      const before = await auth.issue(subject);
      const [, after] = await Promise.all([
        auth.revokeAll(subject),
        auth.revokeAll(subject).then(() => auth.issue(subject)),
      ]);
      await isRefused(auth, before.accessToken);
      expect((await auth.verify(after.accessToken)).subject).toBe(subject);
    }
  });

  it('of access tokens alone has clients refresh them', async () => {
    let roles = ['admin'];
    const auth = tokensWith({ store: openStore(), claims: () => ({ roles }) });
    const before = await auth.issue('u_2');
    roles = ['user'];
    await auth.revokeAll('u_2', { keepSignIns: true });
    await isRefused(auth, before.accessToken);
    const after = await auth.refresh(before.refreshToken);
    expect((await auth.verify(after.accessToken)).roles).toEqual(['user']);
  });

  it('of access tokens alone has a refresh that is repeated give one that is valid, with what is true now', async () => {
    let roles = ['admin'];
    const auth = tokensWith({ store: openStore(), claims: () => ({ roles }) });
    const { refreshToken } = await auth.issue('u_6');
    const first = await auth.refresh(refreshToken);
    roles = ['user'];
    await auth.revokeAll('u_6', { keepSignIns: true });
    const again = await auth.refresh(refreshToken);
    await isRefused(auth, first.accessToken);
    expect((await auth.verify(again.accessToken)).roles).toEqual(['user']);
    for (const pair of [first, again, again]) {
      expect((await auth.refresh(pair.refreshToken)).tokenType).toBe('Bearer');
    }
    await auth.revokeAll('u_6');
    await isRefused(auth, again.accessToken);
    expect(await refusalOf(() => auth.refresh(again.refreshToken))).toMatchObject({ code: 'token_revoked' });
  });

  it('of a token that belongs to no sign-in is by its jti', async () => {
    const keys = keyRing([{ kid: 'k', secret: 'x'.repeat(32) }]);
    const auth = tokensWith({ store: openStore(), keys });
    const { signToken } = await import('../src/signature.js');
    const claims = {
      iss: 'https://app.example',
      aud: 'https://api.example',
      sub: 'u_3',
      exp: Date.now() / 1_000 + 60,
    };
    const key = keys.signingKey();
    if (key === undefined) throw new Error('no key');
    const [one, two, nameless] = [{ jti: 'one' }, { jti: 'two' }, {}].map((more) =>
      signToken({ ...claims, ...more }, 'at+jwt', key),
    ) as [string, string, string];
    await auth.revoke(one);
    await isRefused(auth, one);
    expect((await auth.verify(two)).id).toBe('two');
    expect((await auth.verify(nameless)).id).toBeUndefined();
    await auth.revoke(auth.check(two));
    await isRefused(auth, two);
    await expect(auth.revoke(nameless)).rejects.toThrow(
      'revoke: "token" must have a jti or a sid to be revoked',
    );
  });
});

describe('revocation', () => {
  it('takes a token that has expired, since its sign-in may go on', async () => {
    const clock = testClock(1_700_000_000_000);
    const auth = tokensWith({ now: clock.now, store: memoryTokenStore({ now: clock.now }) });
    const { accessToken, refreshToken } = await auth.issue('u_1');
    clock.advance(1_000_000);
    await auth.revoke(accessToken);
    expect(await refusalOf(() => auth.refresh(refreshToken))).toMatchObject({ code: 'token_revoked' });
  });

  it('does not believe an object that somebody made up', async () => {
    const auth = tokensWith();
    const { accessToken } = await auth.issue('u_1');
    const verified = auth.check(accessToken);
    await refusalOf(() => auth.revoke({ ...verified }));
    expect((await auth.verify(accessToken)).subject).toBe('u_1');
    await auth.revoke(verified);
    await isRefused(auth, accessToken);
  });
});

describe('revocationBus', () => {
  interface Process {
    auth: Tokens;
    events: RevocationEvent[];
    gaps: () => number;
  }

  /** A process of its own, as far as connections and memory go. */
  async function startProcess(busPort: number, options: { store?: TokenStore } = {}): Promise<Process> {
    const bus = revocationBus({ redis: await connectedClient(busPort) });
    onTestFinished(() => bus.close());
    const store = options.store ?? redisTokenStore(await connectedClient(redis.server.port));
    const events: RevocationEvent[] = [];
    let gaps = 0;
    bus.on((event) => void events.push(event), { onGap: () => void (gaps += 1) });
    return { auth: tokensWith({ store, bus }), events, gaps: () => gaps };
  }

  async function areListening(count: number): Promise<void> {
    await eventually(async () => {
      const answer = await redis.server.command('pubsub', 'numsub', 'signalbox:auth:revocations');
      return Number(answer.split('\n')[1]) === count;
    });
  }

  it('reaches another process within a second, and is refused there without asking', async () => {
    const asked: string[] = [];
    const inner = redisTokenStore(await connectedClient(redis.server.port));
    const counting: TokenStore = {
      ...inner,
      isRevoked(token) {
        asked.push(token.subject);
        return inner.isRevoked(token);
      },
    };
    const here = await startProcess(redis.server.port);
    const there = await startProcess(redis.server.port, { store: counting });
    await areListening(2);
    const pair = await here.auth.issue('u_1');
    const other = await here.auth.issue('u_1');
    expect((await there.auth.verify(pair.accessToken)).subject).toBe('u_1');
    const { family } = here.auth.check(pair.accessToken);

    const start = performance.now();
    await here.auth.revoke(pair.accessToken);
    await eventually(() => there.events.length === 1, 1_000);
    expect(performance.now() - start).toBeLessThan(1_000);
    expect(there.events).toEqual([{ type: 'signed_out', subject: 'u_1', family }]);
    expect(here.events).toEqual(there.events);
    await isRefused(there.auth, pair.accessToken);
    expect(asked).toEqual(['u_1']);

    await here.auth.revokeAll('u_1', { keepSignIns: true });
    await eventually(() => there.events.length === 2, 1_000);
    expect(there.events[1]).toMatchObject({ type: 'roles_changed', subject: 'u_1' });
    await isRefused(there.auth, other.accessToken);
    const after = await here.auth.refresh(other.refreshToken);
    expect((await there.auth.verify(after.accessToken)).subject).toBe('u_1');
  });

  it('may lose a message: the next request is refused all the same, and listeners hear of the gap', async () => {
    const proxy = await startFaultProxy({ to: redis.server.port });
    const here = await startProcess(redis.server.port);
    const there = await startProcess(proxy.port);
    await areListening(2);
    const pairs = [await here.auth.issue('u_1'), await here.auth.issue('u_2')] as const;
    for (const pair of pairs) await there.auth.verify(pair.accessToken);

    await proxy.blackhole();
    await here.auth.revoke(pairs[0].accessToken);
    await here.auth.revokeAll('u_2');
    await eventually(() => proxy.counts.bytesLost > 0);
    for (const pair of pairs) await isRefused(there.auth, pair.accessToken);
    expect(there.events).toEqual([]);

    await proxy.reset();
    await proxy.pass();
    await eventually(() => there.gaps() > 0);
    await proxy.stop();
  });

  it('carries what an app has to say, within the process also without Redis', async () => {
    const bus = revocationBus();
    const heard: RevocationEvent[] = [];
    const off = bus.on((event) => void heard.push(event));
    bus.on(() => {
      throw new Error('a listener of somebody else');
    });
    const warned = new Promise((resolve) => process.once('warning', resolve));
    const event: RevocationEvent = { type: 'banned', subject: 'u_1', session: 'a session' };
    await bus.publish(event);
    expect(heard).toEqual([event]);
    expect(await warned).toMatchObject({ message: 'a listener of somebody else' });
    off();
    off();
    await bus.publish(event);
    bus.close();
    bus.close();
    expect(heard).toHaveLength(1);
  });

  it('passes over what is no event, whoever wrote it', async () => {
    const { events } = await startProcess(redis.server.port);
    await areListening(1);
    const bad = [
      'x',
      '{',
      'null',
      '[]',
      '{"event":null}',
      '{"event":{"type":"signed_out"}}',
      '{"event":{"type":"other","subject":"u_1"}}',
      '{"event":{"type":"banned","subject":5}}',
      '{"event":{"type":"banned","subject":"u_1","family":{}}}',
      '{"event":{"type":"banned","subject":"u_1","untilMs":"x"}}',
      JSON.stringify({ event: { type: 'banned', subject: 'u_1', session: 'x'.repeat(100_000) } }),
    ];
    const good: RevocationEvent = { type: 'banned', subject: 'u_1' };
    for (const message of [...bad, JSON.stringify({ event: good })]) {
      await redis.client.publish('signalbox:auth:revocations', message);
    }
    await eventually(() => events.length > 0);
    expect(events).toEqual([good]);
  });

  it('refuses options and events that are wrong', async () => {
    expect(() => revocationBus({ redis: 'redis://' as never })).toThrow('redisLink: "source" must be');
    expect(() => revocationBus({ channel: '' })).toThrow(
      'revocationBus: "channel" must be a non-empty string, got ""',
    );
    expect(() => revocationBus({ chanel: 'x' } as never)).toThrow('revocationBus: "chanel" is not an option');
    await expect(revocationBus().publish({ type: 'banned' } as never)).rejects.toThrow(
      'publish: "event" must have a subject and a type, signed_out, banned, roles_changed',
    );
    expect(() => revocationBus().on('x' as never)).toThrow('on: "listener" must be a function');
  });
});
