import { createServer, type RequestListener } from 'node:http';
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { listen, testClock } from '@signalbox/testing';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.js';
import {
  keyRing,
  remoteJwks,
  TokenKeysUnavailableError,
  type KeyEntry,
  type KeyRing,
  type RemoteJwksOptions,
  type Tokens,
} from '../src/index.js';
import { hearing, keyOfEach, refusalOf, SECRET, tokensWith } from './token-support.js';

/** Stands in for an identity provider. */
interface Provider {
  url: string;
  requests: () => number;
  ring: KeyRing;
  /** Answers with the ring's keys unless told otherwise. */
  answer: RequestListener | undefined;
  issue(subject: string): Promise<string>;
}

async function startProvider(keys: readonly KeyEntry[] = [keyOfEach.get('RS256') ?? {}]): Promise<Provider> {
  let requests = 0;
  const ring = keyRing(keys);
  const issuer = tokensWith({ keys: ring });
  const server = createServer((req, res) => {
    requests += 1;
    if (provider.answer !== undefined) return provider.answer(req, res);
    res.end(JSON.stringify(ring.jwks()));
  });
  const provider: Provider = {
    url: `${await listen(server)}/jwks`,
    requests: () => requests,
    ring,
    answer: undefined,
    issue: async (subject) => (await issuer.issue(subject)).accessToken,
  };
  return provider;
}

const failing: RequestListener = (_req, res) => {
  res.statusCode = 500;
  res.end();
};

function verifierOf(provider: Provider, options: Partial<RemoteJwksOptions> = {}): Tokens {
  return tokensWith({ keys: remoteJwks({ url: provider.url, ...options }), cacheSize: 0 });
}

