import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { assertNeverHangs, redisWithFaults, waitUntil, type RedisWithFaults } from '../src/index.js';

/** Real programs on a machine that may be busy. */
const patience = { timeout: 60_000 };

let redis: RedisWithFaults;
const clients: Redis[] = [];

/** A bare client that waits for nothing: a command fails with the connection, and with nothing else. */
async function connected(url: string): Promise<Redis> {
  const client = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    retryStrategy: () => 20,
  });
  clients.push(client);
  client.on('error', () => {});
  await new Promise((resolve) => client.once('ready', resolve));
  return client;
}

/** What a command is answered with within the time, or why it is not; `silence` when there is nothing at all. */
async function outcome(command: Promise<unknown>, withinMs = 2_000): Promise<unknown> {
  const silence = new Promise((resolve) => setTimeout(() => resolve('silence'), withinMs));
  const answer = command.catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
  return Promise.race([answer, silence]);
}

/** Whether the client gets answers again, by itself. */
async function recovers(client: Redis): Promise<boolean> {
  return waitUntil(async () => {
    if (client.status !== 'ready') return false;
    return (await outcome(client.set('recovered', 'yes'), 500)) === 'OK';
  });
}

async function connectionRefused(url: string): Promise<string | undefined> {
  const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null });
  let reason: string | undefined;
  client.on('error', (error) => (reason = error.message));
  await client.connect().catch(() => {});
  client.disconnect();
  return reason;
}

afterEach(() => {
  for (const client of clients.splice(0)) client.disconnect();
});

