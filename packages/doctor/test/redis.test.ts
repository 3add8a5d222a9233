import { freePort } from '@signalbox/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRedis, type RedisServer } from '../../../test/support/redis.js';
import { judgeRedis } from '../src/checks/redis.js';
import { doctor } from '../src/index.js';
import { codesOf, newFolder } from './support.js';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis({ args: ['--maxmemory', '50mb', '--appendonly', 'yes'] });
});
afterAll(() => redis.stop());

const examine = async (url: string): Promise<readonly string[]> =>
  codesOf(await doctor(newFolder(), { env: { REDIS_URL: url }, timeoutMs: 1_000 }));

describe('the Redis of REDIS_URL', () => {
  it('is found sound where it keeps what it is given', async () => {
    expect(await examine(redis.url)).toEqual([]);
  });

  it.each([
    ['maxmemory-policy', 'allkeys-lru', 'noeviction', 'SBX203'],
    ['maxmemory', '0', '50mb', 'SBX204'],
    ['appendonly', 'no', 'yes', 'SBX205'],
  ])('is asked for %s, and %s is named', async (name, wrong, right, code) => {
    await redis.command('CONFIG', 'SET', name, wrong);
    expect(await examine(redis.url)).toEqual([code]);
    await redis.command('CONFIG', 'SET', name, right);
  });

  it('is to be the primary', async () => {
    await redis.command('REPLICAOF', '127.0.0.1', String(await freePort()));
    expect(await examine(redis.url)).toEqual(['SBX206']);
    await redis.command('REPLICAOF', 'NO', 'ONE');
  });

  it('is written nothing to', async () => {
    expect(await redis.command('DBSIZE')).toBe('0');
  });

  it('that does not answer is said to be away, in time and without its password', async () => {
    const url = `redis://:9vTq2ZkLw8xR@127.0.0.1:${await freePort()}`;
    const report = await doctor(newFolder(), { env: { REDIS_URL: url }, timeoutMs: 300 });
    expect(codesOf(report)).toEqual(['SBX201']);
    expect(JSON.stringify(report)).not.toContain('9vTq2ZkLw8xR');
  });

  it('that is frozen is said to be away, too', async () => {
    redis.pause();
    try {
      expect(await examine(redis.url)).toEqual(['SBX201']);
    } finally {
      redis.resume();
    }
  });

  const sound = { redis_version: '7.4.2', role: 'master', maxmemory: '1', maxmemory_policy: 'noeviction' };
  const closed = { hasPassword: true, isOpen: false, save: '3600 1' };
  it.each([
    ['an old line', { redis_version: '5.0.14' }, {}, ['SBX202']],
    ['Valkey, which says to be Redis 7.2', { redis_version: '7.2.4', server_name: 'valkey' }, {}, []],
    ['one that is open to a network', {}, { hasPassword: false, isOpen: true }, ['SBX207']],
    ['one that cannot save', { rdb_last_bgsave_status: 'err' }, {}, ['SBX208']],
    ['one that may not be asked for CONFIG', { aof_enabled: '0' }, { save: undefined }, []],
  ])('is judged by what it says of itself: %s', (_name, info, protection, codes) => {
    const findings = judgeRedis(new Map(Object.entries({ ...sound, ...info })), 'REDIS_URL', {
      ...closed,
      ...protection,
    });
    expect(findings.map(({ code }) => code)).toEqual(codes);
  });
});
