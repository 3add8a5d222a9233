import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { listen } from '@signalbox/testing';
import type { Request } from 'express';
import { describe, expect, it } from 'vitest';
import { startProgram } from '../../../test/support/program.js';
import { sharedRedis } from '../../../test/support/shared-redis.js';
import {
  byAddress,
  byApiKey,
  byHeader,
  byPrincipal,
  byTenant,
  composite,
  redisStore,
  zones,
  type KeyFunction,
} from '../src/index.js';
import { networkOf } from '../src/address.js';
import { appWith, get, serving, statuses, type Answer } from './support.js';

const limited = (key: KeyFunction | readonly KeyFunction[]) =>
  zones({ zones: { api: { rate: '2/h', key } } }).zone('api');

describe('an address', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['::ffff:cb00:7107', '203.0.113.7'],
    ['203.0.113.7:4711', '203.0.113.7'],
    ['[2001:db8:1:2345::1]:443', '2001:db8:1:2300::/56'],
    ['2001:db8:1:2345::1', '2001:db8:1:2300::/56'],
    ['2001:DB8:1:23ff:ffff::', '2001:db8:1:2300::/56'],
    ['2001:db8:1:2400::1', '2001:db8:1:2400::/56'],
    ['fe80::1%eth0', 'fe80::/56'],
    ['64:ff9b::203.0.113.7', '64:ff9b::cb00:7107/128'],
    ['0064:FF9B:0:0:0:0:cb00:7108', '64:ff9b::cb00:7108/128'],
    ['64:ff9c::1', '64:ff9c::/56'],
    ['nonsense', 'none'],
    ['1.2.3.4.5', 'none'],
    ['1.2.3', 'none'],
    ['', 'none'],
    [undefined, 'none'],
    ['203.0.113.7, 10.0.0.1', 'none'],
    ['\0', 'none'],
  ])('%s is counted as %s', (address, network) => {
    expect(networkOf(address, 56)).toBe(network);
  });

  it('is that of the peer where no proxy is trusted, whatever a header says', async () => {
    const url = await serving(limited(byAddress()));
    const forged = (address: string): Promise<Answer> => get(url, { 'x-forwarded-for': address });
    expect([
      (await forged('198.51.100.1')).status,
      (await forged('198.51.100.2')).status,
      (await forged('198.51.100.3')).status,
      (await get(url)).status,
    ]).toEqual([200, 200, 429, 429]);
  });

  it('is what a trusted proxy saw, and no more than it saw', async () => {
    const app = appWith(limited(byAddress()));
    app.set('trust proxy', 'loopback');
    const url = await listen(app);
    const via = (forwarded: string) => () => get(url, { 'x-forwarded-for': forwarded });
    expect(await statuses(3, via('198.51.100.1'))).toEqual([200, 200, 429]);
    expect(await statuses(1, via('198.51.100.2'))).toEqual([200]);
    // What the caller itself wrote stands before what the proxy saw.
    expect(await statuses(1, via('203.0.113.99, 198.51.100.1'))).toEqual([429]);
    expect(await statuses(1, via('198.51.100.1:5555'))).toEqual([429]);
    expect(await statuses(1, via('::ffff:198.51.100.1'))).toEqual([429]);
    // Nobody's address is one caller, however it is spelt.
    expect(await statuses(1, via('garbage-1'))).toEqual([200]);
    expect(await statuses(1, via('garbage-2'))).toEqual([200]);
    expect(await statuses(1, via('garbage-3'))).toEqual([429]);
  });

  it('of IPv6 is a network of 56 bits, or of as many as are wanted', async () => {
    const serve = async (key: KeyFunction): Promise<string> => {
      const app = appWith(limited(key));
      app.set('trust proxy', 'loopback');
      return listen(app);
    };
    const from = (url: string, addresses: readonly string[]): Promise<number[]> =>
      Promise.all(addresses.map(async (address) => (await get(url, { 'x-forwarded-for': address })).status));

    const household = await serve(byAddress());
    expect(
      (await from(household, ['2001:db8::1', '2001:db8:0:1::1', '2001:db8:0:ff::9'])).toSorted(
        (a, b) => a - b,
      ),
    ).toEqual([200, 200, 429]);
    const subnet = await serve(byAddress({ ipv6Prefix: 64 }));
    expect(await from(subnet, ['2001:db8::1', '2001:db8:0:1::1', '2001:db8:0:ff::9'])).toEqual([
      200, 200, 200,
    ]);
  });

  it('is shared by all who come over a Unix socket without a trusted proxy', async () => {
    const app = appWith(limited(byAddress()));
    const server = createServer(app);
    const path = `/tmp/signalbox-rate-limit-${process.pid}.sock`;
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const { request } = await import('node:http');
    const ask = (): Promise<number> =>
      new Promise((resolve, reject) => {
        request({ socketPath: path, path: '/' }, (res) => {
          res.resume().on('end', () => resolve(res.statusCode ?? 0));
        })
          .on('error', reject)
          .end();
      });
    expect([await ask(), await ask(), await ask()]).toEqual([200, 200, 429]);
    await new Promise((resolve) => server.close(resolve));
  });
});

