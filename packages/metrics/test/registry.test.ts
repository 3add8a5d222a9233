import { signals, type SeriesOverflow } from '@signalbox/signals';
import { listen } from '@signalbox/testing';
import { Counter, Registry } from 'prom-client';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { metrics, type MetricsOptions } from '../src/index.js';
import { readPrometheus } from './read-metrics.js';
import { measuredApp, scrape } from './scraping.js';

describe('metrics, more than once', () => {
  it('shares the metrics of a registry, and counts a request that passes twice once', async () => {
    const registry = new Registry();
    const app = measuredApp({ registry });
    app.use(metrics({ registry, process: false, features: false }));
    app.get('/twice', (_req, res) => res.send('ok'));
    const url = await listen(app);

    await fetch(`${url}/twice`);

    expect((await scrape(url)).sum('http_requests_total', { route: '/twice' })).toBe(1);
  });

  it('counts on after one of two is closed', async () => {
    const registry = new Registry();
    const app = measuredApp({ registry });
    const second = metrics({ registry, process: false, features: false });
    app.get('/still', (_req, res) => res.send('ok'));
    const url = await listen(app);

    await second.close();
    await second.close();
    await fetch(`${url}/still`);

    expect((await scrape(url)).sum('http_requests_total', { route: '/still' })).toBe(1);
  });

  it('refuses other options for a registry that is in use', () => {
    const registry = new Registry();
    metrics({ registry, process: false, features: false });

    expect(() => metrics({ registry, process: false, features: false, maxSeries: 5 })).toThrow(
      'metrics: "registry" is in use with other options',
    );
  });

  it('refuses a registry in which another has taken its names', () => {
    const registry = new Registry();
    new Counter({ name: 'http_requests_total', help: 'Somebody else.', registers: [registry] }).inc();

    expect(() => metrics({ registry })).toThrow('must not have a metric "http_requests_total" already');
  });

  it('begins anew when the registry is reset', async () => {
    const registry = new Registry();
    const app = measuredApp({ registry });
    app.get('/again', (_req, res) => res.send('ok'));
    const url = await listen(app);

    await fetch(`${url}/again`);
    registry.resetMetrics();
    await fetch(`${url}/again`);

    const seen = await scrape(url);
    expect(seen.sum('http_requests_total', { route: '/again' })).toBe(1);
    expect(seen.sum('http_request_duration_seconds_count', { route: '/again' })).toBe(1);
  });

  it('is filled anew when it has been cleared, as between the tests of an app', async () => {
    const registry = new Registry();
    await metrics({ registry, process: false, features: false }).close();
    registry.clear();
    const app = measuredApp({ registry });
    app.get('/again', (_req, res) => res.send('ok'));
    const url = await listen(app);
    await fetch(`${url}/again`);

    const seen = await scrape(url);
    expect(seen.sum('http_requests_total', { route: '/again' })).toBe(1);
  });

  it("says the same through prom-client's own way out", async () => {
    const registry = new Registry();
    registry.setDefaultLabels({ app: 'shop' });
    const app = measuredApp({ registry });
    app.get('/same', (_req, res) => res.send('ok'));
    const url = await listen(app);
    await fetch(`${url}/same`);

    const own = readPrometheus(await registry.metrics());

    const labels = { route: '/same', app: 'shop' };
    const ours = await scrape(url);
    for (const name of [
      'http_requests_total',
      'http_request_duration_seconds_bucket',
      'http_response_size_bytes_sum',
    ]) {
      expect(own.find(name, labels)).not.toEqual([]);
      expect(own.find(name, labels)).toEqual(ours.find(name, labels));
    }
  });
});

describe('metrics with too many label sets', () => {
  it('keeps to maxSeries, collects the rest in __overflow__, and says so once', async () => {
    const registry = new Registry();
    const app = measuredApp({ registry, maxSeries: 4 });
    for (let i = 0; i < 10; i++) app.get(`/route-${i}`, (_req, res) => res.send('ok'));
    const url = await listen(app);
    const overflows = vi.fn<(overflow: SeriesOverflow) => void>();
    onTestFinished(signals.seriesOverflow.subscribe(overflows));
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => void warnings.push(warning);
    process.on('warning', onWarning);
    onTestFinished(() => void process.off('warning', onWarning));

    for (let i = 0; i < 10; i++) await fetch(`${url}/route-${i}`);

    const seen = await scrape(url);
    const counted = seen.find('http_requests_total').map(({ labels, value }) => [labels['route'], value]);
    expect(counted).toEqual([
      ['/route-0', 1],
      ['/route-1', 1],
      ['/route-2', 1],
      ['__overflow__', 7],
    ]);
    expect(seen.find('http_requests_total', { route: '__overflow__' })[0]?.labels).toEqual({
      method: '__overflow__',
      route: '__overflow__',
      status: '__overflow__',
    });
    expect(seen.sum('http_request_duration_seconds_count', { route: '__overflow__' })).toBe(7);
    expect(warnings.map(({ message }) => message)).toEqual([expect.stringContaining('4 series are in use')]);
    expect(overflows.mock.calls).toContainEqual([{ metric: 'http_requests_total', maxSeries: 4 }]);
    expect(overflows).toHaveBeenCalledTimes(4);
  });
});

describe('metrics with bad options', () => {
  it.each([
    [{ maxSeries: 1 }, 'metrics: "maxSeries" must be an integer of at least 2, got 1'],
    [{ maxSeries: Number.NaN }, 'metrics: "maxSeries" must be an integer of at least 2, got NaN'],
    [{ buckets: [] }, 'metrics: "buckets" must be a list of ascending numbers above 0'],
    [{ buckets: [1, 1] }, 'metrics: "buckets" must be a list of ascending numbers above 0, got "1, 1"'],
    [{ sizeBuckets: [0, 1] }, 'metrics: "sizeBuckets" must be a list of ascending numbers above 0'],
    [{ diskPath: '/no/such/path' }, 'metrics: "diskPath" must be a path that exists, got "/no/such/path"'],
    [{ registry: {} as Registry }, 'metrics: "registry" must be a Registry of prom-client'],
    [{ process: 1 as never }, 'metrics: "process" must be true or false, got 1'],
    [{ bucket: [1] } as MetricsOptions, 'metrics: "bucket" is not an option; did you mean "buckets"?'],
    [{ zeal: 1 } as MetricsOptions, 'metrics: "zeal" is not an option; there are registry, buckets'],
  ])('refuses %j', (options, message) => {
    expect(() => metrics(options)).toThrow(message);
  });
});
