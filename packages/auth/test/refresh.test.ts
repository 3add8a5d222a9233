import { testClock } from '@signalbox/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sharedRedis } from '../../../test/support/shared-redis.js';
import {
  keyRing,
  memoryTokenStore,
  redisTokenStore,
  TokenError,
  type TokenPair,
  type Tokens,
} from '../src/index.js';
import { hearing, keyOfEach, partsOf, refusalOf, storesOn, tokensWith } from './token-support.js';

const redis = sharedRedis();

describe.each(storesOn(redis))('refresh with %s', (_name, openStore) => {
  it('gives 50 parallel refreshes of one token the same pair, and signs nobody out', async () => {
    const { tokens: heard } = hearing();
    const auth = tokensWith({ store: openStore() });
    const { refreshToken } = await auth.issue('u_1');
    const pairs = await Promise.all(Array.from({ length: 50 }, () => auth.refresh(refreshToken)));
    expect(new Set(pairs.map((pair) => pair.accessToken)).size).toBe(1);
    expect(new Set(pairs.map((pair) => pair.refreshToken)).size).toBe(1);
    const [pair] = pairs as [TokenPair];
    expect((await auth.verify(pair.accessToken)).subject).toBe('u_1');
    expect(await auth.refresh(pair.refreshToken)).not.toEqual(pair);
    expect(heard.filter(({ event }) => event === 'reused' || event === 'refused')).toEqual([]);
  });

  it('gives them one successor also over processes, and where signatures have a chance in them', async () => {
    const store = openStore();
    for (const alg of ['ES256', 'PS256', 'EdDSA'] as const) {
      const keys = keyRing([keyOfEach.get(alg) ?? {}]);
      const processes = Array.from({ length: 4 }, () => tokensWith({ store, keys }));
      const [first] = processes as [Tokens];
      const { refreshToken } = await first.issue('u_1');
      const pairs = await Promise.all(
        processes.flatMap((each) => [each.refresh(refreshToken), each.refresh(refreshToken)]),
      );
      const ids = pairs.map((pair) => first.check(pair.accessToken).id);
      expect(new Set(ids).size).toBe(1);
      for (const pair of pairs) expect((await first.refresh(pair.refreshToken)).tokenType).toBe('Bearer');
    }
  });

  it('kills the family of a stolen token, its access tokens, too, and says so', async () => {
    const { tokens: heard } = hearing();
    const auth = tokensWith({ store: openStore(), graceMs: 0 });
    const stolen = await auth.issue('u_1');
    const other = await auth.issue('u_1');
    const next = await auth.refresh(stolen.refreshToken);
    expect(await refusalOf(() => auth.refresh(stolen.refreshToken))).toMatchObject({
      status: 401,
      code: 'token_reused',
    });
    const { family } = auth.check(next.accessToken);
    expect(heard).toContainEqual({
      event: 'reused',
      kind: 'refresh',
      code: 'token_reused',
      subject: 'u_1',
      family,
    });
    for (const token of [stolen.accessToken, next.accessToken]) {
      expect(await refusalOf(() => auth.verify(token))).toMatchObject({ code: 'token_revoked' });
    }
    expect(await refusalOf(() => auth.refresh(next.refreshToken))).toMatchObject({ code: 'token_revoked' });
    expect((await auth.refresh(other.refreshToken)).tokenType).toBe('Bearer');
  });

  it('ends whatever order refreshes and revocations come in: dead stays dead, alive stays alive', async () => {
    const store = openStore();
    const auth = tokensWith({ store, keys: keyRing([{ kid: 'k', secret: 'x'.repeat(32) }]) });
    const step = fc.record({
      what: fc.constantFrom('refresh' as const, 'refresh' as const, 'replay' as const, 'verify' as const),
      turns: fc.nat(3),
    });
    const end = fc.constantFrom(
      'revoke access' as const,
      'revoke refresh' as const,
      'revoke all' as const,
      'none' as const,
    );
    let serial = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 8 }),
        end,
        fc.nat(6),
        async (steps, end, endTurns) => {
          serial += 1;
          const subject = `user ${serial}`;
          const first = await auth.issue(subject);
          const pairs = [first];
          let isEnded = false;

          const tasks = steps.map(async ({ what, turns }) => {
            for (let turn = 0; turn < turns; turn++) await Promise.resolve();
            const wasEnded = isEnded;
            try {
              const latest = pairs.at(-1) ?? first;
              if (what === 'verify') await auth.verify(latest.accessToken);
              else
                pairs.push(await auth.refresh(what === 'replay' ? first.refreshToken : latest.refreshToken));
              expect(wasEnded).toBe(false);
            } catch (error) {
              expect(error).toBeInstanceOf(TokenError);
              expect(end).not.toBe('none');
            }
          });
          const ending = (async () => {
            for (let turn = 0; turn < endTurns; turn++) await Promise.resolve();
            if (end === 'revoke access') await auth.revoke((pairs.at(-1) ?? first).accessToken);
            if (end === 'revoke refresh') await auth.revoke((pairs.at(-1) ?? first).refreshToken);
            if (end === 'revoke all') await auth.revokeAll(subject);
            isEnded = end !== 'none';
          })();
          await Promise.all([...tasks, ending]);

          for (const pair of pairs) {
            if (end === 'none') {
              expect((await auth.verify(pair.accessToken)).subject).toBe(subject);
              expect((await auth.refresh(pair.refreshToken)).tokenType).toBe('Bearer');
            } else {
              // Also what was issued by a refresh that raced with the end.
              expect((await refusalOf(() => auth.verify(pair.accessToken))).code).toBe('token_revoked');
              expect((await refusalOf(() => auth.refresh(pair.refreshToken))).code).toBe('token_revoked');
            }
          }
          const after = await auth.issue(subject);
          expect((await auth.verify(after.accessToken)).subject).toBe(subject);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('refresh', () => {
  it('refuses what was revoked also where refresh tokens lived longer when it was issued', async () => {
    const clock = testClock(Date.now());
    const store = memoryTokenStore({ now: clock.now });
    const dayMs = 86_400_000;
    const before = tokensWith({ store, now: clock.now, refreshTtlMs: 30 * dayMs });
    const after = tokensWith({ store, now: clock.now, refreshTtlMs: dayMs });
    const [revoked, used] = [await before.issue('u_1'), await before.issue('u_2')];
    await after.revoke(revoked.refreshToken);
    expect((await refusalOf(() => after.refresh(revoked.refreshToken))).code).toBe('token_revoked');
    const next = await after.refresh(used.refreshToken);
    expect(partsOf(next.refreshToken).payload['exp']).toBe(Math.floor((clock.now() + dayMs) / 1_000));
    clock.advance(2 * dayMs);
    expect((await refusalOf(() => after.refresh(revoked.refreshToken))).code).toBe('token_expired');
  });

  it('gives access tokens that live as long as they do now, also where they lived longer at the sign-in', async () => {
    const store = memoryTokenStore();
    const before = tokensWith({ store, accessTtlMs: 3_600_000 });
    const after = tokensWith({ store, accessTtlMs: 300_000 });
    const { refreshToken } = await before.issue('u_1');
    const next = await after.refresh(refreshToken);
    expect(next.expiresIn).toBeLessThanOrEqual(300);
    expect((await after.refresh(next.refreshToken)).expiresIn).toBeLessThanOrEqual(300);
  });

  it('uses up no token where what the app says now is too long for one, and takes nobody for a thief', async () => {
    const { tokens: heard } = hearing();
    let groups = ['staff'];
    const auth = tokensWith({ graceMs: 0, claims: () => ({ groups }) });
    const { refreshToken } = await auth.issue('u_1');
    groups = Array.from({ length: 1_000 }, (_each, index) => `group-${index}`);
    await expect(auth.refresh(refreshToken)).rejects.toThrow('claims must fit into a token');
    groups = ['staff'];
    expect(auth.check((await auth.refresh(refreshToken)).accessToken).claims).toMatchObject({ groups });
    expect(heard.filter(({ event }) => event === 'reused')).toEqual([]);
  });

  it('gives the same pair for the grace, and treats what comes later as theft', async () => {
    const clock = testClock(1_700_000_000_000);
    const auth = tokensWith({ now: clock.now, store: memoryTokenStore({ now: clock.now }) });
    const { refreshToken } = await auth.issue('u_1');
    const next = await auth.refresh(refreshToken);
    clock.advance(9_999);
    expect(await auth.refresh(refreshToken)).toEqual({ ...next, expiresIn: 891 });
    clock.advance(1);
    expect(await refusalOf(() => auth.refresh(refreshToken))).toMatchObject({ code: 'token_reused' });
    expect(await refusalOf(() => auth.refresh(next.refreshToken))).toMatchObject({ code: 'token_revoked' });
  });

  it('keeps somebody signed in who comes often enough, and no longer', async () => {
    const clock = testClock(1_700_000_000_000);
    const auth = tokensWith({
      now: clock.now,
      store: memoryTokenStore({ now: clock.now }),
      refreshTtlMs: 3_600_000,
    });
    let { refreshToken } = await auth.issue('u_1');
    for (let times = 0; times < 10; times++) {
      clock.advance(3_500_000);
      ({ refreshToken } = await auth.refresh(refreshToken));
    }
    clock.advance(3_600_000);
    expect(await refusalOf(() => auth.refresh(refreshToken))).toMatchObject({ code: 'token_expired' });
  });

  it('keeps no token in Redis that could be used, and forgets what it takes to sign one again', async () => {
    const auth = tokensWith({ store: redisTokenStore(redis.link, { prefix: 'looked-at:' }), graceMs: 200 });
    const { refreshToken } = await auth.issue('u_1');
    const next = await auth.refresh(refreshToken);
    const keys = await redis.client.keys('looked-at:*');
    const values = await Promise.all(keys.map((key) => redis.client.get(key)));
    for (const token of [refreshToken, next.refreshToken, next.accessToken]) {
      expect(values.join()).not.toContain(token.slice(token.lastIndexOf('.') + 1));
    }
    const kept = keys.find((key) => key.includes(':next:')) ?? '';
    expect(await redis.client.pttl(kept)).toBeLessThanOrEqual(200);
  });
});
