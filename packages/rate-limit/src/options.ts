import {
  requireBoolean,
  requireInteger,
  requireOneOf,
  requireSecret,
  requireStore,
  type Secret,
} from '@signalbox/options';
import { memoryStore } from './memory-store.js';
import type { GateOptions } from './gate.js';
import type { RateLimitStore } from './store.js';

/** What happens to requests while the store does not answer. */
export type StoreDownPolicy = 'local' | 'open' | 'closed';

/** As `signals.featureState` calls it. */
export const FEATURE = 'rate-limit';

/** What `rateLimit()` and `zones()` have in common. */
export interface CommonOptions extends GateOptions {
  /**
   * Where the counts live: `memoryStore()`, or `redisStore()` to share them among processes.
   * @default memoryStore()
   */
  store?: RateLimitStore | undefined;
  /**
   * How many processes share the limits. While the store is down, each counts alone against its share.
   * @default 1
   */
  instances?: number | undefined;
  /**
   * What happens while the store is down: count in this process (`local`), let everybody pass (`open`), or refuse
   * with 503 `rate_limit_unavailable` (`closed`).
   * @default 'local'
   */
  onStoreDown?: StoreDownPolicy | undefined;
  /**
   * Over the limit, requests are counted as refused and let through: to see what a limit would do.
   * @default false
   */
  shadow?: boolean | undefined;
  /**
   * Whether responses carry `RateLimit` and `RateLimit-Policy`.
   * @default true
   */
  headers?: boolean | undefined;
  /**
   * Whether responses carry `X-RateLimit-Limit`, `-Remaining` and `-Reset`.
   * @default false
   */
  legacyHeaders?: boolean | undefined;
  /**
   * Makes the names of callers in keys unreadable: they are hashed with it. At least 32 bytes; the same for all
   * processes that share counts. Without it they are hashed, too, but addresses can be found by trying them all.
   */
  secret?: Secret | undefined;
}

/** What a limit counts: every request, or those that were not answered with a success. */
export type CountMode = 'all' | 'failures';

const STORE_METHODS: readonly (keyof RateLimitStore)[] = ['take', 'refund', 'reset'];

export const STORE_DOWN_POLICIES: readonly StoreDownPolicy[] = ['local', 'open', 'closed'];
export const COUNT_MODES: readonly CountMode[] = ['all', 'failures'];

export const COMMON_NAMES: readonly (keyof CommonOptions)[] = [
  'store',
  'instances',
  'onStoreDown',
  'shadow',
  'headers',
  'legacyHeaders',
  'secret',
  'allow',
  'deny',
  'skip',
];

export interface ResolvedCommonOptions {
  readonly store: RateLimitStore;
  readonly instances: number;
  readonly onStoreDown: StoreDownPolicy;
  readonly shadow: boolean;
  readonly headers: boolean;
  readonly legacyHeaders: boolean;
  readonly secret: Secret | undefined;
}

/**
 * Fills in the defaults.
 *
 * @throws {TypeError} naming the bad option
 */
export function resolveCommon(owner: string, options: CommonOptions): ResolvedCommonOptions {
  const {
    store = memoryStore(),
    instances = 1,
    onStoreDown = 'local',
    shadow = false,
    headers = true,
    legacyHeaders = false,
    secret,
  } = options;

  requireStore(owner, store, STORE_METHODS, ['memoryStore', 'redisStore']);
  requireInteger(owner, 'instances', instances, 1);
  requireOneOf(owner, 'onStoreDown', onStoreDown, STORE_DOWN_POLICIES);
  requireBoolean(owner, 'shadow', shadow);
  requireBoolean(owner, 'headers', headers);
  requireBoolean(owner, 'legacyHeaders', legacyHeaders);
  if (secret !== undefined) requireSecret(owner, 'secret', secret);
  return { store, instances, onStoreDown, shadow, headers, legacyHeaders, secret };
}
