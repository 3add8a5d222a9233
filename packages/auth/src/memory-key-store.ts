import { refuseUnknownOptions, requireInteger, requireObject } from '@signalbox/options';
import { KeyStoreUnavailableError } from './api-key-errors.js';
import type { KeyStore, StoredKey } from './key-store.js';

export interface MemoryKeyStoreOptions {
  /**
   * How many keys there may be in all. Further ones are refused with 503: to forget a key would lock somebody out.
   * @default 100_000
   */
  maxKeys?: number | undefined;
}

/**
 * Keeps API keys in this process, for tests and for trying out: they are gone when it ends.
 *
 * @throws {TypeError} when an option is out of range
 *
 * @example
 * const keys = apiKeys({ store: memoryKeyStore() });
 */
export function memoryKeyStore(options: MemoryKeyStoreOptions = {}): KeyStore {
  requireObject('memoryKeyStore', 'options', options);
  refuseUnknownOptions('memoryKeyStore', options, ['maxKeys']);
  const { maxKeys = 100_000 } = options;
  requireInteger('memoryKeyStore', 'maxKeys', maxKeys, 1);

  const keys = new Map<string, StoredKey>();
  const idsOf = new Map<string, Set<string>>();

  function keysOf(subject: string): StoredKey[] {
    return [...(idsOf.get(subject) ?? [])].flatMap((id) => keys.get(id) ?? []);
  }

  function forget({ id, subject }: StoredKey): void {
    keys.delete(id);
    const ids = idsOf.get(subject);
    ids?.delete(id);
    if (ids?.size === 0) idsOf.delete(subject);
  }

  return {
    add(key, max) {
      const live = keysOf(key.subject).filter(({ expiresAt }) => !(expiresAt && expiresAt <= key.createdAt));
      if (live.length >= max) return false;
      if (keys.size >= maxKeys) throw new KeyStoreUnavailableError(new Error('The store of keys is full'));
      keys.set(key.id, key);
      const ids = idsOf.get(key.subject) ?? new Set();
      idsOf.set(key.subject, ids.add(key.id));
      return true;
    },

    find: (id) => keys.get(id),

    list: (subject) => keysOf(subject),

    remove(id, subject) {
      const key = keys.get(id);
      if (key === undefined || key.subject !== subject) return false;
      forget(key);
      return true;
    },

    removeAll(subject) {
      const removed = keysOf(subject);
      for (const key of removed) forget(key);
      return removed.map(({ id }) => id);
    },

    rehash(id, from, to) {
      const key = keys.get(id);
      if (key === undefined || key.hash !== from) return false;
      keys.set(id, { ...key, hash: to });
      return true;
    },

    touch(id, at) {
      const key = keys.get(id);
      if (key === undefined || (key.lastUsedAt !== undefined && key.lastUsedAt >= at)) return;
      keys.set(id, { ...key, lastUsedAt: at });
    },
  };
}
