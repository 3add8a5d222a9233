import { describe, expect, it } from 'vitest';
import {
  originList,
  parsedUrl,
  refuseUnknownOptions,
  requireBoolean,
  requireFunction,
  requireInteger,
  requireMilliseconds,
  requireNumber,
  requireObject,
  requireOneOf,
  requireSecret,
  requireSecrets,
  requireStore,
  requireText,
  requireToken,
  requireTokens,
  suggestion,
  wrongSecret,
} from '../src/index.js';

describe('a wrong option', () => {
  it.each<[check: () => void, words: string]>([
    [
      () => requireInteger('serve', 'port', 1.5, 0, 65_535),
      'serve: "port" must be an integer from 0 to 65535, got 1.5',
    ],
    [
      () => requireInteger('zones', 'limit', Number.NaN, 1),
      'zones: "limit" must be an integer of at least 1, got NaN',
    ],
    [() => requireInteger('zones', 'limit', 2 ** 53, 1), 'of at least 1, got 9007199254740992'],
    [
      () => requireMilliseconds('check', 'timeoutMs', 2 ** 31),
      'an integer from 1 to 2147483647, got 2147483648',
    ],
    [
      () => requireNumber('a', 'share', '0.5', { above: 0, max: 1 }),
      'a number above 0 and at most 1, got "0.5"',
    ],
    [() => requireNumber('a', 'share', 1, { min: 0, below: 1 }), 'a number of at least 0 and below 1, got 1'],
    [() => requireNumber('a', 'share', Number.NaN), 'a: "share" must be a number, got NaN'],
    [
      () => requireNumber('a', 'bytes', Infinity, { above: 0, finite: true }),
      'a finite number above 0, got Infinity',
    ],
    [() => requireBoolean('a', 'on', 'yes'), 'a: "on" must be true or false, got "yes"'],
    [() => requireFunction('a', 'key', null), 'a: "key" must be a function, got null'],
    [() => requireText('a', 'name', ' '), 'a: "name" must be a non-empty string, got " "'],
    [() => requireText('a', 'name', 7), 'a: "name" must be a non-empty string, got 7'],
    [
      () => requireOneOf('a', 'mode', () => 1, ['on', 'off']),
      'a: "mode" must be "on" or "off", got a function',
    ],
    [() => requireObject('a', 'zones', []), 'a: "zones" must be an object, got an array'],
    [() => requireOneOf('a', 'mode', { toString: 1 }, [1, 2]), 'a: "mode" must be 1 or 2, got an object'],
    [() => requireToken('a', 'name', 'x y', 'a name'), 'a: "name" must be a name, got "x y"'],
    [() => requireToken('a', 'name', '', 'a name'), 'got ""'],
    [() => requireToken('a', 'name', undefined, 'a name'), 'got undefined'],
    [() => requireTokens('a', 'methods', 'GET', 'methods'), 'must be a list of methods, got "GET"'],
    [() => requireTokens('a', 'methods', ['GET', 'ä'], 'methods'), 'must be a list of methods, got "ä"'],
    [() => requireBoolean('a', 'on', 'x'.repeat(81)), `got "${'x'.repeat(80)}"…`],
  ])('is named with its function, what is wanted and what came: case %#', (check, words) => {
    expect(check).toThrow(TypeError);
    expect(check).toThrow(words);
  });

  it('passes where it fits', () => {
    requireInteger('a', 'b', 0, 0, 0);
    requireMilliseconds('a', 'b', 0, 0);
    requireNumber('a', 'b', Infinity, { min: 0 });
    requireBoolean('a', 'b', false);
    requireFunction('a', 'b', requireText);
    requireText('a', 'b', '0');
    requireOneOf('a', 'b', 2, [1, 2]);
    requireObject('a', 'b', {});
    requireToken('a', 'b', 'X-API-Key', 'the name of a header field');
    requireTokens('a', 'b', ['PURGE', "!#$%&'*+.^_`|~0"], 'methods');
    requireTokens('a', 'b', [], 'methods');
  });

  it.each([
    ['https://user:hunter2@example.org/a', 'https://***@example.org/a'],
    ['redis://:p@ss/word@h', 'redis://***@h'],
    [`https://${'x'.repeat(100)}@h`, 'https://***@h'],
    ['https://example.org/@user', 'https://***@user'],
    ['me@example.org', 'me@example.org'],
    ['@//', '@//'],
  ])('that is a URL is shown without user and password: %s', (url, shown) => {
    expect(() => requireInteger('a', 'b', url, 1)).toThrow(
      new TypeError(`a: "b" must be an integer of at least 1, got ${JSON.stringify(shown)}`),
    );
  });

  it('that may be a secret is not shown', () => {
    expect(wrongSecret('csrf', 'secrets', '32 bytes', 'hunter2').message).toBe(
      'csrf: "secrets" must be 32 bytes, got text of 7 characters',
    );
    expect(wrongSecret('csrf', 'secrets', '32 bytes', '').message).toContain('got ""');
  });
});