describe('a key', () => {
  it('is a header, an API key, a principal, a tenant, each with a count of its own', async () => {
    const principal: KeyFunction = byPrincipal();
    const signIn = (req: Request, _res: unknown, next: () => void): void => {
      const subject = req.get('x-subject');
      if (subject !== undefined) Object.assign(req, { auth: { subject } });
      next();
    };
    for (const [key, name] of [
      [byHeader('X-Device'), 'x-device'],
      [byApiKey(), 'x-api-key'],
      [principal, 'x-subject'],
      [byTenant((req) => req.get('x-tenant')), 'x-tenant'],
    ] as const) {
      const url = await serving(signIn as never, limited(key));
      const as = (who: string) => () => get(url, { [name]: who });
      expect(await statuses(3, as('one'))).toEqual([200, 200, 429]);
      expect(await statuses(1, as('two'))).toEqual([200]);
      // Nobody can use up an address' count by calling himself so.
      expect(await statuses(2, as('127.0.0.1'))).toEqual([200, 200]);
      expect(await statuses(1, () => get(url))).toEqual([200]);
    }
  });

  it('falls back to the address where there is none, or as it is told', async () => {
    const url = await serving(limited(byApiKey()));
    expect(await statuses(3, () => get(url))).toEqual([200, 200, 429]);
    const none = await serving(limited(byApiKey('x-api-key', { fallback: () => undefined })));
    expect(await statuses(3, () => get(none))).toEqual([200, 200, 200]);
  });

  it('may be made of several, which cannot be shifted into each other', async () => {
    const url = await serving(limited(composite(byHeader('x-a'), byHeader('x-b'))));
    const as = (a: string, b: string) => () => get(url, { 'x-a': a, 'x-b': b });
    expect(await statuses(3, as('1', '23'))).toEqual([200, 200, 429]);
    expect(await statuses(1, as('12', '3'))).toEqual([200]);
    const none = await serving(
      limited(
        composite(
          () => undefined,
          () => undefined,
        ),
      ),
    );
    expect(await statuses(3, () => get(none))).toEqual([200, 200, 200]);
  });

  it.each([
    [
      () => byAddress({ ipv6Prefix: 31 }),
      'byAddress: "ipv6Prefix" must be an integer from 32 to 128, got 31',
    ],
    [
      () => byAddress({ ipv6Prefix: 129 }),
      'byAddress: "ipv6Prefix" must be an integer from 32 to 128, got 129',
    ],
    [
      () => byAddress({ ipv6prefix: 64 } as never),
      'byAddress: "ipv6prefix" is not an option; did you mean "ipv6Prefix"?',
    ],
    [() => byHeader('x y'), 'byHeader: "name" must be the name of a header field, got "x y"'],
    [
      () => byHeader(undefined as never),
      'byHeader: "name" must be the name of a header field, got undefined',
    ],
    [() => byApiKey(''), 'byApiKey: "name" must be the name of a header field, got ""'],
    [() => byHeader('a', { fallback: 'b' as never }), 'byHeader: "fallback" must be a function, got "b"'],
    [() => byPrincipal({ fallback: 1 as never }), 'byPrincipal: "fallback" must be a function, got 1'],
    [() => byTenant('acme' as never), 'byTenant: "read" must be a function, got "acme"'],
    [() => composite(), 'composite: "keys" must be one key function or more, got none'],
    [() => composite(byAddress(), 'x' as never), 'composite: "keys[1]" must be a function, got "x"'],
  ])('refuses bad options (%#)', (make, message) => {
    expect(make).toThrow(new TypeError(message));
  });
});

describe('hostile keys', () => {
  const redis = sharedRedis();

  const hostile: readonly string[] = [
    '',
    '\0',
    'a\r\nFLUSHALL\r\n',
    '{a}{b}',
    '}:signalbox:{',
    '../../etc/passwd',
    '*',
    'ключ \u{1F511}',
    '\ud800',
    '__proto__',
    'constructor',
    'x'.repeat(1_000_000),
  ];

  it('are callers like others, apart from each other, and never stand in Redis', async () => {
    const limits = zones({
      store: redisStore(redis.link),
      secret: 'a secret of 32 bytes or somewhat more',
      zones: { api: { rate: '1/h', key: () => undefined } },
    });
    for (const key of hostile) {
      expect(await limits.take('api', key)).toMatchObject({ allowed: true, source: 'store' });
      expect(await limits.take('api', key)).toMatchObject({ allowed: false });
    }
    const keys = await redis.client.keys('*');
    expect(keys).toHaveLength(hostile.length);
    for (const key of keys) expect(key).toMatch(/^signalbox:rate-limit:fixed:api:\{[\w-]{22}\}$/);
  });

  it('are hashed with the secret, so that keys tell nothing to who does not have it', async () => {
    const keysWith = async (secret: string | undefined): Promise<string[]> => {
      await redis.client.flushall();
      await zones({ store: redisStore(redis.link), secret, zones: { api: '1/h' } }).take(
        'api',
        '203.0.113.7',
      );
      return redis.client.keys('*');
    };
    const [plain, one, other] = [
      await keysWith(undefined),
      await keysWith('the first secret, which is long enough'),
      await keysWith('another secret, which is long enough'),
    ];
    expect(new Set([...plain, ...one, ...other]).size).toBe(3);
    expect(await keysWith('the first secret, which is long enough')).toEqual(one);
  });
});

describe('a proxy that is not trusted', () => {
  it('is warned of once, also where its address is known already', async () => {
    const file = fileURLToPath(new URL('programs/forwarded.mjs', import.meta.url));
    const program = await startProgram(process.execPath, [file]);
    expect(await program.exited).toMatchObject({ code: 0 });
    expect(program.stderr().match(/everybody is limited as one caller/g)).toHaveLength(1);
  });
});