describe('redisWithFaults', patience, () => {
  let client: Redis;

  beforeEach(async () => {
    redis = await redisWithFaults();
    client = await connected(redis.url);
    await client.set('key', 'value');
  });
  afterEach(() => redis.close());

  it('is a Redis, through the proxy and past it', async () => {
    expect(await client.get('key')).toBe('value');
    expect(await (await connected(redis.directUrl)).get('key')).toBe('value');
    expect(await redis.command('GET', 'key')).toBe('value');
    expect(redis.output()).toContain('Ready to accept connections');
  });

  it('keeps nothing on disk', async () => {
    expect(await redis.command('CONFIG', 'GET', 'save')).toEqual(['save', '']);
    expect(await redis.command('CONFIG', 'GET', 'appendonly')).toEqual(['appendonly', 'no']);
  });

  it('counts how often somebody waits for it', async () => {
    redis.resetCounts();
    await client.get('key');
    await client.pipeline().get('key').set('other', 1).get('other').exec();

    expect(redis.roundTrips).toBe(2);
  });

  it('freezes when stopped, and answers what was asked when it resumes', async () => {
    await redis.stop();
    const asked = client.get('key');
    expect(await outcome(asked, 100)).toBe('silence');
    expect(client.status).toBe('ready');

    await redis.resume();
    expect(await outcome(asked)).toBe('value');
  });

  it('hears nothing of what is sent after stop() was called, awaited or not', async () => {
    for (let round = 0; round < 20; round++) {
      const stopped = redis.stop();
      const asked = client.get('key');
      expect(await outcome(asked, 5)).toBe('silence');
      await stopped;
      await redis.resume();
      expect(await outcome(asked)).toBe('value');
    }
  });

  it('drops its connections and refuses new ones when killed, and comes back empty', async () => {
    const asked = Array.from({ length: 50 }, () => client.get('key'));
    await Promise.all([redis.kill(), assertNeverHangs(asked, { name: 'commands' })]);
    expect(await outcome(client.get('key'))).toMatch(/Connection is closed|isn't writeable/);
    expect(await connectionRefused(redis.url)).toContain('ECONNREFUSED');
    expect(await connectionRefused(redis.directUrl)).toContain('ECONNREFUSED');

    await redis.restart();
    expect(await recovers(client)).toBe(true);
    expect(await client.get('key')).toBeNull();
  });

  it('restarts under load on the same port, with another process', async () => {
    const { pid, url } = redis;
    await redis.restart();

    expect(redis.pid).not.toBe(pid);
    expect(redis.url).toBe(url);
    expect(await recovers(client)).toBe(true);
  });

  it('is as far away as slow() says', async () => {
    await redis.slow(80);
    const started = performance.now();
    await client.get('key');
    expect(performance.now() - started).toBeGreaterThanOrEqual(79);

    await redis.slow(60_000);
    const asked = client.get('key');
    expect(await outcome(asked, 50)).toBe('silence');
    await redis.heal();
    expect(await outcome(asked)).toBe('value');
  });

  it('is cut off by a partition, whose end delivers what was sent', async () => {
    await redis.partition();
    const asked = client.incr('counter');
    expect(await outcome(asked, 100)).toBe('silence');
    expect(client.status).toBe('ready');
    expect(await redis.command('GET', 'counter')).toBeNull();

    await redis.heal();
    expect(await outcome(asked)).toBe(1);
  });

  it('loses in a black hole what was sent, and leaves it to the client to find a new connection', async () => {
    await redis.blackhole();
    const asked = client.incr('counter');
    expect(await outcome(asked, 100)).toBe('silence');

    await redis.heal();
    expect(await outcome(client.get('key'), 100)).toBe('silence');
    expect(await redis.command('GET', 'counter')).toBeNull();

    client.disconnect(true);
    expect(await recovers(client)).toBe(true);
  });

  it('refuses connections while the server lives and keeps its data', async () => {
    await redis.refuse();
    expect(await connectionRefused(redis.url)).toContain('ECONNREFUSED');
    expect(await redis.command('GET', 'key')).toBe('value');

    await redis.heal();
    expect(await recovers(client)).toBe(true);
    expect(await client.get('key')).toBe('value');
  });

  it('resets connections', async () => {
    await redis.reset();
    expect(await connectionRefused(redis.url)).toMatch(/ECONNRESET|EPIPE/);

    await redis.heal();
    expect(await recovers(client)).toBe(true);
  });

  it('is full: what needs memory is answered with OOM, in scripts too, and nothing is evicted', async () => {
    await redis.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
    await redis.full();
    expect(await outcome(client.set('other', 1))).toMatch(/^OOM /);
    expect(await outcome(client.eval("return redis.call('set', KEYS[1], 1)", 1, 'other'))).toMatch(/^OOM /);
    expect(await client.get('key')).toBe('value');

    await redis.heal();
    expect(await client.set('other', 1)).toBe('OK');
    expect(await redis.command('CONFIG', 'GET', 'maxmemory*')).toEqual(
      expect.arrayContaining(['maxmemory', '0', 'maxmemory-policy', 'allkeys-lru']),
    );
  });

  it('is read-only, as after a failover: writes are answered with READONLY, in scripts too', async () => {
    await redis.readOnly();
    expect(await outcome(client.set('key', 'new'))).toMatch(/^READONLY /);
    expect(await outcome(client.eval("return redis.call('set', KEYS[1], 1)", 1, 'key'))).toMatch(/READONLY/);
    expect(await client.get('key')).toBe('value');

    await redis.heal();
    expect(await client.set('key', 'new')).toBe('OK');
  });

  it('forgets its scripts when they are flushed', async () => {
    const sha = String(await client.script('LOAD', 'return 7'));
    expect(await client.evalsha(sha, 0)).toBe(7);

    await redis.flushScripts();
    expect(await outcome(client.evalsha(sha, 0))).toMatch(/^NOSCRIPT /);
  });

  it('heals from everything at once, with its data', async () => {
    await redis.full();
    await redis.readOnly();
    await redis.slow(10_000);
    await redis.stop();

    await redis.heal();
    expect(await recovers(client)).toBe(true);
    expect(await client.get('key')).toBe('value');
    await redis.heal();
  });

  it('heals a dead server by starting it, with the settings of its first start', async () => {
    await redis.full();
    await redis.refuse();
    await redis.kill();

    await redis.heal();
    expect(await recovers(client)).toBe(true);
    expect(await redis.command('CONFIG', 'GET', 'maxmemory')).toEqual(['maxmemory', '0']);
  });

  it('keeps the fault of the network over a restart', async () => {
    await redis.refuse();
    await redis.restart();
    expect(await connectionRefused(redis.url)).toContain('ECONNREFUSED');

    await redis.kill();
    await redis.slow(50);
    expect(await connectionRefused(redis.url)).toContain('ECONNREFUSED');
    await redis.restart();
    const late = await connected(redis.url);
    const started = performance.now();
    await late.ping();
    expect(performance.now() - started).toBeGreaterThanOrEqual(49);
  });

  it('takes calls that come together in their order', async () => {
    for (let round = 0; round < 3; round++) {
      const calls = [redis.kill(), redis.restart(), redis.full(), redis.readOnly(), redis.partition()];
      await Promise.all([...calls, redis.stop(), redis.heal(), redis.kill(), redis.heal()]);
      expect(await recovers(client)).toBe(true);
    }
  });

  it('says what to do first where a fault needs a server that runs, or answers', async () => {
    await redis.stop();
    await expect(redis.full()).rejects.toThrow(
      'redisWithFaults: full() needs an answer of the server, which is stopped: resume() first',
    );
    await redis.kill();
    for (const name of ['stop', 'resume', 'full', 'readOnly', 'flushScripts'] as const) {
      await expect(redis[name]()).rejects.toThrow(
        `redisWithFaults: ${name}() needs a server that runs: restart() or heal() first`,
      );
    }
    await expect(redis.command('PING')).rejects.toThrow('Redis did not answer PING: connect ECONNREFUSED');
  });

  it.each([-1, Number.NaN, Infinity])('refuses to be slow by %s', async (ms) => {
    await expect(redis.slow(ms)).rejects.toThrow('redisWithFaults: slow() needs "ms" of at least 0');
  });
});

describe('the command() of redisWithFaults', patience, () => {
  it('gives every kind of reply', async () => {
    redis = await redisWithFaults();

    expect(await redis.command('SET', 'número', Buffer.from('ŵ\r\n'))).toBe('OK');
    expect(await redis.command('GET', 'número')).toBe('ŵ\r\n');
    expect(await redis.command('GET', 'missing')).toBeNull();
    expect(await redis.command('BLPOP', 'missing', 0.01)).toBeNull();
    expect(await redis.command('INCRBY', 'n', -7)).toBe(-7);
    expect(await redis.command('EVAL', "return {1, {'a', ''}, {}, false}", 0)).toEqual([
      1,
      ['a', ''],
      [],
      null,
    ]);
    const [one, failure] = (await redis.command('EVAL', "return {1, {err = 'MY fault'}}", 0)) as unknown[];
    expect([one, failure]).toEqual([1, new Error('MY fault')]);
  });

  it('carries megabytes', async () => {
    redis = await redisWithFaults();
    const megabytes = 'x'.repeat(4_000_000);

    await redis.command('SET', 'big', megabytes);
    expect((await redis.command('GET', 'big')) === megabytes).toBe(true);
  });

  it('rejects with the text of an error reply', async () => {
    redis = await redisWithFaults();

    await expect(redis.command('INCR')).rejects.toThrow("ERR wrong number of arguments for 'incr' command");
  });

  it('goes on while the network does not', async () => {
    redis = await redisWithFaults();
    await redis.partition();

    expect(await redis.command('PING')).toBe('PONG');
  });
});
