import { connect } from 'node:net';
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { answersPing, startRedis } from './redis.js';
import { startRedisCluster } from './redis-cluster.js';
import { startSentinel } from './redis-sentinel.js';

/** Real programs on a machine that may be busy. */
const patience = { timeout: 60_000 };

describe('startRedis', patience, () => {
  it('starts an empty Redis on a free port of loopback, and two at a time', async () => {
    const [one, two] = await Promise.all([startRedis(), startRedis()]);
    expect(one.port).not.toBe(two.port);
    await one.command('set', 'key', 'value');
    expect(await one.command('get', 'key')).toBe('value');
    expect(await two.command('dbsize')).toBe('0');
    await Promise.all([one.stop(), two.stop()]);
  });

  it('leaves no process, no port and no folder behind', async () => {
    const redis = await startRedis();
    const folder = (await redis.command('config', 'get', 'dir')).split('\n')[1] ?? '';
    expect(existsSync(folder)).toBe(true);
    await redis.stop();
    expect(() => process.kill(redis.pid, 0)).toThrow('ESRCH');
    expect(await answersPing(redis.port)).toBe(false);
    expect(existsSync(folder)).toBe(false);
  });

  it('is silent while paused, and answers what was asked when it resumes', async () => {
    const redis = await startRedis();
    redis.pause();
    let answered = false;
    const question = redis.command('ping').finally(() => (answered = true));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(answered).toBe(false);
    redis.resume();
    expect(await question).toBe('PONG');
    await redis.stop();
  });

  it('drops its connections when killed and comes back empty on the same port', async () => {
    const redis = await startRedis();
    await redis.command('set', 'key', 'value');
    const socket = connect(redis.port, redis.host);
    const closed = new Promise<void>((resolve) =>
      socket.on('error', () => {}).once('close', () => resolve()),
    );
    await new Promise((resolve) => socket.once('connect', resolve));

    await redis.kill();
    await closed;
    await expect(redis.command('ping')).rejects.toThrow('Connection refused');

    await redis.restart();
    expect(await redis.command('dbsize')).toBe('0');
    await redis.stop();
  });

  it('takes a password, which stands in the url', async () => {
    const redis = await startRedis({ password: 'a/b' });
    expect(redis.url).toBe(`redis://:a%2Fb@127.0.0.1:${redis.port}`);
    expect(await redis.command('ping')).toBe('PONG');
    await redis.stop();
  });

  it('reports an error reply as an error', async () => {
    const redis = await startRedis();
    await expect(redis.command('get')).rejects.toThrow('wrong number of arguments');
    await redis.stop();
  });

  it('says what Redis printed when it does not start', async () => {
    await expect(startRedis({ args: ['--no-such-setting', '1'] })).rejects.toThrow(
      /redis-server ended .*exit code 1.*no-such-setting/s,
    );
  });
});

describe('startSentinel', patience, () => {
  it('puts a replica in the place of a dead primary', async () => {
    const group = await startSentinel();
    const before = await group.primaryPort();
    expect(before).toBe(group.servers[0]?.port);
    const after = await group.failover();
    expect(after).toBe(group.servers[1]?.port);
    await group.stop();
  });
});

describe('startRedisCluster', patience, () => {
  it('serves keys from several nodes', async () => {
    const cluster = await startRedisCluster();
    const keys = ['a', 'b', 'c', 'd', 'e', 'f'];
    for (const key of keys) {
      expect(await cluster.nodes[0]?.command('-c', 'set', key, 'value')).toMatch(/OK$/);
    }
    // Each key is on one primary and its replica, on no node are all of them.
    const sizes = await Promise.all(cluster.nodes.map((node) => node.command('dbsize')));
    expect(Math.max(...sizes.map(Number))).toBeLessThan(keys.length);
    await cluster.stop();
  });
});
