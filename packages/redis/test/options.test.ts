import { describe, expect, it } from 'vitest';
import { connectRedis, redisLink, requirePrefix, type LinkOptions } from '../src/index.js';
import { parseRedisUrl } from '../src/redis-url.js';
import { stageOf } from './stage.js';

describe('connectRedis', () => {
  it.each([
    ['', 'must be a URL beginning with redis://'],
    ['localhost:6379', 'must be a URL beginning with redis://'],
    ['http://localhost', 'must be a URL beginning with redis://'],
    ['redis://a,b', 'must name one host'],
    ['redis://host:0', 'must name its hosts as host or host:port'],
    ['redis://host:99999', 'must name its hosts as host or host:port'],
    ['redis://host:port', 'must name its hosts as host or host:port'],
    ['redis://host/first', 'must have a whole number as its "db"'],
    ['redis://host?db=x', 'must have a whole number as its "db"'],
    ['redis://host?passwort=x', 'has a parameter that is not known; there are db, family'],
    ['redis://host?servername=x', 'has a "servername", which is for rediss:// only'],
    ['redis://:100%@host', 'has a "%" in its credentials'],
    ['redis+sentinel://a,b', 'must end with the name of the primary'],
    ['redis+sentinel:///name', 'must name its hosts'],
    ['redis+cluster://a,,b', 'must name its hosts'],
    ['redis+cluster://a/1', 'must not name a database'],
    ['unix://', 'must name the socket'],
    ['unix://host/path', 'must name the socket'],
  ])('refuses the URL "%s"', (url, words) => {
    expect(() => connectRedis(url)).toThrow(TypeError);
    expect(() => connectRedis(url)).toThrow(`connectRedis: "source" ${words}`);
  });

  it.each([
    'redis://:s3cret@host:x',
    's3cret',
    'redis://s3cret:x:@a,b',
    'redis://h?s3cret=1',
    'redis://h/s3cret',
  ])('shows nothing of a URL that it refuses: %s', (url) => {
    expect(() => connectRedis(url)).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining('s3cret') }),
    );
  });

  it('reads every form of URL', () => {
    expect(parseRedisUrl('redis://')).toMatchObject({
      kind: 'single',
      options: { host: 'localhost', port: 6379 },
    });
    expect(parseRedisUrl('redis://user:p%40ss@[::1]:7000/2?connectionName=app').options).toEqual({
      username: 'user',
      password: 'p@ss',
      host: '::1',
      port: 7000,
      db: 2,
      connectionName: 'app',
    });
    // A raw "@" in a password is a mistake that everybody makes, and means one thing only.
    expect(parseRedisUrl('redis://:p@ss@host').options).toMatchObject({ password: 'p@ss', host: 'host' });
    expect(parseRedisUrl('rediss://host?servername=redis.example').options.tls).toEqual({
      servername: 'redis.example',
    });
    expect(parseRedisUrl('redis+sentinel://:pw@a,b:1234/main/3?sentinelPassword=sp')).toMatchObject({
      kind: 'sentinel',
      options: {
        sentinels: [
          { host: 'a', port: 26379 },
          { host: 'b', port: 1234 },
        ],
        name: 'main',
        password: 'pw',
        sentinelPassword: 'sp',
        db: 3,
      },
    });
    expect(parseRedisUrl('rediss+sentinel://a/main').options).toMatchObject({
      tls: {},
      sentinelTLS: {},
      enableTLSForSentinelMode: true,
    });
    expect(parseRedisUrl('rediss+cluster://a,b:1/')).toEqual({
      kind: 'cluster',
      nodes: [
        { host: 'a', port: 6379 },
        { host: 'b', port: 1 },
      ],
      options: { tls: {} },
    });
    expect(parseRedisUrl('unix:///run/redis.sock?db=1').options).toEqual({ path: '/run/redis.sock', db: 1 });
  });

  it.each<[unknown, string]>([
    [{ name: '' }, '"name" must be a non-empty string, got ""'],
    [{ deadlineMs: 0 }, '"deadlineMs" must be a number from 1 to 60000, got 0'],
    [{ deadlineMs: Number.NaN }, '"deadlineMs" must be a number from 1 to 60000, got NaN'],
    [{ deadlineMs: '100' }, '"deadlineMs" must be a number from 1 to 60000, got "100"'],
    [{ deadline: 100 }, '"deadline" is not an option; did you mean "deadlineMs"?'],
    [{ breaker: false }, '"breaker" must be an object, got false'],
    [{ breaker: { failures: 0 } }, '"breaker.failures" must be an integer from 1 to 1000, got 0'],
    [{ breaker: { failures: 2.5 } }, '"breaker.failures" must be an integer from 1 to 1000, got 2.5'],
    [{ breaker: { windowMs: -1 } }, '"breaker.windowMs" must be a number from 1 to 3600000, got -1'],
    [{ breaker: { failure: 1 } }, '"breaker": "failure" is not an option; did you mean "failures"?'],
    [{ prefix: 7 }, '"prefix" must be a string, got 7'],
    [null, '"options" must be an object, got null'],
  ])('refuses the options %j', (options, words) => {
    expect(() => connectRedis('redis://127.0.0.1:1', options as LinkOptions)).toThrow(
      new TypeError(`connectRedis: ${words}`),
    );
  });

  it.each([
    { enableOfflineQueue: true },
    { retryStrategy: null },
    { commandTimeout: 50 },
    { socketTimeout: 300 },
    { reconnectOnError: () => true },
    { lazyConnect: true },
  ])('refuses a setting of ioredis that is its own to make: %j', (source) => {
    const [option] = Object.keys(source);
    expect(() => connectRedis(source)).toThrow(`connectRedis: "source.${option}" is the link's own to set`);
  });

  it.each<[unknown, string]>([
    [undefined, 'undefined'],
    [6379, '6379'],
    [[], 'an array'],
  ])('refuses %j as a source', (source, got) => {
    expect(() => connectRedis(source as string)).toThrow(
      new TypeError(
        `connectRedis: "source" must be a URL, ioredis' options or an ioredis client, got ${got}`,
      ),
    );
  });

  it("takes ioredis' options", async (context) => {
    const stage = stageOf(context);
    const { host, port } = await stage.redis();
    const link = stage.closing(connectRedis({ host, port, db: 2, connectionName: 'mine' }));
    await expect.poll(() => link.state).toBe('up');
    expect(await link.command('client', 'info')).toMatch(/name=mine .*db=2/);
  });
});

