import {
  refuseUnknownOptions,
  requireFunction,
  requireInteger,
  requireMilliseconds,
  requireObject,
  requireOneOf,
  requireStore,
  wrongOption,
} from '@signalbox/options';
import { boundedTokenStore } from './bounded-token-store.js';
import type { KeySource } from './keys.js';
import { memoryTokenStore } from './memory-token-store.js';
import type { Claims } from './principal.js';
import type { RevocationBus } from './revocation-bus.js';
import { plainType, REFRESH_TYPE } from './token-header.js';
import type { TokenStore } from './token-store.js';
import type { StoreDownPolicy } from './tokens-interface.js';

export interface TokensOptions {
  /** `keyRing([…])` to issue and verify, or `remoteJwks({ url })` to verify the tokens of another issuer. */
  keys: KeySource;
  /** Who issues: `iss`. Several where tokens of each are accepted; the first one issues. */
  issuer: string | readonly string[];
  /** Whom tokens are for: `aud`. Several where each is accepted; tokens are issued for all. */
  audience: string | readonly string[];
  /**
   * How long access tokens are valid, in milliseconds.
   * @default 900_000
   */
  accessTtlMs?: number | undefined;
  /**
   * How long refresh tokens are, in milliseconds; each refresh begins it anew.
   * @default 2_592_000_000
   */
  refreshTtlMs?: number | undefined;
  /**
   * How long a refresh token that was used gets the same successor again, in milliseconds.
   * @default 10_000
   */
  graceMs?: number | undefined;
  /**
   * Where refresh tokens and revocations are kept.
   * @default memoryTokenStore()
   */
  store?: TokenStore | undefined;
  /**
   * How long a store of the app's own may take for an answer, in milliseconds: then it is one that does not answer.
   * `memoryTokenStore` answers at once, and `redisTokenStore` within the deadline of its link.
   * @default 5_000
   */
  storeTimeoutMs?: number | undefined;
  /**
   * What access tokens say besides, such as roles: asked when one is issued and at each refresh. What it throws refuses
   * either. `family` is the name of the sign-in, their `sid`.
   */
  claims?:
    | ((subject: string, claims: Claims, family: string) => Claims | undefined | Promise<Claims | undefined>)
    | undefined;
  /**
   * What is done with a token when the store does not say whether it is revoked.
   * @default 'closed'
   */
  onStoreDown?: StoreDownPolicy | undefined;
  /** Tells other processes of revocations, and hears of theirs. */
  bus?: RevocationBus | undefined;
  /**
   * How many verified tokens are remembered; 0 for none.
   * @default 10_000
   */
  cacheSize?: number | undefined;
  /**
   * How many characters a token may have.
   * @default 8_192
   */
  maxLength?: number | undefined;
  /**
   * How far the clocks of issuer and verifier may differ, in milliseconds.
   * @default 0
   */
  clockToleranceMs?: number | undefined;
  /**
   * The `typ` that access tokens may have (RFC 9068 section 2.1); the first one is issued. `''` stands for none.
   * @default ['at+jwt']
   */
  types?: readonly string[] | undefined;
  /**
   * The clock, in milliseconds since 1970.
   * @default Date.now
   */
  now?: (() => number) | undefined;
}

/** {@link TokensOptions}, checked, with the defaults. */
export type TokenSettings = Required<{
  [Option in keyof Omit<TokensOptions, 'issuer' | 'audience' | 'claims' | 'bus'>]: Exclude<
    TokensOptions[Option],
    undefined
  >;
}> & {
  issuers: readonly string[];
  audiences: readonly string[];
  claims: TokensOptions['claims'];
  bus: RevocationBus | undefined;
};

const STORE_METHODS: readonly (keyof TokenStore)[] = [
  'open',
  'rotate',
  'revoke',
  'revokeSubject',
  'isRevoked',
];

