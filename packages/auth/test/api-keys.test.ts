import { signals } from '@signalbox/signals';
import { assertNeverHangs, testClock } from '@signalbox/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.js';
import { heard, heardFeature } from '../../../test/support/heard.js';
import { apiKeys, memoryKeyStore, type ApiKeys, type ApiKeysOptions, type KeyStore } from '../src/index.js';

const START = 1_800_000_000_000;
const OLDEST = 'the oldest secret, of at least 32 bytes';
const OLDER = 'the older secret, of at least 32 bytes';
const NEWER = 'the newer secret, of at least 32 bytes';

/** A store in memory that answers later, as a database does, counts what it is asked, and can be gone. */
function slowStore(): KeyStore & { asked: Record<string, number>; fault: undefined | 'down' | 'hung' } {
  const inner = memoryKeyStore();
  const store = { asked: {} as Record<string, number>, fault: undefined as undefined | 'down' | 'hung' };
  async function later<Answer>(name: string, work: () => Answer | Promise<Answer>): Promise<Answer> {
    store.asked[name] = (store.asked[name] ?? 0) + 1;
    if (store.fault === 'hung') return new Promise(() => undefined);
    await new Promise(setImmediate);
    if (store.fault === 'down') throw new Error('connect ECONNREFUSED');
    return work();
  }
  return Object.assign(store, {
    add: (key, max) => later('add', () => inner.add(key, max)),
    find: (id) => later('find', () => inner.find(id)),
    list: (subject) => later('list', () => inner.list(subject)),
    remove: (id, subject) => later('remove', () => inner.remove(id, subject)),
    removeAll: (subject) => later('removeAll', () => inner.removeAll(subject)),
    rehash: (id, from, to) => later('rehash', () => inner.rehash(id, from, to)),
    touch: (id, at) => later('touch', () => inner.touch(id, at)),
  } satisfies KeyStore);
}

function setUp(options: Partial<ApiKeysOptions> = {}) {
  const clock = testClock(START);
  const store = slowStore();
  const keys = apiKeys({ store, now: clock.now, ...options });
  return { clock, store, keys };
}

