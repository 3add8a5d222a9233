import {
  parsedUrl,
  refuseUnknownOptions,
  requireInteger,
  requireMilliseconds,
  requireObject,
  requireOneOf,
  wrongOption,
} from '@signalbox/options';
import { watchOutage } from '@signalbox/redis';
import type { Algorithm } from './algorithms.js';
import { fetchJson, isTrustworthy } from './bounded-fetch.js';
import { TokenKeysUnavailableError } from './errors.js';
import type { KeySource, VerificationKey } from './keys.js';
import { readJwks } from './read-jwks.js';

export interface RemoteJwksOptions {
  /** Where the keys are: https, or http on this machine. */
  url: string | URL;
  /**
   * How long keys are used without asking again, in milliseconds.
   * @default 600_000
   */
  maxAgeMs?: number | undefined;
  /**
   * How long they are used when they cannot be had anew, in milliseconds.
   * @default 86_400_000
   */
  staleMs?: number | undefined;
  /**
   * How long an unknown key is not asked for after the last time that keys were, in milliseconds.
   * @default 30_000
   */
  cooldownMs?: number | undefined;
  /**
   * How long to wait after a failure, in milliseconds.
   * @default 1_000
   */
  retryMs?: number | undefined;
  /** @default 3_000 */
  timeoutMs?: number | undefined;
  /** @default 262_144 */
  maxBytes?: number | undefined;
  /**
   * The algorithm of RSA keys that do not say theirs.
   * @default 'RS256'
   */
  rsaAlgorithm?: 'RS256' | 'RS384' | 'RS512' | 'PS256' | 'PS384' | 'PS512' | undefined;
  /**
   * The clock, in milliseconds.
   * @default performance.now
   */
  now?: (() => number) | undefined;
}

/** The keys of another issuer. */
export interface RemoteJwks extends KeySource {
  /** Fetches the keys, as at the start of a process: else the first token waits for them. */
  load(): Promise<void>;
  /** Gives up what is under way, and fetches no more. */
  close(): void;
}

const OWNER = 'remoteJwks';
const OPTIONS: readonly (keyof RemoteJwksOptions)[] = [
  'url',
  'maxAgeMs',
  'staleMs',
  'cooldownMs',
  'retryMs',
  'timeoutMs',
  'maxBytes',
  'rsaAlgorithm',
  'now',
];

/**
 * Verifies with the keys that another issuer publishes (RFC 7517).
 *
 * They are fetched when the first token comes, once for all that wait, and again in the background when they are old. A
 * token that names a key that is not there has them fetched at most once in `cooldownMs`: anybody can make up names.
 *
 * @throws {TypeError} when an option is wrong
 *
 * @example
 * const keys = remoteJwks({ url: 'https://login.example/.well-known/jwks.json' });
 * const external = tokens({ keys, issuer: 'https://login.example', audience: 'api', types: ['at+jwt', 'JWT'] });
 */
