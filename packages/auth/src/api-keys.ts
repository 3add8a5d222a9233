import { ConflictError } from '@signalbox/errors';
import { signals } from '@signalbox/signals';
import { ApiKeyError } from './api-key-errors.js';
import { apiKeyFormat } from './api-key-text.js';
import { resolveApiKeysOptions, type ApiKeysOptions } from './api-keys-options.js';
import { guardedStore } from './guarded-key-store.js';
import type { StoredKey } from './key-store.js';
import { KnownKeys, type KnownKey } from './known-keys.js';
import { requireKeyRequest, type NewKey } from './new-key.js';
import type { VerifyOptions } from './tokens-interface.js';
import type { VerifiedKey } from './verified-key.js';

/** What its owner may see of a key. */
export type ApiKeyInfo = Omit<StoredKey, 'hash'>;

/** A key as it is shown once, when it is made. */
export interface CreatedKey extends ApiKeyInfo {
  /** The key itself. It is kept nowhere. */
  readonly key: string;
}

/** API keys of an app's users and of their programs. */
export interface ApiKeys<Scope extends string = string, Role extends string = string> {
  /** What the keys begin with. */
  readonly prefix: string;
  /**
   * Makes a key. It is shown this once.
   *
   * @throws {UnprocessableContentError} 422 `invalid_key_request`, naming the field
   * @throws {ConflictError} 409 `too_many_keys`
   */
  create(subject: string, key: NewKey<Scope, Role>): Promise<CreatedKey>;
  /**
   * Whose key it is: at once where it was seen in the last seconds, else a promise, for which the store has been
   * asked when this returns.
   *
   * @throws {ApiKeyError} or rejects with it, 401
   * @throws {KeyStoreUnavailableError} or rejects with it, 503
   */
  verify(key: string, options?: VerifyOptions): VerifiedKey | Promise<VerifiedKey>;
  /** All keys of a subject, the oldest first, those that have expired too. */
  list(subject: string): Promise<ApiKeyInfo[]>;
  /** Ends a key of the subject; false where there is none. Other processes have to {@link forget} it. */
  revoke(subject: string, id: string): Promise<boolean>;
  /** Ends all keys of the subject, and returns their ids. */
  revokeAll(subject: string): Promise<readonly string[]>;
  /** Asks the store at the next use of this key: what a process does that hears of a revocation elsewhere. */
  forget(id: string): void;
  /** {@link forget} for all keys of a subject, as when it is banned or its roles change. */
  forgetSubject(subject: string): void;
}

const NO_OPTIONS: VerifyOptions = {};

/**
 * API keys, such as `sbx_4Fq…_9sK…`: shown once, kept as a hash, with scopes, roles, an expiry and a plan of limits.
 *
 * The secret is 256 random bits. Guessing it is hopeless, so that a fast hash keeps it, on every request: what makes
 * scrypt slow only protects what people choose.
 *
 * @throws {TypeError} when an option is wrong, at construction
 *
 * @example
 * const keys = apiKeys({ store: memoryKeyStore(), scopes: ['search', 'history'] });
 * const { key } = await keys.create('u_1', { name: 'My laptop', scopes: ['search'] });
 * app.use(authenticate([apiKey(keys)]));
 */
