import { generateKeyPairSync } from 'node:crypto';
import { signals, type FeatureState, type TokenEvent } from '@signalbox/signals';
import { onTestFinished } from 'vitest';
import { heard, heardFeature } from '../../../test/support/heard.js';
import type { SharedRedis } from '../../../test/support/shared-redis.js';
import {
  keyRing,
  memoryTokenStore,
  redisTokenStore,
  secretKeys,
  tokens,
  TokenError,
  type Algorithm,
  type KeyEntry,
  type Tokens,
  type TokensOptions,
  type TokenStore,
} from '../src/index.js';

export const SECRET = 'a secret of the tests, long enough to be one';
export const ISSUER = 'https://app.example';
export const AUDIENCE = 'https://api.example';

/** Tokens with HS256 and a memory store, unless the options say otherwise. */
export function tokensWith(options: Partial<TokensOptions> = {}): Tokens {
  const made = tokens({ keys: keyRing(secretKeys(SECRET)), issuer: ISSUER, audience: AUDIENCE, ...options });
  onTestFinished(() => made.close());
  return made;
}

/** Each kind of store, for `describe.each`. */
export function storesOn(redis: SharedRedis): [string, () => TokenStore][] {
  return [
    ['memory', () => memoryTokenStore()],
    ['Redis', () => redisTokenStore(redis.link)],
  ];
}

/** One key of each algorithm; generated once, for it takes its time. */
export const keyOfEach: ReadonlyMap<Algorithm, KeyEntry> = (() => {
  const { privateKey: rsa } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const ec = (namedCurve: string): KeyEntry['privateKey'] =>
    generateKeyPairSync('ec', { namedCurve }).privateKey;
  const keys: [Algorithm, KeyEntry][] = [
    ['HS256', { kid: 'hs256', secret: 'a'.repeat(32) }],
    ['HS384', { kid: 'hs384', secret: 'b'.repeat(48) }],
    ['HS512', { kid: 'hs512', secret: 'c'.repeat(64) }],
    ['ES256', { privateKey: ec('P-256') }],
    ['ES384', { privateKey: ec('P-384') }],
    ['ES512', { privateKey: ec('P-521') }],
    ['EdDSA', { privateKey: generateKeyPairSync('ed25519').privateKey }],
  ];
  for (const alg of ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const) {
    keys.push([alg, { kid: alg, privateKey: rsa }]);
  }
  return new Map(keys.map(([alg, key]) => [alg, { ...key, alg }]));
})();

/** What a call throws or rejects with; fails if it does neither. */
export async function refusalOf(call: () => unknown): Promise<TokenError> {
  let answer: unknown;
  try {
    answer = await call();
  } catch (error) {
    if (error instanceof TokenError) return error;
    throw error;
  }
  throw new Error(`it was not refused: ${JSON.stringify(answer)}`);
}

/** The header, payload and signature of a token. */
export function partsOf(token: string): {
  header: Record<string, unknown>;
  payload: Record<string, unknown>;
} {
  const [header = '', payload = ''] = token.split('.');
  return { header: decode(header), payload: decode(payload) };
}

export function encode(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
}

function decode(part: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>;
}

/** What is published until the test ends. */
export function hearing(): { tokens: TokenEvent[]; features: FeatureState[] } {
  return { tokens: heard(signals.tokenEvent), features: heardFeature('token') };
}
