/**
 * The Redis that every contender asks: on the processor of the load, and as far away as wanted. A proxy in this
 * process holds each answer back, and counts how often somebody waited for one.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy.js';
import { startRedis, type RedisServer } from '../support/redis.js';
import { requireProgram } from '../support/system-packages.js';

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
      // What the load has left behind is answered before this one.
      await send();
      const commands = await countCommands(redis);
      const before = proxy.counts.roundTrips;
      for (let sent = 0; sent < requests; sent += 1) await send();
      return {
        waits: (proxy.counts.roundTrips - before) / requests,
        commands: (await commands.count()) / requests,
      };
    },

    async stop() {
      for (const proxy of proxies.values()) await proxy.stop();
      await redis.stop();
    },
  };
}

const LAST = 'the-last-command';

/** Counts the commands that clients send from now on; those inside a script are none. */
async function countCommands(redis: RedisServer): Promise<{ count(): Promise<number> }> {
  const monitor = spawn(await requireProgram('redis-cli'), ['-p', String(redis.port), 'monitor'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const lines = createInterface({ input: monitor.stdout });
  await once(lines, 'line');
  let commands = 0;
  const end = new Promise<void>((resolve) => {
    lines.on('line', (line) => {
      if (line.includes(LAST)) resolve();
      else if (!line.includes(' lua] ')) commands += 1;
    });
  });
  return {
    async count() {
      // It brings no handshake of its own into the count: what is shown is everything up to this command.
      await redis.command('echo', LAST);
      await end;
      monitor.kill();
      return commands;
    },
  };
}
