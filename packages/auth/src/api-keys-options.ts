import {
  refuseUnknownOptions,
  requireFunction,
  requireInteger,
  requireMilliseconds,
  requireObject,
  requireOneOf,
  wrongOption,
  type Secrets,
} from '@signalbox/options';
import type { KeyStore } from './key-store.js';
import { keyedHash, type KeyedHash } from './keyed-hash.js';
import type { StoreDownPolicy } from './tokens-interface.js';
import { ROLE, SCOPE } from './words.js';

/** Options of {@link apiKeys}. */
export interface ApiKeysOptions<Scope extends string = string, Role extends string = string> {
  store: KeyStore;
  /**
   * What keys begin with, so that people and scanners know whose they are: 2 to 16 letters and digits.
   * @default 'sbx'
   */
  prefix?: string | undefined;
  /**
   * Keys the hashes: who can write to the store and does not know it cannot make keys. One secret or several, newest
   * first, of at least 32 bytes. A key of an older one is good as long as that is among them, and when it is used it is
   * hashed anew by the newest: the older one may go when all keys have been used since. Without, hashes are plain
   * SHA-256.
   */
  secrets?: Secrets | undefined;
  /** The scopes that keys may have. By default any. */
  scopes?: readonly Scope[] | undefined;
  /** The roles that keys may have. By default any. */
  roles?: readonly Role[] | undefined;
  /**
   * How many keys a subject may have, not counting those that have expired.
   * @default 20
   */
  maxPerSubject?: number | undefined;
  /**
   * For how long a key is not looked up again, in milliseconds: so long a key may live on in another process that
   * is not told to `forget` it. 0 asks the store each time.
   * @default 10_000
   */
  cacheMs?: number | undefined;
  /**
   * How many keys are remembered.
   * @default 10_000
   */
  cacheSize?: number | undefined;
  /**
   * How often at most each process writes the time of the last use, in milliseconds.
   * @default 60_000
   */
  touchEveryMs?: number | undefined;
  /**
   * What happens to a key while the store does not answer: 503, or as it was when last seen, within `staleMs`; a key
   * that was not seen is 503 either way.
   * @default 'closed'
   */
  onStoreDown?: StoreDownPolicy | undefined;
  /**
   * @default 3_600_000
   */
  staleMs?: number | undefined;
  /**
   * How long the store may take, in milliseconds.
   * @default 1_000
   */
  timeoutMs?: number | undefined;
  /**
   * The clock, in milliseconds since 1970.
   * @default Date.now
   */
  now?: (() => number) | undefined;
}

export interface ResolvedApiKeys {
  readonly store: KeyStore;
  readonly prefix: string;
  readonly hash: KeyedHash;
  readonly scopes: readonly string[] | undefined;
  readonly roles: readonly string[] | undefined;
  readonly maxPerSubject: number;
  readonly cacheMs: number;
  readonly cacheSize: number;
  readonly touchEveryMs: number;
  readonly onStoreDown: StoreDownPolicy;
  readonly staleMs: number;
  readonly timeoutMs: number;
  readonly now: () => number;
}

const NAMES: readonly (keyof ApiKeysOptions)[] = [
  'store',
  'prefix',
  'secrets',
  'scopes',
  'roles',
  'maxPerSubject',
  'cacheMs',
  'cacheSize',
  'touchEveryMs',
  'onStoreDown',
  'staleMs',
  'timeoutMs',
  'now',
];

const STORE_METHODS: readonly (keyof KeyStore)[] = [
  'add',
  'find',
  'list',
  'remove',
  'removeAll',
  'rehash',
  'touch',
];

/** Fills in the defaults, or throws a `TypeError` naming the bad option. */
export function resolveApiKeysOptions(options: ApiKeysOptions): ResolvedApiKeys {
  requireObject('apiKeys', 'options', options);
  refuseUnknownOptions('apiKeys', options, NAMES);
  const {
    store,
    prefix = 'sbx',
    secrets,
    scopes,
    roles,
    maxPerSubject = 20,
    cacheMs = 10_000,
    cacheSize = 10_000,
    touchEveryMs = 60_000,
    onStoreDown = 'closed',
    staleMs = 3_600_000,
    timeoutMs = 1_000,
    now = Date.now,
  } = options;

  requireObject('apiKeys', 'store', store);
  for (const method of STORE_METHODS) requireFunction('apiKeys', `store.${method}`, store[method]);
  if (typeof prefix !== 'string' || !/^[A-Za-z][A-Za-z0-9]{1,15}$/.test(prefix)) {
    throw wrongOption('apiKeys', 'prefix', '2 to 16 letters and digits, a letter first', prefix);
  }
  requireWords('scopes', scopes, SCOPE);
  requireWords('roles', roles, ROLE);
  requireInteger('apiKeys', 'maxPerSubject', maxPerSubject, 1);
  requireMilliseconds('apiKeys', 'cacheMs', cacheMs, 0);
  requireInteger('apiKeys', 'cacheSize', cacheSize, 1);
  requireMilliseconds('apiKeys', 'touchEveryMs', touchEveryMs, 0);
  requireOneOf('apiKeys', 'onStoreDown', onStoreDown, ['closed', 'open']);
  requireMilliseconds('apiKeys', 'staleMs', staleMs, 0);
  requireMilliseconds('apiKeys', 'timeoutMs', timeoutMs);
  requireFunction('apiKeys', 'now', now);

  return {
    store,
    prefix,
    hash: keyedHash('apiKeys', secrets, 'api-key'),
    scopes,
    roles,
    maxPerSubject,
    cacheMs,
    cacheSize,
    touchEveryMs,
    onStoreDown,
    staleMs,
    timeoutMs,
    now,
  };
}

function requireWords(option: string, value: unknown, shape: RegExp): void {
  if (value === undefined) return;
  if (Array.isArray(value) && value.every((word) => typeof word === 'string' && shape.test(word))) return;
  throw wrongOption(
    'apiKeys',
    option,
    shape === SCOPE ? 'a list of words without spaces and quotes' : 'a list of words',
    value,
  );
}
