import { Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis-5';
import { describe, expect, it } from 'vitest';
import { runInContext } from '@signalbox/context';
import { signals, type RedisCommand } from '@signalbox/signals';
import { temporaryFolder } from '../../../test/support/keeper.js';
import {
  connectRedis,
  redisLink,
  RedisReplyError,
  RedisUnavailableError,
  type RedisClient,
} from '../src/index.js';
import { errorOf, isIn, stageOf } from './stage.js';

describe('a link', () => {
  it('sends commands, whatever the case of their names, and gives text or bytes', async (context) => {
    const stage = stageOf(context);
    const link = stage.closing(connectRedis((await stage.redis()).url));
    expect(link).toMatchObject({ name: 'redis', deadlineMs: 100, cluster: false, state: 'connecting' });
    await isIn(link, 'up');

    expect(await link.command('SET', 'k', Buffer.from('ä'), 'EX', 60)).toBe('OK');
    expect(await link.command('get', 'k')).toBe('ä');
    expect(await link.commandBytes('Get', 'k')).toEqual(Buffer.from('ä'));
    expect(await link.command('get', 'nothing')).toBeNull();
    expect(await link.command('hset', 'h', 'a', 1, 'b', 2)).toBe(2);
    expect(await link.command('hgetall', 'h')).toEqual(['a', '1', 'b', '2']);
    const pairs = [255, 1, 254, 2].map((byte) => Buffer.from([byte]));
    await link.command('hset', 'bytes', ...pairs);
    expect(await link.commandBytes('hgetall', 'bytes')).toEqual(pairs);
    expect(await link.command('hgetall', 'nothing')).toEqual([]);
    expect(await link.info()).toContain('redis_version');
  });

  it('sends what is asked for before it is connected once it is, in order', async (context) => {
    const stage = stageOf(context);
    const { url } = await stage.redis();
    const link = stage.closing(connectRedis(url));
    const visit = link.script('visit', `return redis.call('INCR', KEYS[1])`);
    expect(link.state).toBe('connecting');
    const all = [
      link.command('set', 'k', 1),
      link.command('incr', 'k'),
      visit(['visits'], []),
      link.commandBytes('get', 'k'),
      link.command('not-a-command').catch((error: unknown) => error),
      link.info(),
    ];
    expect(await Promise.all(all)).toEqual([
      'OK',
      2,
      1,
      Buffer.from('2'),
      expect.any(RedisReplyError),
      expect.stringContaining('redis_version'),
    ]);
  });

  it('is connected in time where the process was busy meanwhile, as one that starts is', async (context) => {
    const stage = stageOf(context);
    const link = stage.closing(connectRedis((await stage.redis()).url));
    const busyUntil = performance.now() + 1_300;
    while (performance.now() < busyUntil);
    expect(await link.settled()).toBe('up');
    expect(await link.command('ping')).toBe('PONG');
  });

  it('tells when it has settled, up or not, also where nobody ever answers', async (context) => {
    const stage = stageOf(context);
    const proxy = await stage.proxy(await stage.redis());
    const url = `redis://${proxy.address}`;
    await proxy.blackhole();
    expect(await stage.closing(connectRedis(url)).settled()).toBe('down');
    await proxy.refuse();
    expect(await stage.closing(connectRedis(url)).settled()).toBe('down');
    await proxy.pass();
    const link = stage.closing(connectRedis(url));
    expect(await link.settled()).toBe('up');
    expect(await link.settled()).toBe('up');
  });

  it('waits for its first connection no longer than a command may take, or than it is wanted', async (context) => {
    const stage = stageOf(context);
    const proxy = await stage.proxy(await stage.redis());
    await proxy.blackhole();
    const link = stage.closing(connectRedis(`redis://127.0.0.1:${proxy.port}`, { deadlineMs: 100 }));
    const startedAt = performance.now();
    const asked = link.command('get', 'k');
    expect(await errorOf(asked)).toMatchObject({ reason: 'down' });
    expect(performance.now() - startedAt).toBeGreaterThan(90);

    const waiting = link.command('get', 'k');
    await link.close();
    expect(await errorOf(waiting)).toMatchObject({ reason: 'closed' });
  });

  it('is the same for everybody who hands in the same client, until it is closed', async (context) => {
    const stage = stageOf(context);
    const client = stage.ending(new Redis((await stage.redis()).port));
    const link = redisLink(client);
    expect(redisLink(client)).toBe(link);
    expect(redisLink(link)).toBe(link);
    expect(() => connectRedis(client)).toThrow('connectRedis: "source" is a client that has a link already');

    await isIn(link, 'up');
    await link.close();
    await link.close();
    expect(link.state).toBe('closed');
    expect(await errorOf(link.command('get', 'k'))).toMatchObject({ reason: 'closed' });
    expect(await client.ping()).toBe('PONG');
    expect(redisLink(client)).not.toBe(link);
    await redisLink(client).close();
  });

  const settings = { keyPrefix: 'app:', lazyConnect: true };

  it.for([
    ['ioredis 6', (port: number) => new Redis(port, settings)],
    ['ioredis 5', (port: number) => new Redis5(port, settings)],
  ] as const)(
    'takes a client of %s as it is, with its prefix and its laziness',
    async ([, open], context) => {
      const stage = stageOf(context);
      const redis = await stage.redis();
      const client: RedisClient = stage.ending<RedisClient>(open(redis.port));
      const link = stage.closing(redisLink(client));
      await isIn(link, 'up');

      await link.command('set', 'k', 'v');
      expect(await redis.command('get', 'app:k')).toBe('v');
      const read = link.script('read', "return redis.call('GET', KEYS[1])");
      expect(await read(['k'], [])).toBe('v');
      expect(await read(['k'], [])).toBe('v');
      expect(await link.sendCommand('HGETALL', 'nothing')).toEqual([]);
    },
  );

  it('runs scripts by their hash, and once more with their text after SCRIPT FLUSH', async (context) => {
    const stage = stageOf(context);
    const redis = await stage.redis();
    const link = stage.closing(connectRedis(redis.url));
    await isIn(link, 'up');
    const count = link.script('count', "return redis.call('INCRBY', KEYS[1], ARGV[1])");
    const bytes = link.script('bytes', 'return ARGV[1]', { bytes: true });

    expect(await count(['n'], [2])).toBe(2);
    expect(await count(['n'], [2])).toBe(4);
    await redis.command('script', 'flush');
    const together = await Promise.all(Array.from({ length: 10 }, () => count(['n'], [1])));
    expect(together.toSorted((a, b) => Number(a) - Number(b))).toEqual([5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
    expect(await bytes([], [Buffer.from([0xff, 0])])).toEqual(Buffer.from([0xff, 0]));
    expect(await redis.command('info', 'commandstats')).toContain('cmdstat_evalsha');
  });

  it('answers SCRIPT LOAD by itself, so that a library can load with Redis dead', async (context) => {
    const stage = stageOf(context);
    const redis = await stage.redis();
    await redis.kill();
    const link = stage.closing(connectRedis(redis.url));
    const sha = await link.sendCommand('SCRIPT', 'LOAD', "return redis.call('INCR', KEYS[1])");
    expect(sha).toMatch(/^[\da-f]{40}$/);
    await redis.restart();
    await isIn(link, 'up');

    const { sendCommand } = link;
    expect(await sendCommand('EVALSHA', String(sha), '1', 'n')).toBe(1);
    await redis.command('script', 'flush');
    expect(await sendCommand('evalsha', String(sha), '1', 'n')).toBe(2);
    const unknown = await errorOf<RedisReplyError>(sendCommand('EVALSHA', '0'.repeat(40), '0'));
    expect(unknown).toBeInstanceOf(RedisReplyError);
    expect(unknown.replyCode).toBe('NOSCRIPT');
  });

  it('sends the commands of one turn in one write', async (context) => {
    const stage = stageOf(context);
    const proxy = await stage.proxy(await stage.redis());
    const own = stage.closing(connectRedis(`redis://${proxy.address}`));
    const users = stage.closing(redisLink(stage.ending(new Redis(proxy.port))));
    for (const link of [own, users]) {
      await isIn(link, 'up');
      await link.command('ping');
      proxy.resetCounts();
      const later = async (): Promise<unknown> => {
        await Promise.resolve();
        await Promise.resolve();
        return link.command('get', 'c');
      };
      await Promise.all([link.command('get', 'a'), link.command('incr', 'b'), later()]);
      expect(proxy.counts.roundTrips).toBe(1);
    }
  });

  it('heeds the deadline of the request, where that is nearer', async (context) => {
    const stage = stageOf(context);
    const redis = await stage.redis();
    const proxy = await stage.proxy(redis);
    const link = stage.closing(connectRedis(`redis://${proxy.address}`, { deadlineMs: 1_000 }));
    await isIn(link, 'up');
    await proxy.delay(300);

    const within = (ms: number): Promise<unknown> =>
      runInContext({ deadline: performance.now() + ms }, () => link.command('get', 'k'));
    const startedAt = performance.now();
    const [soon, over] = await Promise.all([errorOf(within(20)), errorOf(within(-1))]);
    expect(performance.now() - startedAt).toBeLessThan(300);
    expect(soon).toMatchObject({ reason: 'timeout', status: 503 });
    expect(soon.message).toBe(`redis "redis": no answer to get before the request's deadline`);
    expect(over).toMatchObject({ reason: 'deadline', status: 503 });
    expect(over.message).toBe(`redis "redis": the request's deadline is over`);
    expect(await within(5_000)).toBeNull();
    // Ten requests in a hurry say nothing about Redis.
    await Promise.all(Array.from({ length: 10 }, () => errorOf(within(20))));
    expect(link.state).toBe('up');
  });

  it('tells of its state and of each command', async (context) => {
    const stage = stageOf(context);
    const redis = await stage.redis();
    const states: string[] = [];
    const commands: Omit<RedisCommand, 'durationMs'>[] = [];
    context.onTestFinished(
      signals.redisLinkState.subscribe(({ link, state }) => void (link === 'told' && states.push(state))),
    );
    context.onTestFinished(
      signals.redisCommand.subscribe(({ durationMs, ...event }) => {
        expect(durationMs).toBeGreaterThanOrEqual(0);
        if (event.link === 'told' && event.command !== 'ping') commands.push(event);
      }),
    );
    const link = stage.closing(connectRedis(redis.url, { name: 'told' }));
    await isIn(link, 'up');
    await link.command('set', 'k', 'v');
    await errorOf(link.command('incr', 'k'));
    await link.script('mine', 'return 1')([], []);
    await redis.kill();
    await isIn(link, 'down');
    await errorOf(link.command('get', 'k'));
    await link.close();

    expect(states).toEqual(['connecting', 'up', 'down', 'closed']);
    expect(commands).toEqual([
      { link: 'told', command: 'set', outcome: 'ok' },
      { link: 'told', command: 'incr', outcome: 'error' },
      { link: 'told', command: 'mine', outcome: 'error' },
      { link: 'told', command: 'mine', outcome: 'ok' },
      { link: 'told', command: 'get', outcome: 'rejected' },
    ]);
  });

  it('fails what is under way when it is closed', async (context) => {
    const stage = stageOf(context);
    const redis = await stage.redis();
    const link = connectRedis(redis.url);
    await isIn(link, 'up');
    redis.pause();
    const failing = errorOf(link.command('get', 'k'));
    await link.close();
    redis.resume();
    expect(await failing).toMatchObject({ reason: 'closed', message: 'redis "redis": the link was closed' });
  });

  it('reaches Redis by its socket and with a password', async (context) => {
    const stage = stageOf(context);
    const folder = temporaryFolder('socket');
    context.onTestFinished(() => folder.remove());
    const path = `${folder.path}/redis.sock`;
    await stage.redis({ password: 'p@ss:w/rd', args: ['--unixsocket', path] });
    const password = encodeURIComponent('p@ss:w/rd');
    const link = stage.closing(connectRedis(`unix://:${password}@${path}?db=3`));
    await isIn(link, 'up');
    expect(await link.command('client', 'info')).toContain('db=3');
  });

  it('keeps a wrong password to itself', async (context) => {
    const stage = stageOf(context);
    const { port } = await stage.redis({ password: 'right-secret' });
    const errors: unknown[] = [];
    context.onTestFinished(signals.redisLinkState.subscribe(({ error }) => void errors.push(error)));
    const link = stage.closing(connectRedis(`redis://:wrong-secret@127.0.0.1:${port}`));
    await isIn(link, 'down');
    const { reason } = await link.check();
    expect(reason).toContain('WRONGPASS');
    const shown = JSON.stringify([errors, reason], (_key, value: unknown) =>
      value instanceof Error
        ? Object.getOwnPropertyNames(value).map(
            (name) => [name, Reflect.get(value, name)] as [string, unknown],
          )
        : value,
    );
    expect(shown).toContain('WRONGPASS');
    expect(shown).not.toContain('secret');
  });

  it('refuses commands that would change the connection for everybody', async (context) => {
    const stage = stageOf(context);
    const link = stage.closing(connectRedis('redis://127.0.0.1:1'));
    expect(() => link.command('MULTI')).toThrow(TypeError);
    expect(() => link.command('blpop', 'k', 0)).toThrow(
      'command: "blpop" would change the connection that all commands share',
    );
    expect(() => link.sendCommand('SELECT', '1')).toThrow(TypeError);
    expect(() => link.command('XREAD', 'COUNT', 1, 'block', 0, 'STREAMS', 's', '$')).toThrow(TypeError);
    expect(() =>
      link.sendCommand('XREADGROUP', 'GROUP', 'g', 'c', 'BLOCK', '0', 'STREAMS', 's', '>'),
    ).toThrow(TypeError);
    expect(() => link.commandBytes('client', 'REPLY', 'off')).toThrow(TypeError);
    // Here it is a name.
    const waiting = link.command('xreadgroup', 'GROUP', 'block', 'block', 'STREAMS', 'block', '>');
    expect(await errorOf(waiting)).toBeInstanceOf(RedisUnavailableError);
    expect(() => link.command('')).toThrow('command: "name" must be the name of a command, got ""');
  });
});

describe('an error reply', () => {
  it('of a wrong command is a RedisReplyError that shows no argument', async (context) => {
    const stage = stageOf(context);
    const link = stage.closing(connectRedis((await stage.redis()).url, { name: 'main' }));
    await isIn(link, 'up');
    await link.command('set', 'k', 'v');
    const wrong = await errorOf<RedisReplyError>(link.command('lpush', 'k', 'my-secret'));
    expect(wrong).toBeInstanceOf(RedisReplyError);
    expect(wrong).toMatchObject({ status: 500, code: 'redis_error', replyCode: 'WRONGTYPE', link: 'main' });
    const unknown = await errorOf(link.command('frobnicate', 'my-secret'));
    expect(unknown.message).toBe(`redis "main": frobnicate was refused: ERR unknown command 'frobnicate'`);
    expect(JSON.stringify([wrong, unknown, wrong.cause, unknown.cause])).not.toContain('my-secret');
    // Ten mistakes of ours say nothing about Redis.
    for (let i = 0; i < 10; i += 1) await errorOf(link.command('lpush', 'k', 'x'));
    expect(link.state).toBe('up');
  });

  it.for([
    ['OOM', "return redis.error_reply('OOM command not allowed')", 'oom'],
    ['LOADING', "return redis.error_reply('LOADING Redis is loading')", 'loading'],
    ['MASTERDOWN', "return redis.error_reply('MASTERDOWN Link with MASTER is down')", 'replication'],
    ['NOREPLICAS', "return redis.error_reply('NOREPLICAS Not enough good replicas')", 'replication'],
    ['MISCONF', "return redis.error_reply('MISCONF Errors writing to the RDB')", 'disk'],
    ['CLUSTERDOWN', "return redis.error_reply('CLUSTERDOWN The cluster is down')", 'cluster'],
    ['NOAUTH', "return redis.error_reply('NOAUTH Authentication required.')", 'auth'],
    ['max clients', "return redis.error_reply('ERR max number of clients reached')", 'busy'],
  ] as const)('%s means that Redis cannot do it now', async ([, lua, reason], context) => {
    const stage = stageOf(context);
    const link = stage.closing(connectRedis((await stage.redis()).url));
    await isIn(link, 'up');
    const error = await errorOf(link.script('reply', lua)([], []));
    expect(error).toBeInstanceOf(RedisUnavailableError);
    expect(error).toMatchObject({ status: 503, code: 'redis_unavailable', reason, retryAfterSeconds: 1 });
  });

  it('for want of memory is told from others, inside a script too', async (context) => {
    const stage = stageOf(context);
    const redis = await stage.redis({ args: ['--maxmemory', '2mb', '--maxmemory-policy', 'noeviction'] });
    const link = stage.closing(connectRedis(redis.url));
    await isIn(link, 'up');
    const value = 'x'.repeat(100_000);
    for (let i = 0; i < 40; i += 1) await link.command('set', `k${i}`, value).catch(() => undefined);
    const write = link.script('write', "return redis.call('SET', KEYS[1], ARGV[1])");
    expect(await errorOf(link.command('set', 'more', value))).toMatchObject({ reason: 'oom' });
    expect(await errorOf(write(['more'], [value]))).toMatchObject({ reason: 'oom' });
    expect(await link.command('get', 'nothing')).toBeNull();
    expect(link.state).toBe('up');
  });

  it('READONLY makes the connection anew, inside a script too, and not over and over', async (context) => {
    const stage = stageOf(context);
    const [primary, redis] = await Promise.all([stage.redis(), stage.redis()]);
    const link = stage.closing(connectRedis(redis.url));
    await isIn(link, 'up');
    await redis.command('replicaof', '127.0.0.1', String(primary.port));
    const connections = async (): Promise<number> =>
      Number(/total_connections_received:(\d+)/.exec(await redis.command('info', 'stats'))?.[1]);
    const before = await connections();

    const write = link.script('write', "return redis.call('SET', KEYS[1], ARGV[1])");
    expect(await errorOf(write(['k'], ['v']))).toMatchObject({ reason: 'readonly', status: 503 });
    const load = stage.load(link, () => link.command('set', 'k', 'v'));
    await new Promise((resolve) => setTimeout(resolve, 500));
    await load.stop();
    // Two of redis-cli, and at most one or two of the link.
    expect((await connections()) - before).toBeLessThanOrEqual(4);
    expect([...load.failures.keys()].filter((reason) => reason !== 'readonly' && reason !== 'down')).toEqual(
      [],
    );

    await redis.command('replicaof', 'no', 'one');
    await isIn(link, 'up');
    expect(await link.command('set', 'k', 'v')).toBe('OK');
  });
});
