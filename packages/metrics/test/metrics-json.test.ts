import { errorHandler } from '@signalbox/errors';
import { signals } from '@signalbox/signals';
import { assertNeverHangs, listen } from '@signalbox/testing';
import express, { type Express } from 'express';
import { Registry } from 'prom-client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { metrics, metricsJson, type MetricsJsonOptions } from '../src/index.js';

const INFO = [
  '# Clients\r',
  'connected_clients:17\r',
  'maxclients:10000\r',
  '# Memory\r',
  'used_memory:1048576\r',
  'used_memory_human:1.00M\r',
  '# Stats\r',
  'total_commands_processed:123456\r',
].join('\n');

function jsonApp(options: MetricsJsonOptions = {}): Express {
  const registry = new Registry();
  const app = express();
  const meter = metrics({ registry });
  onTestFinished(() => meter.close());
  app.use(meter);
  app.get('/metrics.json', metricsJson({ ...options, registry }));
  app.get('/ok', (_req, res) => res.send('ok'));
  app.use(errorHandler());
  return app;
}

async function read(url: string): Promise<Record<string, Record<string, unknown>>> {
  const response = await fetch(`${url}/metrics.json`);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
  expect(response.headers.get('cache-control')).toBe('no-store');
  return (await response.json()) as Record<string, Record<string, unknown>>;
}

describe('metricsJson', () => {
  it('tells of the process and the system', async () => {
    const url = await listen(jsonApp());

    const { process: own, system, cluster } = await read(url);

    expect(cluster).toEqual({ scope: 'process', workers: 1, workers_missing: 0 });
    expect(own).toMatchObject({ pid: process.pid, node_version: process.version });
    for (const name of ['uptime_seconds', 'resident_memory_bytes', 'heap_used_bytes']) {
      expect(own?.[name], name).toBeGreaterThan(0);
    }
    expect(own?.['cpu_seconds_total']).toBeTypeOf('number');
    expect(own?.['event_loop_delay_p99_seconds']).toBeTypeOf('number');
    for (const name of ['cpus', 'memory_total_bytes', 'disk_size_bytes', 'disk_available_bytes']) {
      expect(system?.[name], name).toBeGreaterThan(0);
    }
  });

  it('sums the requests up', async () => {
    const url = await listen(jsonApp());
    for (const path of ['/ok', '/ok', '/nope']) await fetch(url + path);

    const { http } = await read(url);

    expect(http).toMatchObject({
      requests_total: 3,
      requests_in_flight: 1,
      responses: { '1xx': 0, '2xx': 2, '3xx': 0, '4xx': 1, '5xx': 0 },
      aborted_total: 0,
    });
    const durations = http?.['duration_seconds'] as Record<string, number> | undefined;
    expect(durations?.['p50']).toBeGreaterThan(0);
    expect(durations?.['p99']).toBeGreaterThanOrEqual(durations?.['p50'] ?? Infinity);
    expect(durations?.['mean']).toBeGreaterThan(0);
  });

  it('says null where nothing is known', async () => {
    const url = await listen(jsonApp());

    const { redis, database_pool: pool, realtime, http } = await read(url);

    const nothing = { connected_clients: null, used_memory: null, total_commands_processed: null };
    expect(redis).toEqual({ available: false, ...nothing });
    expect(pool).toEqual({
      available: false,
      size: null,
      checked_in: null,
      checked_out: null,
      waiting: null,
    });
    expect(realtime).toEqual({ enabled: false, message_queue: null, connections: 0 });
    expect(http?.['duration_seconds']).toEqual({ mean: null, p50: null, p95: null, p99: null });
  });

  it('reads what Redis says of itself', async () => {
    const url = await listen(jsonApp({ redisInfo: async () => INFO }));

    expect((await read(url))['redis']).toEqual({
      available: true,
      connected_clients: 17,
      used_memory: 1_048_576,
      total_commands_processed: 123_456,
    });
  });

  it.each([
    ['fails', () => Promise.reject(new Error('redis_unavailable'))],
    ['never answers', () => new Promise<string>(() => undefined)],
    [
      'throws',
      () => {
        throw new Error('closed');
      },
    ],
  ])('answers all the same when Redis %s', async (_, redisInfo) => {
    const url = await listen(jsonApp({ redisInfo }));

    const body = await assertNeverHangs(() => read(url));

    expect(body['redis']).toMatchObject({ available: false, used_memory: null });
    expect(body['process']).toMatchObject({ pid: process.pid });
  });

  it('tells of database pools and sockets as their signals did', async () => {
    const url = await listen(jsonApp({ realtime: () => ({ enabled: true, messageQueue: 'redis' }) }));
    signals.poolState.publish({ pool: 'main', max: 20, size: 8, idle: 5, waiting: 2 });
    signals.poolState.publish({ pool: 'reports', max: 5, size: 1, idle: 0, waiting: 0 });
    signals.socketState.publish({ namespace: '/', state: 'connected', reason: undefined });

    const { database_pool: pool, realtime } = await read(url);

    expect(pool).toEqual({ available: true, size: 9, checked_in: 5, checked_out: 4, waiting: 2 });
    expect(realtime).toEqual({ enabled: true, message_queue: 'redis', connections: 1 });
  });

  it('answers HEAD without content', async () => {
    const url = await listen(jsonApp());

    const response = await fetch(`${url}/metrics.json`, { method: 'HEAD' });

    expect(response.status).toBe(200);
    expect(await response.text()).toBe('');
  });

  it.each([
    [{ redisInfo: 'redis://' as never }, 'metricsJson: "redisInfo" must be a function, got "redis://"'],
    [{ realtime: {} as never }, 'metricsJson: "realtime" must be a function, got an object'],
    [{ redis: 1 } as never, 'metricsJson: "redis" is not an option; did you mean "redisInfo"?'],
  ] satisfies [MetricsJsonOptions, string][])('refuses %j at construction', (options, message) => {
    expect(() => metricsJson(options)).toThrow(message);
  });
});