describe('redisLink', () => {
  it.each([undefined, null, 'redis://host', {}, []])('refuses %j', (source) => {
    expect(() => redisLink(source as never)).toThrow(
      'redisLink: "source" must be a RedisLink or an ioredis client, got',
    );
  });
});

describe('script', () => {
  it('refuses what is no script', async (context) => {
    const link = stageOf(context).closing(connectRedis('redis://127.0.0.1:1'));
    expect(() => link.script('', 'return 1')).toThrow('script: "name" must be a non-empty string, got ""');
    expect(() => link.script('x', ' ')).toThrow('script: "lua" must be the text of a script, got " "');
    expect(() => link.subscribe('', () => undefined)).toThrow(
      'subscribe: "channel" must be a non-empty string',
    );
    expect(() => link.subscribe('c', 'no' as never)).toThrow('subscribe: "listener" must be a function');
  });
});

describe('the prefix of keys with hash tags of their own', () => {
  it('is text without braces', () => {
    requirePrefix('redisStore', '');
    requirePrefix('redisStore', 'app:cache:');
    for (const prefix of ['{app}:', 'a{', 'a}', 7, undefined]) {
      expect(() => requirePrefix('redisStore', prefix)).toThrow(
        `redisStore: "prefix" must be text without braces, got ${prefix === undefined ? 'undefined' : JSON.stringify(prefix)}`,
      );
    }
  });
});
