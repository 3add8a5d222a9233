import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import type { KeyStore, StoredKey } from '../src/index.js';

/** A key that no other test has. */
export function storedKey(changes: Partial<StoredKey> = {}): StoredKey {
  return {
    id: randomBytes(8).toString('hex'),
    hash: randomBytes(32).toString('base64url'),
    subject: `u_${randomBytes(8).toString('hex')}`,
    name: 'Länger als „nötig“ — 🗝',
    scopes: ['search', 'history:read'],
    roles: ['editor'],
    plan: 'partner',
    createdAt: new Date(1_700_000_000_123),
    expiresAt: new Date(1_900_000_000_456),
    lastUsedAt: undefined,
    ...changes,
  };
}

/** What every store of API keys does. */
export function itKeepsTheKeyStoreContract(openStore: () => KeyStore): void {
  it('finds a key as it was added', async () => {
    const store = openStore();
    const key = storedKey();
    const plain = storedKey({ scopes: [], roles: [], plan: undefined, expiresAt: undefined });
    expect(await store.add(key, 5)).toBe(true);
    expect(await store.add(plain, 5)).toBe(true);
    expect(await store.find(key.id)).toEqual(key);
    expect(await store.find(plain.id)).toEqual(plain);
  });

  it('finds nothing by an id that it does not have', async () => {
    const store = openStore();
    for (const id of ['', 'nobody', "' or 1=1 --", '__proto__']) expect(await store.find(id)).toBeUndefined();
  });

  it('lists the keys of a subject and of nobody else, the oldest first', async () => {
    const store = openStore();
    const { subject } = storedKey();
    const keys = [1, 2, 3].map((day) => storedKey({ subject, createdAt: new Date(day * 86_400_000) }));
    for (const key of [...keys, storedKey()]) await store.add(key, 5);
    expect(await store.list(subject)).toEqual(keys);
    expect(await store.list('u_nobody')).toEqual([]);
  });

  it('keeps no more keys of a subject than it may have, however many come at once', async () => {
    const store = openStore();
    const { subject } = storedKey();
    const added = await Promise.all(
      Array.from({ length: 20 }, async () => store.add(storedKey({ subject }), 3)),
    );
    expect(added.filter(Boolean)).toHaveLength(3);
    expect(await store.list(subject)).toHaveLength(3);
    expect(await store.add(storedKey(), 3)).toBe(true);
  });

  it('does not count what has expired when a key is added', async () => {
    const store = openStore();
    const { subject } = storedKey();
    const expired = storedKey({ subject, expiresAt: new Date(1_700_000_000_000) });
    const key = storedKey({ subject, createdAt: new Date(1_700_000_000_000) });
    await store.add(expired, 1);
    expect(await store.add(key, 1)).toBe(true);
    expect(await store.add(storedKey({ subject, createdAt: key.createdAt }), 1)).toBe(false);
  });

  it('removes a key of its owner, once', async () => {
    const store = openStore();
    const key = storedKey();
    await store.add(key, 5);
    expect(await store.remove(key.id, 'u_somebody_else')).toBe(false);
    expect(await store.find(key.id)).toEqual(key);
    expect(await store.remove(key.id, key.subject)).toBe(true);
    expect(await store.remove(key.id, key.subject)).toBe(false);
    expect(await store.find(key.id)).toBeUndefined();
    expect(await store.list(key.subject)).toEqual([]);
  });

  it('removes all keys of a subject and says which', async () => {
    const store = openStore();
    const { subject } = storedKey();
    const keys = [storedKey({ subject }), storedKey({ subject })];
    const other = storedKey();
    for (const key of [...keys, other]) await store.add(key, 5);
    expect((await store.removeAll(subject)).toSorted()).toEqual(keys.map(({ id }) => id).toSorted());
    expect(await store.removeAll(subject)).toEqual([]);
    expect(await store.find(other.id)).toEqual(other);
  });

  it('notes the latest use, whichever is noted last', async () => {
    const store = openStore();
    const key = storedKey();
    await store.add(key, 5);
    await store.touch(key.id, new Date(1_750_000_000_000));
    await store.touch(key.id, new Date(1_740_000_000_000));
    expect(await store.find(key.id)).toEqual({ ...key, lastUsedAt: new Date(1_750_000_000_000) });
  });

  it('replaces the hash of a key, and nothing else of it', async () => {
    const store = openStore();
    const key = storedKey();
    const { hash } = storedKey();
    await store.add(key, 5);
    await store.touch(key.id, new Date(1_750_000_000_000));
    expect(await store.rehash(key.id, key.hash, hash)).toBe(true);
    expect(await store.find(key.id)).toEqual({ ...key, hash, lastUsedAt: new Date(1_750_000_000_000) });
  });

  it('replaces no hash that is another one by now, and none of a key that is gone', async () => {
    const store = openStore();
    const key = storedKey();
    const { hash } = storedKey();
    await store.add(key, 5);
    expect(await store.rehash(key.id, hash, storedKey().hash)).toBe(false);
    expect(await store.rehash('nobody', key.hash, hash)).toBe(false);
    expect(await store.find(key.id)).toEqual(key);
    await store.remove(key.id, key.subject);
    expect(await store.rehash(key.id, key.hash, hash)).toBe(false);
    expect(await store.find(key.id)).toBeUndefined();
  });

  it('replaces a hash once, however many want to at once', async () => {
    const store = openStore();
    const key = storedKey();
    await store.add(key, 5);
    const hashes = Array.from({ length: 20 }, () => storedKey().hash);
    const replaced = await Promise.all(
      hashes.map(async (hash) => ((await store.rehash(key.id, key.hash, hash)) ? [hash] : [])),
    );
    expect(replaced.flat()).toEqual([(await store.find(key.id))?.hash]);
  });

  it('does not bring a key back that is used while it is removed', async () => {
    const store = openStore();
    const key = storedKey();
    await store.add(key, 5);
    await Promise.all([store.remove(key.id, key.subject), store.touch(key.id, new Date())]);
    await store.touch(key.id, new Date());
    expect(await store.find(key.id)).toBeUndefined();
  });
}
