import { generateKeyPairSync } from 'node:crypto';
import { connectRedis, type RedisLink } from '@signalbox/redis';
import { signals, type FeatureState, type TokenEvent } from '@signalbox/signals';
import { Redis } from 'ioredis';
import { onTestFinished } from 'vitest';
import {
  keyRing,
  secretKeys,
  tokens,
  TokenError,
  type Algorithm,
  type KeyEntry,
  type Tokens,
  type TokensOptions,
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
  const heard: { tokens: TokenEvent[]; features: FeatureState[] } = { tokens: [], features: [] };
  const ends = [
    signals.tokenEvent.subscribe((event) => void heard.tokens.push(event)),
    signals.featureState.subscribe((state) => void heard.features.push(state)),
  ];
  onTestFinished(() => ends.forEach((end) => end()));
  return heard;
}

/** A client as an app has one, with ioredis' own defaults. */
export async function redisClient(port: number): Promise<Redis> {
  const client = new Redis({ port, host: '127.0.0.1' });
  client.on('error', () => undefined);
  onTestFinished(() => client.disconnect());
  await client.ping();
  return client;
}

/** A link whose deadline is not what a test is about, so that a busy machine does not fail it. */
export async function patientLink(port: number): Promise<RedisLink> {
  const link = connectRedis(`redis://127.0.0.1:${port}`, { deadlineMs: 5_000 });
  await eventually(() => link.state === 'up');
  return link;
}

/** Looks until `probe` returns true, and fails after `timeoutMs`. */
export async function eventually(probe: () => boolean | Promise<boolean>, timeoutMs = 5_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await probe())) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${probe.toString()}`);
    await pause(5);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