describe('secrets', () => {
  const [newer, older] = ['a newer secret of at least 32 bytes', Buffer.alloc(32, 'older')];

  it('are a list, newest first, be they one or several, text or bytes', () => {
    expect(requireSecrets('csrf', 'secrets', newer)).toEqual([newer]);
    expect(requireSecrets('csrf', 'secrets', [newer, older])).toEqual([newer, older]);
    expect(requireSecrets('csrf', 'secrets', 'ä'.repeat(16))).toHaveLength(1);
    requireSecret('csrf', 'secret', newer);
    requireSecret('csrf', 'secret', older);
  });

  it.each<[secrets: unknown, words: string]>([
    [[], 'one secret at least, got an array'],
    [undefined, 'of at least 32 bytes each, got undefined'],
    [null, 'of at least 32 bytes each, got null'],
    ['', 'of at least 32 bytes each, got ""'],
    ['hunter2', 'of at least 32 bytes each, got text of 7 characters'],
    [[newer, 'hunter2'], 'of at least 32 bytes each, got text of 7 characters'],
    [[newer, undefined], 'of at least 32 bytes each, got undefined'],
    [new Uint8Array(31), 'of at least 32 bytes each, got an object'],
    [2 ** 40, 'of at least 32 bytes each, got 1099511627776'],
  ])('are refused where there is none or one is short, and never shown: case %#', (secrets, words) => {
    expect(() => requireSecrets('csrf', 'secrets', secrets)).toThrow(
      new TypeError(`csrf: "secrets" must be ${words}`),
    );
  });

  it('of which there is one alone are no list', () => {
    expect(() => requireSecret('zones', 'secret', [newer])).toThrow(
      new TypeError('zones: "secret" must be of at least 32 bytes, got an array'),
    );
    expect(() => requireSecret('zones', 'secret', 'hunter2')).toThrow('got text of 7 characters');
  });
});

describe('a store', () => {
  const makers = ['memoryStore', 'redisStore'] as const;
  const check = (store: unknown) => (): void => requireStore('cache', store, ['read', 'write'], makers);

  it('is what has the methods', () => {
    class Store {
      read(): void {}
      write(): void {}
    }
    check(new Store())();
  });

  it.each([
    [undefined, 'got undefined'],
    [{ read() {}, write: true }, 'got an object'],
    [() => undefined, 'got a function'],
    ['redis://:hunter2@h', 'got "redis://***@h"'],
    [{ sendCommand() {} }, 'got an object: wrap the Redis client in redisStore()'],
  ])('is nothing else: case %#', (store, words) => {
    expect(check(store)).toThrow(
      new TypeError(`cache: "store" must be memoryStore() or redisStore(), ${words}`),
    );
  });
});

describe('origins', () => {
  it('are found as browsers send them, also below a wildcard', () => {
    const list = originList(
      ['https://App.example.com:443', 'https://*.example.org'],
      'cors: "origins"',
      true,
    );
    for (const origin of ['https://app.example.com', 'https://a.example.org', 'https://a.b.example.org']) {
      expect([origin, list.has(origin), list.has(origin)]).toEqual([origin, true, true]);
    }
    for (const origin of [
      'null',
      'http://app.example.com',
      'https://app.example.com.evil.example',
      'https://example.org',
      'https://evilexample.org',
      'https://evil.example#.example.org',
    ]) {
      expect([origin, list.has(origin)]).toEqual([origin, false]);
    }
  });

  it.each([
    [5, 'got 5'],
    ['*', '"*" is allowed only by itself'],
    ['https://*.com', 'would be everybody below ".com"'],
    ['http://app.example.com', 'is not https'],
    ['https://user:hunter2@example.com', 'an origin has no user or password'],
  ])('that nobody should allow are refused: %s', (entry, words) => {
    expect(() => originList([entry], 'cors: "origins"', true)).toThrow(TypeError);
    expect(() => originList([entry], 'cors: "origins"', true)).toThrow(words);
  });
});

describe('an option that does not exist', () => {
  it.each([
    ['prot', 'port'],
    ['Port', 'port'],
    ['timeout', 'timeoutMs'],
    ['TIMEOUT_MS', 'timeoutMs'],
    ['keepAliveTimeuotMs', 'keepAliveTimeoutMs'],
    ['ports', 'port'],
  ])('is refused: %s, where %s was meant', (name, meant) => {
    expect(() =>
      refuseUnknownOptions('serve', { [name]: 1 }, ['host', 'port', 'timeoutMs', 'keepAliveTimeoutMs']),
    ).toThrow(`serve: "${name}" is not an option; did you mean "${meant}"?`);
  });

  it('and is like no other is answered with the list', () => {
    expect(() => refuseUnknownOptions('serve', { colour: 'red' }, ['host', 'port'])).toThrow(
      'serve: "colour" is not an option; there are host, port',
    );
    expect(() => refuseUnknownOptions('serve', { past: 1 }, ['host', 'ports'])).toThrow('there are host');
  });

  it('is answered with the list, too, where a name is no string', () => {
    expect(suggestion(undefined, ['host', 'port'])).toBe('there are host, port');
  });

  it('is only what the object itself has', () => {
    refuseUnknownOptions('serve', Object.create({ prot: 1 }) as object, ['port']);
  });
});

describe('the URL that a text is', () => {
  it('is read, with letters of all languages, however often that is asked', () => {
    for (let times = 0; times < 20_000; times += 1) {
      expect(parsedUrl('https://bücher.example')?.hostname).toBe('xn--bcher-kva.example');
    }
    expect(parsedUrl('/path', 'https://a.example')?.href).toBe('https://a.example/path');
    for (const none of ['', 'a.example', 'https://', 'https://a b']) expect(parsedUrl(none)).toBeUndefined();
  });
});