export function remoteJwks(options: RemoteJwksOptions): RemoteJwks {
  const { url, maxAgeMs, staleMs, cooldownMs, retryMs, timeoutMs, maxBytes, rsaAlgorithm, now } =
    resolveOptions(options);
  const closing = new AbortController();
  let keys: ReadonlyMap<string, VerificationKey> = new Map();
  let version = 0;
  let fetchedAt = -Infinity;
  let triedAt = -Infinity;
  let failure: unknown;
  let underWay: Promise<void> | undefined;

  const outage = watchOutage({
    feature: `token-keys:${url.host}`,
    begins: 'The keys cannot be fetched',
    ends: 'The keys were fetched',
  });

  const isUsable = (): boolean => now() - fetchedAt < maxAgeMs + staleMs;

  async function fetchKeys(): Promise<void> {
    try {
      const fresh = readJwks(await fetchJson(url, timeoutMs, maxBytes, closing.signal), rsaAlgorithm);
      keys = fresh;
      // What a key signed that is gone, or another by now, is not remembered.
      version += 1;
      fetchedAt = now();
      failure = undefined;
      outage.works();
    } catch (error) {
      outage.failed(reasonOf(error), isUsable() ? 'stale' : 'unavailable');
      failure = error ?? new Error('unknown');
      throw new TokenKeysUnavailableError(error);
    } finally {
      triedAt = now();
      underWay = undefined;
    }
  }

  /** One for all that want them. */
  function load(): Promise<void> {
    if (closing.signal.aborted) return Promise.reject(new TokenKeysUnavailableError(new Error('closed')));
    return (underWay ??= fetchKeys());
  }

  function refreshIfOld(): void {
    const at = now();
    if (at - fetchedAt < maxAgeMs || at - triedAt < retryMs || closing.signal.aborted) return;
    load().catch(ignore);
  }

  return {
    // Asked with each token, also with those whose key is remembered.
    get version() {
      refreshIfOld();
      return isUsable() ? version : TOO_OLD;
    },
    find(kid, alg) {
      refreshIfOld();
      if (!isUsable()) return undefined;
      const key = kid === undefined ? onlyOf(keys, alg) : keys.get(kid);
      return key?.alg === alg ? key : undefined;
    },
    signingKey: () => undefined,
    learn() {
      if (underWay !== undefined) return underWay;
      const sinceMs = now() - triedAt;
      if (failure !== undefined && sinceMs < retryMs)
        return Promise.reject(new TokenKeysUnavailableError(failure));
      if (failure === undefined && sinceMs < cooldownMs) return undefined;
      return load();
    },
    jwks: () => EMPTY,
    load,
    close() {
      outage.close();
      closing.abort();
    },
  };
}

/** Instead of a version: no key is believed any more. */
const TOO_OLD = -1;

const EMPTY = Object.freeze({ keys: Object.freeze([]) });

function onlyOf(keys: ReadonlyMap<string, VerificationKey>, alg: string): VerificationKey | undefined {
  const fitting = [...keys.values()].filter((key) => key.alg === alg);
  return fitting.length === 1 ? fitting[0] : undefined;
}

function resolveOptions(options: RemoteJwksOptions): Required<{
  [Option in keyof RemoteJwksOptions]: Exclude<RemoteJwksOptions[Option], undefined>;
}> & { url: URL; rsaAlgorithm: Algorithm } {
  requireObject(OWNER, 'options', options);
  refuseUnknownOptions(OWNER, options, OPTIONS);
  const { maxAgeMs = 600_000, staleMs = 86_400_000, cooldownMs = 30_000, retryMs = 1_000 } = options;
  const { timeoutMs = 3_000, maxBytes = 262_144, rsaAlgorithm = 'RS256' } = options;
  const { now = () => performance.now() } = options;
  requireMilliseconds(OWNER, 'maxAgeMs', maxAgeMs);
  requireMilliseconds(OWNER, 'staleMs', staleMs, 0);
  requireMilliseconds(OWNER, 'cooldownMs', cooldownMs, 0);
  requireMilliseconds(OWNER, 'retryMs', retryMs, 0);
  requireMilliseconds(OWNER, 'timeoutMs', timeoutMs);
  requireInteger(OWNER, 'maxBytes', maxBytes, 1_024, 16_777_216);
  requireOneOf(OWNER, 'rsaAlgorithm', rsaAlgorithm, ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']);
  const url = urlOf(options.url);
  return { url, maxAgeMs, staleMs, cooldownMs, retryMs, timeoutMs, maxBytes, rsaAlgorithm, now };
}

function urlOf(given: unknown): URL {
  const text = given instanceof URL ? given.href : given;
  const url = typeof text === 'string' ? parsedUrl(text) : undefined;
  if (url !== undefined && isTrustworthy(url) && url.username === '' && url.password === '') return url;
  throw wrongOption(OWNER, 'url', 'an https URL, or an http one on this machine', text);
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // `fetch` has the reason in the cause.
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}

function ignore(): void {
  // It was reported, and those that are here are used as long as they may be.
}