export function apiKeys<Scope extends string = string, Role extends string = string>(
  options: ApiKeysOptions<Scope, Role>,
): ApiKeys<Scope, Role> {
  const resolved = resolveApiKeysOptions(options);
  const { store, prefix, hash, maxPerSubject, touchEveryMs, onStoreDown, timeoutMs, now } = resolved;
  const format = apiKeyFormat(prefix);
  const guarded = guardedStore(timeoutMs, onStoreDown);
  const known = new KnownKeys({ ...resolved, guarded });

  function admit(key: KnownKey | undefined, secret: string, nowMs: number): VerifiedKey {
    // The same work for a key that does not exist.
    const age = hash.ageOf(secret, key?.hash ?? NO_HASH);
    if (age === undefined || key === undefined) throw refused('invalid_api_key');
    const { principal } = key;
    if (principal.expiresAtMs !== undefined && nowMs >= principal.expiresAtMs) {
      throw refused('api_key_expired');
    }
    if (age > 0 && !key.isRehashed) rehash(key, secret);
    if (nowMs - key.touchedAtMs >= touchEveryMs) touch(key, nowMs);
    if (signals.tokenEvent.hasSubscribers) note('verified');
    return principal;
  }

  /** By the newest secret, so that the older one may go. Where that fails, it is tried when the key is looked up next. */
  function rehash(key: KnownKey, secret: string): void {
    key.isRehashed = true;
    aside(() => store.rehash(key.principal.id, key.hash, hash.of(secret)));
  }

  /** Where that fails, it is tried a minute later. */
  function touch(key: KnownKey, nowMs: number): void {
    key.touchedAtMs = nowMs;
    aside(() => store.touch(key.principal.id, new Date(nowMs)));
  }

  /** Nobody waits for it, and the request does not depend on it. */
  function aside<Answer>(work: () => Answer | Promise<Answer>): void {
    try {
      const answer = guarded.ask(work);
      if (answer instanceof Promise) answer.catch(() => undefined);
    } catch {
      // As above.
    }
  }

  return {
    prefix,

    async create(subject, request) {
      const { name, scopes = [], roles = [], plan, ttlMs } = requireKeyRequest(subject, request, resolved);
      const { text, parts } = format.make();
      const createdAt = now();
      const info: ApiKeyInfo = {
        id: parts.id,
        subject,
        name,
        scopes: [...new Set(scopes)],
        roles: [...new Set(roles)],
        plan,
        createdAt: new Date(createdAt),
        expiresAt: ttlMs === undefined ? undefined : new Date(createdAt + ttlMs),
        lastUsedAt: undefined,
      };
      const key = { ...info, hash: hash.of(parts.secret) };
      if (!(await guarded.ask(() => store.add(key, maxPerSubject)))) {
        throw new ConflictError(`There may be ${maxPerSubject} API keys; revoke one first.`, {
          code: 'too_many_keys',
          details: { max: maxPerSubject },
        });
      }
      if (signals.tokenEvent.hasSubscribers) note('issued');
      return { ...info, key: text };
    },

    verify(text, { onStoreDown: policy = onStoreDown } = NO_OPTIONS) {
      const parts = typeof text === 'string' ? format.parse(text) : undefined;
      if (parts === undefined) throw refused('invalid_api_key');
      const nowMs = now();
      const key = known.find(parts.id, nowMs, policy);
      if (!(key instanceof Promise)) return admit(key, parts.secret, nowMs);
      return key.then((found) => admit(found, parts.secret, nowMs));
    },

    async list(subject) {
      const keys = await guarded.ask(() => store.list(subject));
      return keys.map(({ hash: _hash, ...info }) => info);
    },

    async revoke(subject, id) {
      known.forget(id);
      const isRevoked = await guarded.ask(() => store.remove(id, subject));
      // Once more: it may have been looked up while it was being removed.
      known.forget(id);
      if (isRevoked && signals.tokenEvent.hasSubscribers) note('revoked');
      return isRevoked;
    },

    async revokeAll(subject) {
      known.forgetSubject(subject);
      const ids = await guarded.ask(() => store.removeAll(subject));
      known.forgetSubject(subject);
      if (ids.length > 0 && signals.tokenEvent.hasSubscribers) note('revoked');
      return ids;
    },

    forget: (id) => known.forget(id),
    forgetSubject: (subject) => known.forgetSubject(subject),
  };
}

/** The hash of nothing: 43 characters. */
const NO_HASH = 'A'.repeat(43);

function refused(code: ApiKeyError['code']): ApiKeyError {
  if (signals.tokenEvent.hasSubscribers) note('refused', code);
  return new ApiKeyError(code);
}

function note(event: 'issued' | 'verified' | 'refused' | 'revoked', code?: string): void {
  signals.tokenEvent.publish({ event, kind: 'api_key', code });
}