const OPTIONS: readonly (keyof TokensOptions)[] = [
  'keys',
  'issuer',
  'audience',
  'accessTtlMs',
  'refreshTtlMs',
  'graceMs',
  'store',
  'storeTimeoutMs',
  'claims',
  'onStoreDown',
  'bus',
  'cacheSize',
  'maxLength',
  'clockToleranceMs',
  'types',
  'now',
];

const OWNER = 'tokens';
const DAY_MS = 86_400_000;
/** No access token lives longer, whatever the options were when it was issued. */
export const MAX_ACCESS_TTL_MS: number = DAY_MS;

/**
 * Fills in the defaults.
 *
 * @throws {TypeError} naming the bad option
 */
export function resolveOptions(options: TokensOptions): TokenSettings {
  requireObject(OWNER, 'options', options);
  refuseUnknownOptions(OWNER, options, OPTIONS);
  const { accessTtlMs = 900_000, refreshTtlMs = 30 * DAY_MS, graceMs = 10_000 } = options;
  const { store = memoryTokenStore(), storeTimeoutMs = 5_000, claims, onStoreDown = 'closed', bus } = options;
  const { cacheSize = 10_000, maxLength = 8_192, clockToleranceMs = 0, now = Date.now } = options;
  const { keys, types = ['at+jwt'] } = options;

  requireHandle('keys', keys, 'find', 'keyRing() or remoteJwks()');
  requireStore(OWNER, store, STORE_METHODS, ['memoryTokenStore', 'redisTokenStore']);
  requireMilliseconds(OWNER, 'storeTimeoutMs', storeTimeoutMs);
  if (bus !== undefined) requireHandle('bus', bus, 'publish', 'a revocationBus()');
  requireInteger(OWNER, 'accessTtlMs', accessTtlMs, 1_000, MAX_ACCESS_TTL_MS);
  requireInteger(OWNER, 'refreshTtlMs', refreshTtlMs, accessTtlMs, 3_650 * DAY_MS);
  requireInteger(OWNER, 'graceMs', graceMs, 0, 600_000);
  requireOneOf(OWNER, 'onStoreDown', onStoreDown, ['closed', 'open']);
  requireInteger(OWNER, 'cacheSize', cacheSize, 0, 10_000_000);
  requireInteger(OWNER, 'maxLength', maxLength, 256, 65_536);
  requireInteger(OWNER, 'clockToleranceMs', clockToleranceMs, 0, 600_000);
  requireFunction(OWNER, 'now', now);
  if (claims !== undefined) requireFunction(OWNER, 'claims', claims);

  return {
    keys,
    issuers: namesOf('issuer', options.issuer),
    audiences: namesOf('audience', options.audience),
    accessTtlMs,
    refreshTtlMs,
    graceMs,
    store: boundedTokenStore(store, storeTimeoutMs),
    storeTimeoutMs,
    claims,
    onStoreDown,
    bus,
    cacheSize,
    maxLength,
    clockToleranceMs,
    types: typesOf(types),
    now,
  };
}

function namesOf(option: string, given: unknown): readonly string[] {
  const names: unknown[] = Array.isArray(given) ? given : [given];
  const isName = (name: unknown): name is string => typeof name === 'string' && name.trim() !== '';
  if (names.length > 0 && names.every(isName)) return Object.freeze([...names]);
  throw wrongOption(OWNER, option, 'a non-empty string, or a list of such', given);
}

function typesOf(given: unknown): readonly string[] {
  const types: unknown[] = Array.isArray(given)
    ? given.map((type) => typeof type === 'string' && plainType(type))
    : [];
  const isType = (type: unknown): type is string => typeof type === 'string' && type !== REFRESH_TYPE;
  if (types.length > 0 && types.every(isType)) return types;
  throw wrongOption(OWNER, 'types', `a list of types other than "${REFRESH_TYPE}"`, given);
}

function requireHandle(option: string, handle: unknown, method: string, wanted: string): void {
  if (typeof handle === 'object' && handle !== null && method in handle) return;
  throw wrongOption(OWNER, option, wanted, handle);
}