describe('remoteJwks', () => {
  it('verifies the tokens of another issuer, and fetches its keys once for all that wait', async () => {
    const provider = await startProvider();
    const auth = verifierOf(provider);
    const token = await provider.issue('u_1');
    const verified = await Promise.all(Array.from({ length: 20 }, () => auth.verify(token)));
    expect(new Set(verified.map(({ subject }) => subject))).toEqual(new Set(['u_1']));
    expect(auth.check(token).subject).toBe('u_1');
    expect(provider.requests()).toBe(1);
    expect(auth.jwks()).toEqual({ keys: [] });
    await expect(auth.issue('u_1')).rejects.toThrow('issue: "keys" must have an active key to sign with');
  });

  it('can fetch them before the first token comes', async () => {
    const provider = await startProvider(
      [...keyOfEach.values()].filter(({ secret }) => secret === undefined),
    );
    const keys = remoteJwks({ url: provider.url });
    await keys.load();
    const auth = tokensWith({ keys });
    expect(auth.check(await provider.issue('u_1')).subject).toBe('u_1');
    for (const alg of ['RS256', 'PS384', 'ES512', 'EdDSA']) {
      const kid = provider.ring.jwks().keys.find((key) => key.alg === alg)?.kid;
      expect(keys.find(kid, alg)?.kid).toBe(kid);
    }
  });

  it('finds a key that is new, and asks for names that nobody has at most once in a while', async () => {
    const clock = testClock();
    const provider = await startProvider();
    const auth = verifierOf(provider, { now: clock.now });
    await auth.verify(await provider.issue('u_1'));
    const stranger = await startProvider([{ ...keyOfEach.get('RS256'), kid: 'made-up' }]);

    clock.advance(30_000);
    for (let times = 0; times < 20; times++) {
      const error = await refusalOf(async () => auth.verify(await stranger.issue('u_1')));
      expect(error).toMatchObject({ status: 401, code: 'invalid_token', problem: 'unknown_key' });
    }
    expect(provider.requests()).toBe(2);

    provider.ring.replace([
      { ...keyOfEach.get('ES256'), kid: 'new' },
      { ...keyOfEach.get('RS256'), state: 'retired' },
    ]);
    const fresh = await provider.issue('u_2');
    expect((await refusalOf(() => auth.verify(fresh))).problem).toBe('unknown_key');
    clock.advance(30_000);
    expect((await auth.verify(fresh)).subject).toBe('u_2');
    expect(provider.requests()).toBe(3);
  });

  it('asks anew in the background when its keys are old, and drops those that are gone', async () => {
    const clock = testClock();
    const provider = await startProvider();
    const keys = remoteJwks({ url: provider.url, now: clock.now, maxAgeMs: 60_000 });
    const auth = tokensWith({ keys });
    const token = await provider.issue('u_1');
    await auth.verify(token);
    provider.ring.replace([{ ...keyOfEach.get('RS256'), kid: 'another' }]);
    clock.advance(59_999);
    expect(auth.check(token).subject).toBe('u_1');
    expect(provider.requests()).toBe(1);
    clock.advance(1);
    expect(keys.find('RS256', 'RS256')?.kid).toBe('RS256');
    await eventually(() => keys.find('RS256', 'RS256') === undefined);
    expect((await refusalOf(() => auth.check(token))).problem).toBe('unknown_key');
  });

  it('goes on with the keys it has when no others are to be had, for a while', async () => {
    const { features } = hearing();
    const clock = testClock();
    const provider = await startProvider();
    const auth = verifierOf(provider, { now: clock.now, maxAgeMs: 60_000, staleMs: 600_000, retryMs: 5_000 });
    const token = await provider.issue('u_1');
    await auth.verify(token);
    provider.answer = failing;
    clock.advance(60_000);
    expect((await auth.verify(token)).subject).toBe('u_1');
    await eventually(() => features.length === 1);
    expect(features[0]).toMatchObject({ degraded: true, policy: 'stale' });
    expect(features[0]?.reason).toContain('answered 500');

    clock.advance(600_000);
    await expect(auth.verify(token)).rejects.toMatchObject({ status: 503, code: 'token_keys_unavailable' });
    await expect(auth.verify(token)).rejects.toBeInstanceOf(TokenKeysUnavailableError);
    provider.answer = undefined;
    clock.advance(5_000);
    expect((await auth.verify(token)).subject).toBe('u_1');
    expect(features.at(-1)).toMatchObject({ degraded: false });
  });

  const answers: [string, RequestListener][] = [
    ['an error', failing],
    ['nothing', (_req, res) => void res.end()],
    ['no JSON', (_req, res) => void res.end('<html>')],
    ['no keys', (_req, res) => void res.end('{"keys":5}')],
    ['a list', (_req, res) => void res.end('[]')],
    ['too much', (_req, res) => void res.end(`{"keys":[${'0,'.repeat(200_000)}0]}`)],
    [
      'too much, without end',
      (_req, res) => {
        const more = (): void => {
          if (!res.destroyed && res.write(' '.repeat(65_536))) setImmediate(more);
          else res.once('drain', more);
        };
        more();
      },
    ],
    [
      'a way elsewhere',
      (_req, res) => {
        res.writeHead(302, { Location: '/jwks' });
        res.end();
      },
    ],
    ['silence', () => undefined],
    ['a connection that breaks', (req) => void req.socket.destroy()],
  ];

  it.each(answers)(
    'is unavailable, and does not hang, where the issuer answers with %s',
    async (_what, answer) => {
      const provider = await startProvider();
      provider.answer = answer;
      const auth = verifierOf(provider, { timeoutMs: 300 });
      const token = await provider.issue('u_1');
      await expect(auth.verify(token)).rejects.toMatchObject({ status: 503, code: 'token_keys_unavailable' });
      // Not at once again.
      const asked = provider.requests();
      await expect(auth.verify(token)).rejects.toMatchObject({ status: 503 });
      expect(provider.requests()).toBe(asked);
    },
  );

  it('passes over keys that are not for this', async () => {
    const jwkOf = (key: unknown): object => createPublicKey(key as KeyObject).export({ format: 'jwk' });
    const rsa = jwkOf(keyOfEach.get('RS256')?.privateKey);
    const short = jwkOf(generateKeyPairSync('rsa', { modulusLength: 1_024 }).privateKey);
    const provider = await startProvider();
    provider.answer = (_req, res) => {
      const keys = [
        null,
        5,
        {},
        { kty: 'oct', kid: 'secret', alg: 'HS256', k: Buffer.from(SECRET).toString('base64url') },
        { ...rsa, kid: 'for encryption', use: 'enc' },
        { ...rsa, kid: 'to sign', key_ops: ['sign'] },
        { ...rsa, kid: 'misfit', alg: 'ES256' },
        { ...rsa, kid: 'none', alg: 'none' },
        { ...rsa, kid: 'broken', n: '!' },
        { ...short, kid: 'short' },
        { ...rsa, kid: ['list'] },
        { ...rsa, kid: '__proto__' },
        { ...rsa, kid: 'good' },
        { ...rsa, kid: 'good', alg: 'PS512' },
      ];
      res.end(JSON.stringify({ keys }));
    };
    const keys = remoteJwks({ url: provider.url });
    await keys.load();
    const names = [
      'secret',
      'for encryption',
      'to sign',
      'misfit',
      'none',
      'broken',
      'short',
      'list',
      'constructor',
    ];
    for (const name of names) {
      for (const alg of ['HS256', 'RS256', 'ES256', 'none']) expect(keys.find(name, alg)).toBeUndefined();
    }
    expect(keys.find('good', 'RS256')?.alg).toBe('RS256');
    expect(keys.find('__proto__', 'RS256')?.kid).toBe('__proto__');
  });

  it('accepts tokens of its issuer alone, and with the type that it gives them', async () => {
    const provider = await startProvider();
    const keys = remoteJwks({ url: provider.url });
    const token = await provider.issue('u_1');
    const strict = tokensWith({ keys, issuer: 'https://other.example' });
    expect((await refusalOf(() => strict.verify(token))).problem).toBe('issuer');
    const other = tokensWith({ keys, types: ['JWT', ''] });
    expect((await refusalOf(() => other.verify(token))).problem).toBe('type');
  });

  it('fetches no more once it is closed', async () => {
    const provider = await startProvider();
    provider.answer = () => undefined;
    const keys = remoteJwks({ url: provider.url });
    const loading = keys.load();
    keys.close();
    keys.close();
    await expect(loading).rejects.toBeInstanceOf(TokenKeysUnavailableError);
    await expect(keys.load()).rejects.toBeInstanceOf(TokenKeysUnavailableError);
  });

  it.each([
    [
      { url: 'http://login.example/jwks' },
      '"url" must be an https URL, or an http one on this machine, got "http://login.example/jwks"',
    ],
    [
      { url: 'http://127.0.0.1.example/' },
      '"url" must be an https URL, or an http one on this machine, got "http://127.0.0.1.example/"',
    ],
    [
      { url: 'file:///etc/passwd' },
      '"url" must be an https URL, or an http one on this machine, got "file:///etc/passwd"',
    ],
    [{ url: undefined }, '"url" must be an https URL, or an http one on this machine, got undefined'],
    [{ url: 'https://a.example', maxAgeMs: 0 }, '"maxAgeMs" must be an integer from 1 to 2147483647, got 0'],
    [{ url: 'https://a.example', maxBytes: 5 }, '"maxBytes" must be an integer from 1024 to 16777216, got 5'],
    [
      { url: 'https://a.example', rsaAlgorithm: 'ES256' },
      /"rsaAlgorithm" must be "RS256" or .* got "ES256"$/,
    ],
    [{ uri: 'https://a.example' }, /"uri" is not an option/],
  ])('refuses %o', (options, message) => {
    const words = typeof message === 'string' ? new TypeError(`remoteJwks: ${message}`) : message;
    expect(() => remoteJwks(options as never)).toThrow(words);
  });
});
