/** An API key as it is kept. */
export interface StoredKey {
  /** Names the key in lists and logs; no secret. Letters and digits. */
  readonly id: string;
  /** Of the secret, 43 characters. */
  readonly hash: string;
  /** Whose key it is. */
  readonly subject: string;
  /** What the owner calls it. */
  readonly name: string;
  readonly scopes: readonly string[];
  readonly roles: readonly string[];
  /** Which limits it has. */
  readonly plan: string | undefined;
  readonly createdAt: Date;
  readonly expiresAt: Date | undefined;
  readonly lastUsedAt: Date | undefined;
}

/**
 * Where API keys live. What a method returns may be a promise; whatever it throws or rejects with becomes a 503, with that
 * as its cause.
 */
export interface KeyStore {
  /**
   * Keeps a new key. False, and nothing is kept, where the subject has `max` keys that have not expired when the new
   * one is created. Of many at once no more than `max` are kept.
   */
  add(key: StoredKey, max: number): boolean | Promise<boolean>;
  /** The key, expired or not. */
  find(id: string): StoredKey | undefined | Promise<StoredKey | undefined>;
  /** All keys of the subject, the oldest first. */
  list(subject: string): readonly StoredKey[] | Promise<readonly StoredKey[]>;
  /** Removes a key of the subject; false where there is none, or it is somebody else's. */
  remove(id: string, subject: string): boolean | Promise<boolean>;
  /** Removes all keys of the subject, and returns their ids. */
  removeAll(subject: string): readonly string[] | Promise<readonly string[]>;
  /**
   * Replaces the hash of a key where it still is `from`, and nothing else of the key; false, and nothing is changed,
   * where it is another one by now, or the key is gone. Compared and replaced in one step: of many at once one is told
   * true, and a key that is removed meanwhile stays gone.
   */
  rehash(id: string, from: string, to: string): boolean | Promise<boolean>;
  /** Notes when a key was used; the latest time stays, and a key that is gone stays gone. */
  touch(id: string, at: Date): void | Promise<void>;
}
