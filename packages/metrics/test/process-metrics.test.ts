import { listen } from '@signalbox/testing';
import express from 'express';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { metrics, metricsEndpoint } from '../src/index.js';
import { scrape } from './scraping.js';

async function processApp(registry: Registry): Promise<string> {
  const app = express();
  const meter = metrics({ registry, features: false });
  onTestFinished(() => meter.close());
  app.use(meter);
  app.get('/metrics', metricsEndpoint({ registry }));
  return listen(app);
}

describe('metrics of the process', () => {
  it('show CPU, memory, event loop, garbage collection, handles, uptime and disk', async () => {
    const url = await processApp(new Registry());

    const seen = await scrape(url);

    for (const name of [
      'process_start_time_seconds',
      'process_uptime_seconds',
      'process_resident_memory_bytes',
      'nodejs_heap_size_total_bytes',
      'nodejs_heap_size_used_bytes',
      'nodejs_external_memory_bytes',
      'nodejs_active_resources',
      'nodejs_version_info',
      'signalbox_memory_limit_bytes',
      'signalbox_disk_size_bytes',
      'signalbox_disk_available_bytes',
    ]) {
      expect(seen.sum(name), name).toBeGreaterThan(0);
    }
    expect(seen.sum('signalbox_workers')).toBe(1);
    for (const name of ['seconds', 'user_seconds', 'system_seconds']) {
      expect(seen.find(`process_cpu_${name}_total`)).toHaveLength(1);
    }
    for (const name of ['p50_seconds', 'p99_seconds', 'max_seconds']) {
      expect(seen.find(`nodejs_eventloop_lag_${name}`)).toHaveLength(1);
    }
    expect(seen.sum('nodejs_eventloop_utilization_ratio')).toBeLessThanOrEqual(1);
    expect(seen.families.get('nodejs_gc_duration_seconds')?.type).toBe('histogram');
  });

  it('count garbage collections', async () => {
    const url = await processApp(new Registry());
    const collections = async () => (await scrape(url)).sum('nodejs_gc_duration_seconds_count');

    await expect
      .poll(async () => {
        Array.from({ length: 200_000 }, (_, i) => ({ i }));
        return collections();
      })
      .toBeGreaterThan(0);
  });

  it('show how late the event loop was, whoever else scrapes', async () => {
    const url = await processApp(new Registry());
    const worst = async () => (await scrape(url)).sum('nodejs_eventloop_lag_max_seconds');

    await expect
      .poll(() => {
        // Blocks without taking the CPU from others. The first time, Node may not be watching yet.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 150);
        return worst();
      })
      .toBeGreaterThan(0.1);
    expect(await worst()).toBeGreaterThan(0.1);
  });

  it("leave those in place that prom-client's collectDefaultMetrics has registered", async () => {
    const registry = new Registry();
    collectDefaultMetrics({ register: registry });
    const app = express();
    const meter = metrics({ registry, features: false });
    onTestFinished(() => meter.close());
    app.use(meter);

    const text = await registry.metrics();

    expect(text).toContain('http_requests_in_flight 0');
    expect(text).toContain('nodejs_eventloop_lag_p90_seconds');
    expect(text).toContain('signalbox_disk_size_bytes');
  });

  it('are absent where they are not wanted', async () => {
    const registry = new Registry();
    metrics({ registry, process: false, features: false });

    expect(registry.getMetricsAsArray().map(({ name }) => name)).toEqual([
      'http_requests_total',
      'http_request_duration_seconds',
      'http_request_size_bytes',
      'http_response_size_bytes',
      'http_requests_in_flight',
    ]);
  });

  it('stop watching the event loop when the last user is gone, and begin again with the next', async () => {
    const registry = new Registry();
    const open = () => metrics({ registry, features: false });
    const [first, second] = [open(), open()];
    const isWatched = async () => /^nodejs_eventloop_lag_p99_seconds /m.test(await registry.metrics());

    await first.close();
    expect(await isWatched()).toBe(true);
    await second.close();
    expect(await isWatched()).toBe(false);

    const third = open();
    expect(await isWatched()).toBe(true);
    await third.close();
  });
});
