/**
 * The Redis that every contender asks: on the processor of the load, and as far away as wanted. A proxy in this
 * process holds each answer back, and counts how often somebody waited for one.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy.js';
import { startRedis } from '../support/redis.js';

const run = promisify(execFile);

/** What one request asks of Redis. */
export interface RedisUse {
  /** How often it waits for an answer. */
  waits: number;
  commands: number;
}

export interface BenchRedis {
  urlAt(distanceMs: number): string;
  /** Counts what `requests` sequential requests ask of the Redis at that distance, on the average. */
  useOf(distanceMs: number, requests: number, send: () => Promise<unknown>): Promise<RedisUse>;
  stop(): Promise<void>;
}

export async function startBenchRedis(distancesMs: readonly number[]): Promise<BenchRedis> {
  const redis = await startRedis();
  for (const pid of [redis.pid, process.pid]) await run('taskset', ['-acp', '1', String(pid)]);
  const proxies = new Map<number, FaultProxy>();
  for (const distanceMs of distancesMs) {
    if (distanceMs === 0) continue;
    const proxy = await startFaultProxy({ to: redis.port });
    await proxy.delay(distanceMs);
    proxies.set(distanceMs, proxy);
  }

  return {
    urlAt(distanceMs) {
      const proxy = proxies.get(distanceMs);
      return proxy === undefined ? redis.url : `redis://${proxy.address}`;
    },

    async useOf(distanceMs, requests, send) {
      const proxy = proxies.get(distanceMs);
      if (proxy === undefined) throw new Error('Waits are counted on the way to a Redis that is away');
      const client = new Redis(redis.url);
      const monitor = await client.monitor();
      let commands = 0;
      // Redis shows the commands of a script as well: they cost a request nothing.
      monitor.on('monitor', (_time: string, _words: string[], source: string) => {
        if (source !== 'lua') commands += 1;
      });
      const before = proxy.counts.roundTrips;
      for (let sent = 0; sent < requests; sent += 1) await send();
      // What was shown by now is everything up to this command.
      await client.ping();
      const use = {
        waits: (proxy.counts.roundTrips - before) / requests,
        commands: Math.max(0, commands - 1) / requests,
      };
      monitor.disconnect();
      client.disconnect();
      return use;
    },

    async stop() {
      for (const proxy of proxies.values()) await proxy.stop();
      await redis.stop();
    },
  };
}
