import { describe, expect, it } from 'vitest';
import { connectRedis } from '../src/index.js';
import { isIn, stageOf } from './stage.js';

describe('check()', () => {
  it('writes a key that expires, and reports role and memory', async (context) => {
    const stage = stageOf(context);
    const redis = await stage.redis({ args: ['--maxmemory', '64mb', '--maxmemory-policy', 'allkeys-lru'] });
    const link = stage.closing(connectRedis(redis.url, { prefix: 'app:' }));
    await isIn(link, 'up');
    const report = await link.check();
    expect(report).toEqual({
      status: 'healthy',
      details: {
        latencyMs: expect.any(Number) as number,
        role: 'master',
        usedMemoryBytes: expect.any(Number) as number,
        maxMemoryBytes: 67_108_864,
        maxMemoryPolicy: 'allkeys-lru',
      },
    });
    expect(Number(await redis.command('pttl', 'app:{check}'))).toBeGreaterThan(0);
    expect(await redis.command('keys', '*')).toBe('app:{check}');
  });

  it('costs one round trip', async (context) => {
    const stage = stageOf(context);
    const proxy = await stage.proxy(await stage.redis());
    const link = stage.closing(connectRedis(`redis://${proxy.address}`));
    await isIn(link, 'up');
    proxy.resetCounts();
    await link.check();
    expect(proxy.counts.roundTrips).toBe(1);
  });

  it('is degraded by a replica, which answers and takes no writes', async (context) => {
    const stage = stageOf(context);
    const [primary, redis] = await Promise.all([stage.redis(), stage.redis()]);
    const link = stage.closing(connectRedis(redis.url, { name: 'main' }));
    await isIn(link, 'up');
    await redis.command('replicaof', '127.0.0.1', String(primary.port));
    expect(await link.check()).toMatchObject({
      status: 'degraded',
      reason: 'it takes no writes: redis "main": the server is a read-only replica',
      details: { role: 'slave' },
    });
  });

  it('is degraded by full memory, and by one that is nearly full and evicts nothing', async (context) => {
    const stage = stageOf(context);
    const redis = await stage.redis();
    const link = stage.closing(connectRedis(redis.url));
    await isIn(link, 'up');
    const used = Number((await link.check()).details['usedMemoryBytes']);
    await redis.command('config', 'set', 'maxmemory', String(Math.ceil(used * 1.02)));
    expect(await link.check()).toMatchObject({
      status: 'degraded',
      reason: expect.stringMatching(
        /^its memory is 9\d % full, and it will refuse writes|takes no writes/,
      ) as string,
    });
    await redis.command('config', 'set', 'maxmemory', '500kb');
    expect(await link.check()).toMatchObject({
      status: 'degraded',
      reason: `it takes no writes: redis "redis": the server's memory is full`,
    });
  });

  it('is unhealthy with Redis gone, and says why; it does not reject', async (context) => {
    const stage = stageOf(context);
    const redis = await stage.redis();
    const link = stage.closing(connectRedis(redis.url));
    await isIn(link, 'up');
    await redis.kill();
    await isIn(link, 'down');
    await expect
      .poll(() => link.check())
      .toMatchObject({ status: 'unhealthy', reason: 'redis "redis": cannot connect: ECONNREFUSED' });
    await redis.restart();
    await expect.poll(() => link.check()).toMatchObject({ status: 'healthy' });
    await link.close();
    expect(await link.check()).toMatchObject({ status: 'unhealthy', reason: 'redis "redis": closed' });
  });

  it('does without what the user of Redis may not see', async (context) => {
    const stage = stageOf(context);
    const redis = await stage.redis();
    await redis.command('acl', 'setuser', 'app', 'on', '>secret', '~*', '+@all', '-info');
    const link = stage.closing(connectRedis(redis.url.replace('redis://', 'redis://app:secret@')));
    await isIn(link, 'up');
    expect(await link.check()).toEqual({
      status: 'healthy',
      details: { latencyMs: expect.any(Number) as number },
    });
    // Nor is it taken for dead, once something has failed.
    await redis.command('acl', 'setuser', 'app', '-ping');
    redis.pause();
    await expect(link.command('get', 'k')).rejects.toMatchObject({ reason: 'timeout' });
    redis.resume();
    await isIn(link, 'up');
    await expect.poll(() => link.check()).toMatchObject({ status: 'healthy' });
    await redis.command('acl', 'setuser', 'app', '-set');
    expect(await link.check()).toMatchObject({
      status: 'degraded',
      reason: expect.stringContaining('NOPERM') as string,
    });
  });

  it('waits for a Redis that loads its data, as one that is not there', async (context) => {
    const stage = stageOf(context);
    const redis = await stage.redis({
      args: [
        '--key-load-delay',
        '500',
        '--loading-process-events-interval-bytes',
        '1024',
        '--dbfilename',
        'dump.rdb',
      ],
    });
    const link = stage.closing(connectRedis(redis.url));
    await isIn(link, 'up');
    for (let i = 0; i < 3_000; i += 1) await link.command('set', `k${i}`, 'x'.repeat(100));
    await redis.command('save');
    const restarting = redis.restart();
    await isIn(link, 'down');
    await restarting;
    await isIn(link, 'up');
    expect(await link.command('exists', 'k2999')).toBe(1);
  });
});