/** What `verify` throws or rejects with. */
async function refusal(keys: ApiKeys, key: unknown): Promise<unknown> {
  try {
    await keys.verify(key as string);
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('apiKeys', () => {
  it('makes a key that is shown once, and verifies it', async () => {
    const { keys, store } = setUp();
    const created = await keys.create('u_1', {
      name: 'My laptop',
      scopes: ['search'],
      roles: ['editor'],
      plan: 'partner',
      ttlMs: 60_000,
    });
    expect(created.key).toMatch(/^sbx_[0-9A-Za-z]{16}_[0-9A-Za-z]{49}$/);
    expect(await keys.verify(created.key)).toEqual({
      subject: 'u_1',
      method: 'api_key',
      roles: ['editor'],
      scopes: ['search'],
      claims: {},
      authenticatedAtMs: undefined,
      id: created.id,
      name: 'My laptop',
      plan: 'partner',
      expiresAtMs: START + 60_000,
    });

    const kept = JSON.stringify([await store.find(created.id), await keys.list('u_1')]);
    expect(kept).not.toContain(created.key.slice(21));
    expect(await keys.list('u_1')).toEqual([{ ...created, key: undefined, lastUsedAt: new Date(START) }]);
    expect((await keys.list('u_1'))[0]).not.toHaveProperty('hash');
  });

  it('gives to all requests of a key one principal that cannot be written to', async () => {
    const { keys } = setUp();
    const { key } = await keys.create('u_1', { name: 'x', scopes: ['search'] });
    const principal = await keys.verify(key);
    expect(keys.verify(key)).toBe(principal);
    expect(() => Object.assign(principal, { subject: 'u_2' })).toThrow(TypeError);
    expect(() => (principal.scopes as string[]).push('admin')).toThrow(TypeError);
  });

  it('refuses without asking the store what is no key, and tells a typo by its checksum', async () => {
    const { keys, store } = setUp();
    const { key } = await keys.create('u_1', { name: 'x' });
    const inner = key.slice(4);
    const others = [
      '',
      'sbx',
      'sbx_',
      key.slice(1),
      key.slice(0, -1),
      `${key}0`,
      ` ${key}`,
      `${key}\n`,
      `abc_${inner}`,
    ];
    const hostile = [
      'a'.repeat(1_000_000),
      `sbx_${'a'.repeat(66)}`,
      `${key}, ${key}`,
      'sbx_\0',
      '💥',
      null,
      undefined,
      42,
      {},
    ];
    for (const wrong of [...others, ...hostile]) {
      expect(await refusal(keys, wrong)).toMatchObject({ status: 401, code: 'invalid_api_key' });
    }
    fc.assert(
      fc.property(fc.nat(key.length - 1), fc.constantFrom('0', 'a', 'Z', '_', '-'), (place, letter) => {
        fc.pre(key[place] !== letter);
        const typo = key.slice(0, place) + letter + key.slice(place + 1);
        expect(() => keys.verify(typo)).toThrow('The API key is not valid');
      }),
    );
    expect(store.asked).toEqual({ add: 1 });
  });

  it('refuses a key of another app, another secret for a known id, and one that is gone, all alike', async () => {
    const { keys, store } = setUp();
    const foreign = await apiKeys({ store: memoryKeyStore() }).create('u_1', { name: 'x' });
    const mine = await keys.create('u_1', { name: 'x' });
    const stored = await store.find(mine.id);
    const other = await keys.create('u_2', { name: 'x' });
    const kept = await store.find(other.id);
    if (stored === undefined || kept === undefined) throw new Error('The keys are not there');
    // Somebody swaps hashes in the database.
    await store.remove(mine.id, 'u_1');
    await store.add({ ...stored, hash: kept.hash }, 5);
    await keys.revoke('u_2', other.id);

    for (const key of [foreign.key, mine.key, other.key]) {
      expect(await refusal(keys, key)).toMatchObject({
        status: 401,
        code: 'invalid_api_key',
        headers: {
          'WWW-Authenticate': 'Bearer error="invalid_token", error_description="The API key is not valid"',
        },
      });
    }
  });

  it('refuses a key from the moment that it expires', async () => {
    const { keys, clock } = setUp({ cacheMs: 1_000_000 });
    const { key } = await keys.create('u_1', { name: 'x', ttlMs: 5_000 });
    clock.advance(4_999);
    expect(await keys.verify(key)).toMatchObject({ subject: 'u_1' });
    clock.advance(1);
    expect(await refusal(keys, key)).toMatchObject({ status: 401, code: 'api_key_expired' });
  });

  it('asks the store once for many requests, and not again for a while', async () => {
    const { keys, store, clock } = setUp();
    const { key } = await keys.create('u_1', { name: 'x' });
    await Promise.all(Array.from({ length: 50 }, async () => keys.verify(key)));
    expect(store.asked).toMatchObject({ find: 1, touch: 1 });
    clock.advance(9_999);
    expect(keys.verify(key)).not.toBeInstanceOf(Promise);
    clock.advance(1);
    await keys.verify(key);
    expect(store.asked).toMatchObject({ find: 2 });
  });

  it('asks in the same turn', async () => {
    const { keys, store } = setUp();
    const { key } = await keys.create('u_1', { name: 'x' });
    const verified = keys.verify(key);
    expect(store.asked).toMatchObject({ find: 1 });
    await verified;
  });

  it('remembers a bounded number of keys', async () => {
    const { keys, store } = setUp({ cacheSize: 2 });
    const made = await Promise.all([1, 2, 3].map(() => keys.create('u_1', { name: 'x' })));
    for (let round = 0; round < 2; round += 1) {
      for (const { key } of made) await keys.verify(key);
    }
    expect(store.asked).toMatchObject({ find: 6 });
  });

  it('ends a key at once where it is revoked, and elsewhere when that is heard of', async () => {
    const { keys, store, clock } = setUp();
    const elsewhere = apiKeys({ store, now: clock.now });
    const { key, id } = await keys.create('u_1', { name: 'x' });
    await Promise.all([keys.verify(key), elsewhere.verify(key)]);

    expect(await keys.revoke('u_2', id)).toBe(false);
    expect(await keys.verify(key)).toMatchObject({ subject: 'u_1' });
    expect(await keys.revoke('u_1', id)).toBe(true);
    expect(await refusal(keys, key)).toMatchObject({ code: 'invalid_api_key' });
    expect(elsewhere.verify(key)).toMatchObject({ subject: 'u_1' });
    elsewhere.forget(id);
    expect(await refusal(elsewhere, key)).toMatchObject({ code: 'invalid_api_key' });
  });

  it('ends all keys of a subject, and forgets them by its name', async () => {
    const { keys, store, clock } = setUp();
    const elsewhere = apiKeys({ store, now: clock.now });
    const mine = await Promise.all([1, 2].map(() => keys.create('u_1', { name: 'x' })));
    const other = await keys.create('u_2', { name: 'x' });
    for (const { key } of [...mine, other]) await elsewhere.verify(key);

    expect((await keys.revokeAll('u_1')).toSorted()).toEqual(mine.map(({ id }) => id).toSorted());
    elsewhere.forgetSubject('u_1');
    for (const { key } of mine) {
      for (const process of [keys, elsewhere]) {
        expect(await refusal(process, key)).toMatchObject({ code: 'invalid_api_key' });
      }
    }
    expect(elsewhere.verify(other.key)).toMatchObject({ subject: 'u_2' });
  });

  it('does not remember what it had begun to read before a revocation', async () => {
    const { keys, store, clock } = setUp();
    const elsewhere = apiKeys({ store, now: clock.now });
    const { key, id } = await keys.create('u_1', { name: 'x' });
    const reading = elsewhere.verify(key);
    elsewhere.forget(id);
    await reading;
    await keys.revoke('u_1', id);
    expect(await refusal(elsewhere, key)).toMatchObject({ code: 'invalid_api_key' });
  });

  it('lets no key outlive its revocation, in whatever order things happen', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('verify', 'revoke', 'wait'), { maxLength: 12 }),
        async (steps) => {
          const { keys } = setUp();
          const { key, id } = await keys.create('u_1', { name: 'x' });
          let revoked: Promise<boolean> | undefined;
          for (const step of steps) {
            if (step === 'wait') await new Promise(setImmediate);
            if (step === 'verify') void refusal(keys, key);
            if (step === 'revoke') revoked ??= keys.revoke('u_1', id);
          }
          await revoked;
          expect(await refusal(keys, key)).toEqual(
            revoked === undefined ? undefined : expect.objectContaining({ code: 'invalid_api_key' }),
          );
        },
      ),
      { numRuns: 200 },
    );
  });

  it('notes the last use at most once a minute', async () => {
    const { keys, store, clock } = setUp({ cacheMs: 5_000 });
    const { key } = await keys.create('u_1', { name: 'x' });
    for (let second = 0; second <= 120; second += 1) {
      await keys.verify(key);
      clock.advance(1_000);
    }
    expect(store.asked['touch']).toBe(3);
    expect((await keys.list('u_1'))[0]?.lastUsedAt).toEqual(new Date(START + 120_000));
  });

  it('lets a key through whose use cannot be noted', async () => {
    const { keys, store, clock } = setUp({ cacheMs: 1_000_000 });
    const { key } = await keys.create('u_1', { name: 'x' });
    await keys.verify(key);
    store.fault = 'down';
    clock.advance(60_000);
    expect(keys.verify(key)).toMatchObject({ subject: 'u_1' });
    await new Promise(setImmediate);
  });

  it('is closed while the store is down: 503, within its time, and by itself open again', async () => {
    const { keys, store } = setUp({ timeoutMs: 50, cacheMs: 0 });
    const states = heardFeature('api-keys');
    const { key } = await keys.create('u_1', { name: 'x' });
    for (const fault of ['down', 'hung'] as const) {
      store.fault = fault;
      const error = await assertNeverHangs(refusal(keys, key), { withinMs: 1_000 });
      expect(error).toMatchObject({ status: 503, code: 'key_store_unavailable', retryAfterSeconds: 1 });
      const changes: (() => Promise<unknown>)[] = [
        () => keys.create('u_1', { name: 'y' }),
        () => keys.list('u_1'),
        () => keys.revoke('u_1', 'x'),
        () => keys.revokeAll('u_1'),
      ];
      for (const change of changes) {
        await expect(assertNeverHangs(change, { withinMs: 1_000 })).rejects.toMatchObject({ status: 503 });
      }
    }
    store.fault = undefined;
    expect(await keys.verify(key)).toMatchObject({ subject: 'u_1' });
    expect(states).toEqual([
      expect.objectContaining({ feature: 'api-keys', degraded: true, policy: 'closed' }),
      expect.objectContaining({ feature: 'api-keys', degraded: false, policy: 'closed' }),
    ]);
  });

  it('is open on demand: for keys that were seen lately, as they were then', async () => {
    const { keys, store, clock } = setUp({ staleMs: 60_000 });
    const { key } = await keys.create('u_1', { name: 'x', ttlMs: 50_000 });
    const unseen = await keys.create('u_1', { name: 'y' });
    await keys.verify(key);
    clock.advance(20_000);
    store.fault = 'down';
    expect(await keys.verify(key, { onStoreDown: 'open' })).toMatchObject({ subject: 'u_1' });
    expect(await refusal(keys, key)).toMatchObject({ status: 503 });
    await expect(keys.verify(unseen.key, { onStoreDown: 'open' })).rejects.toMatchObject({ status: 503 });

    const forged = `${key.slice(0, 21)}${unseen.key.slice(21)}`;
    expect(() => keys.verify(forged, { onStoreDown: 'open' })).toThrow('The API key is not valid');
    clock.advance(30_000);
    await expect(keys.verify(key, { onStoreDown: 'open' })).rejects.toMatchObject({
      code: 'api_key_expired',
    });
    clock.advance(10_000);
    await expect(keys.verify(key, { onStoreDown: 'open' })).rejects.toMatchObject({ status: 503 });
  });

  it('makes as many keys as a subject may have', async () => {
    const { keys } = setUp({ maxPerSubject: 2 });
    const made = [await keys.create('u_1', { name: 'a' }), await keys.create('u_1', { name: 'b' })];
    await expect(keys.create('u_1', { name: 'c' })).rejects.toMatchObject({
      status: 409,
      code: 'too_many_keys',
      details: { max: 2 },
    });
    await keys.revoke('u_1', made[0]?.id ?? '');
    expect(await keys.create('u_1', { name: 'c' })).toMatchObject({ name: 'c' });
  });

  it.each([
    ['name', { name: '' }],
    ['name', { name: ' ' }],
    ['name', { name: 'a'.repeat(101) }],
    ['name', { name: 'a\0b' }],
    ['name', { name: 'a\uD800' }],
    ['name', { name: ['x'] }],
    ['name', {}],
    ['scopes', { name: 'x', scopes: 'search' }],
    ['scopes', { name: 'x', scopes: ['admin'] }],
    ['scopes', { name: 'x', scopes: [['search']] }],
    ['scopes', { name: 'x', scopes: Array.from({ length: 101 }, () => 'search') }],
    ['roles', { name: 'x', roles: ['a\nb'] }],
    ['plan', { name: 'x', plan: {} }],
    ['ttlMs', { name: 'x', ttlMs: 0 }],
    ['ttlMs', { name: 'x', ttlMs: '1d' }],
    ['ttlMs', { name: 'x', ttlMs: Number.MAX_SAFE_INTEGER }],
    ['subject', { name: 'x', subject: 'u_2' }],
  ])('says with a 422 that %s cannot be as in %j, and keeps nothing', async (field, request) => {
    const { keys, store } = setUp({ scopes: ['search', 'history'] });
    await expect(keys.create('u_1', request as { name: string })).rejects.toMatchObject({
      status: 422,
      code: 'invalid_key_request',
      details: [{ in: 'body', pointer: `/${field}` }],
    });
    expect(store.asked).toEqual({});
  });

  it('knows keys of older secrets as long as these are listed', async () => {
    const { store, keys } = setUp({ secrets: OLDER });
    const { key } = await keys.create('u_1', { name: 'x' });
    for (const secrets of [NEWER, undefined]) {
      expect(await refusal(apiKeys({ store, secrets }), key)).toMatchObject({ code: 'invalid_api_key' });
    }
    expect(await apiKeys({ store, secrets: [NEWER, OLDER] }).verify(key)).toMatchObject({ subject: 'u_1' });
  });

  it('hashes a key anew by the newest secret when it is used, once, and changes nothing else of it', async () => {
    const { store, clock, keys } = setUp({ secrets: OLDER });
    const { key, id } = await keys.create('u_1', { name: 'x', scopes: ['search'], ttlMs: 60_000 });
    await keys.verify(key);
    const before = await store.find(id);
    const rotated = apiKeys({ store, now: clock.now, secrets: [NEWER, OLDER] });
    await Promise.all(Array.from({ length: 20 }, async () => rotated.verify(key)));
    await eventually(async () => (await store.find(id))?.hash !== before?.hash);
    expect(await store.find(id)).toEqual({ ...before, hash: expect.any(String) });

    clock.advance(20_000);
    expect(await rotated.verify(key)).toMatchObject({ subject: 'u_1', expiresAtMs: START + 60_000 });
    expect(store.asked).toMatchObject({ rehash: 1 });
  });

  it('lets the oldest secret go when the keys have been used, in several processes at once, too', async () => {
    const { store, clock, keys } = setUp({ secrets: OLDEST });
    const { key, id } = await keys.create('u_1', { name: 'x' });
    const unused = await keys.create('u_1', { name: 'y' });
    const hashes = new Set([(await store.find(id))?.hash]);
    for (const secrets of [
      [OLDER, OLDEST],
      [NEWER, OLDER, OLDEST],
    ]) {
      const { hash: before } = (await store.find(id)) ?? {};
      const processes = [1, 2].map(() => apiKeys({ store, now: clock.now, secrets }));
      await Promise.all(processes.map(async (each) => each.verify(key)));
      await eventually(async () => (await store.find(id))?.hash !== before);
      for (const each of processes) expect(await each.verify(key)).toMatchObject({ subject: 'u_1' });
      hashes.add((await store.find(id))?.hash);
    }
    expect(hashes).toHaveLength(3);

    for (const secrets of [[NEWER, OLDER], NEWER]) {
      const without = apiKeys({ store, now: clock.now, secrets });
      expect(await without.verify(key)).toMatchObject({ subject: 'u_1' });
      expect(await refusal(without, unused.key)).toMatchObject({ code: 'invalid_api_key' });
    }
  });

  it('knows a key everywhere while processes list the secrets in different orders', async () => {
    const { store, clock, keys } = setUp({ secrets: OLDER });
    const { key } = await keys.create('u_1', { name: 'x' });
    const before = apiKeys({ store, now: clock.now, secrets: [OLDER, NEWER] });
    const after = apiKeys({ store, now: clock.now, secrets: [NEWER, OLDER] });
    for (let round = 1; round <= 3; round += 1) {
      // Each makes of it what it takes for the newest.
      for (const [each, rehashes] of [
        [after, round * 2 - 1],
        [before, round * 2],
      ] as const) {
        expect(await each.verify(key)).toMatchObject({ subject: 'u_1' });
        await eventually(() => store.asked['rehash'] === rehashes);
      }
      clock.advance(10_000);
    }
    await after.verify(key);
    const alone = apiKeys({ store, now: clock.now, secrets: NEWER, cacheMs: 0 });
    await eventually(async () => (await refusal(alone, key)) === undefined);
  });

  it('lets a key through whose hash cannot be replaced, and tries again at the next look', async () => {
    const { store, clock, keys } = setUp({ secrets: OLDER });
    const { key, id } = await keys.create('u_1', { name: 'x' });
    const before = await store.find(id);
    const faults = [
      () => Promise.reject(new Error('cannot execute UPDATE in a read-only transaction')),
      () => {
        throw new Error('connect ECONNREFUSED');
      },
    ];
    const failing: KeyStore = {
      ...store,
      rehash: (...args) => (faults.shift() ?? (() => store.rehash(...args)))(),
    };
    const rotated = apiKeys({ store: failing, now: clock.now, secrets: [NEWER, OLDER] });
    for (const left of [1, 0]) {
      expect(await rotated.verify(key)).toMatchObject({ subject: 'u_1' });
      expect(await rotated.verify(key)).toMatchObject({ subject: 'u_1' });
      expect(faults).toHaveLength(left);
      expect((await store.find(id))?.hash).toBe(before?.hash);
      clock.advance(10_000);
    }
    await rotated.verify(key);
    await eventually(async () => (await store.find(id))?.hash !== before?.hash);
  });

  it('brings no key back that is revoked while it is hashed anew', async () => {
    const { store, clock, keys } = setUp({ secrets: OLDER });
    const { key, id } = await keys.create('u_1', { name: 'x' });
    const rotated = apiKeys({ store, now: clock.now, secrets: [NEWER, OLDER] });
    const verified = rotated.verify(key);
    await Promise.all([verified, rotated.revoke('u_1', id)]);
    expect(await refusal(rotated, key)).toMatchObject({ code: 'invalid_api_key' });
    expect(await store.find(id)).toBeUndefined();
  });

  it('hashes no key anew that has expired, or comes with another secret', async () => {
    const { store, clock, keys } = setUp({ secrets: OLDER });
    const [short, other] = [
      await keys.create('u_1', { name: 'x', ttlMs: 1_000 }),
      await keys.create('u_1', { name: 'y' }),
    ];
    const rotated = apiKeys({ store, now: clock.now, secrets: [NEWER, OLDER] });
    clock.advance(1_000);
    expect(await refusal(rotated, short.key)).toMatchObject({ code: 'api_key_expired' });
    const foreign = apiKeys({ store: memoryKeyStore(), secrets: NEWER });
    const forged = (await foreign.create('u_1', { name: 'x' })).key;
    expect(await refusal(rotated, forged)).toMatchObject({ code: 'invalid_api_key' });
    expect(await refusal(rotated, `${other.key.slice(0, 21)}${forged.slice(21)}`)).toMatchObject({
      code: 'invalid_api_key',
    });
    expect(store.asked).not.toHaveProperty('rehash');
  });

  it('tells listeners what happens to keys, and nothing of them', async () => {
    const { keys } = setUp();
    const events = heard(signals.tokenEvent);
    const { key, id } = await keys.create('u_1', { name: 'x' });
    await keys.verify(key);
    await refusal(keys, 'nonsense');
    await keys.revoke('u_1', id);
    expect(events).toEqual([
      { event: 'issued', kind: 'api_key', code: undefined },
      { event: 'verified', kind: 'api_key', code: undefined },
      { event: 'refused', kind: 'api_key', code: 'invalid_api_key' },
      { event: 'revoked', kind: 'api_key', code: undefined },
    ]);
  });

  it('does not compile, and does not run, with a scope that the list does not have', async () => {
    const keys = apiKeys({ store: memoryKeyStore(), scopes: ['search', 'history'], roles: ['admin'] });
    // @ts-expect-error -- that is the point
    await expect(keys.create('u_1', { name: 'x', scopes: ['serach'] })).rejects.toMatchObject({
      status: 422,
    });
    expect(await keys.create('u_1', { name: 'x', scopes: ['search'], roles: ['admin'] })).toBeDefined();
  });

  it.each([
    [{}, 'apiKeys: "store" must be an object, got undefined'],
    [{ store: {} }, 'apiKeys: "store.add" must be a function, got undefined'],
    [{ prefix: 'a_b' }, 'apiKeys: "prefix" must be 2 to 16 letters and digits, a letter first, got "a_b"'],
    [{ secrets: 'short' }, 'apiKeys: "secrets" must be of at least 32 bytes each, got text of 5 characters'],
    [{ scopes: ['a b'] }, 'apiKeys: "scopes" must be a list of words without spaces and quotes'],
    [{ maxPerSubject: 0 }, 'apiKeys: "maxPerSubject" must be an integer of at least 1, got 0'],
    [{ cacheMs: -1 }, 'apiKeys: "cacheMs" must be an integer from 0'],
    [{ cacheSize: 0 }, 'apiKeys: "cacheSize" must be an integer of at least 1, got 0'],
    [{ onStoreDown: 'local' }, 'apiKeys: "onStoreDown" must be "closed" or "open", got "local"'],
    [{ timeoutMs: 0 }, 'apiKeys: "timeoutMs" must be an integer from 1'],
    [{ cache: 5 }, 'apiKeys: "cache" is not an option; did you mean "cacheMs"?'],
  ])('refuses %o at construction', (options, message) => {
    const given =
      'store' in options || message.includes('"store"') ? options : { store: memoryKeyStore(), ...options };
    expect(() => apiKeys(given as ApiKeysOptions)).toThrow(message);
  });
});
