import { EventEmitter, once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { signals, type SeriesOverflow } from '@signalbox/signals';
import { listen } from '@signalbox/testing';
import express, { Router, type Express } from 'express';
import { Counter, Registry } from 'prom-client';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { metrics, metricsEndpoint, type MetricsOptions } from '../src/index.js';
import { readPrometheus } from './read-metrics.js';
import { pipeline, scrape } from './scraping.js';

/** An app whose requests are measured; the process and the features are left to other tests. */
function measuredApp(options: MetricsOptions = {}): Express {
  const registry = options.registry ?? new Registry();
  const app = express();
  app.get('/metrics', metricsEndpoint({ registry }));
  app.use(metrics({ process: false, features: false, ...options, registry }));
  return app;
}

/** Opens a connection, sends what is given, and leaves as soon as `left` resolves. */
async function leaveWhen(url: string, message: string, left: Promise<unknown>): Promise<void> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.write(message);
  await left;
  socket.destroy();
}

describe('metrics', () => {
  it('counts requests by method, route template and status', async () => {
    const app = measuredApp();
    app.get('/users/:id', (req, res) => res.json({ id: req.params.id }));
    const url = await listen(app);

    await fetch(`${url}/users/1`);
    await fetch(`${url}/users/2`);
    await fetch(`${url}/users/3`, { method: 'HEAD' });

    const seen = await scrape(url);
    const name = 'http_requests_total';
    expect(seen.find(name)).toEqual([
      { name, labels: { method: 'GET', route: '/users/:id', status: '200' }, value: 2 },
      { name, labels: { method: 'HEAD', route: '/users/:id', status: '200' }, value: 1 },
    ]);
  });

  it('names the route of nested routers in full', async () => {
    const app = measuredApp();
    const items = Router({ mergeParams: true });
    items.get('/items/:item', (_req, res) => res.send('ok'));
    const shops = Router();
    shops.use('/shops/:shop', items);
    app.use('/api/v1', shops);
    const url = await listen(app);

    await fetch(`${url}/api/v1/shops/7/items/9`);

    const seen = await scrape(url);
    expect(seen.sum('http_requests_total', { route: '/api/v1/shops/:shop/items/:item' })).toBe(1);
  });

  it('keeps the route of a request that failed', async () => {
    const app = measuredApp();
    app.set('env', 'test');
    app.get('/broken/:id', () => {
      throw Object.assign(new Error('no'), { status: 503 });
    });
    const url = await listen(app);

    await fetch(`${url}/broken/1`);

    const seen = await scrape(url);
    expect(seen.sum('http_requests_total', { route: '/broken/:id', status: '503' })).toBe(1);
  });

  it('adds one series to each metric for a scan of 10 000 unknown paths', async () => {
    const app = measuredApp();
    app.use((_req, res) => void res.status(404).end());
    const url = await listen(app);

    for (let connection = 0; connection < 10; connection++) {
      const paths = Array.from({ length: 1_000 }, (_, i) => `/wp-${connection}/${i}.php?id=${i}`);
      await pipeline(url, paths);
    }

    const seen = await scrape(url);
    const labels = { method: 'GET', route: 'unmatched', status: '404' };
    expect(seen.find('http_requests_total')).toEqual([
      { name: 'http_requests_total', labels, value: 10_000 },
    ]);
    for (const name of [
      'http_request_duration_seconds',
      'http_request_size_bytes',
      'http_response_size_bytes',
    ]) {
      expect(seen.find(`${name}_count`)).toEqual([{ name: `${name}_count`, labels, value: 10_000 }]);
    }
  });

  it('counts a method that HTTP does not define as OTHER', async () => {
    const url = await listen(measuredApp());

    await fetch(url, { method: 'PROPFIND' });
    await fetch(url, { method: 'M-SEARCH' });

    const seen = await scrape(url);
    expect(seen.sum('http_requests_total', { method: 'OTHER', status: '404' })).toBe(2);
  });

  it('counts a request whose client left as status 499', async () => {
    const app = measuredApp();
    const events = new EventEmitter();
    app.get('/slow', (_req, res) => {
      res.on('close', () => events.emit('closed'));
      events.emit('arrived');
    });
    const url = await listen(app);

    const closed = once(events, 'closed');
    await leaveWhen(url, 'GET /slow HTTP/1.1\r\nHost: x\r\n\r\n', once(events, 'arrived'));
    await closed;

    const seen = await scrape(url);
    expect(seen.sum('http_requests_total', { route: '/slow', status: '499' })).toBe(1);
    expect(seen.sum('http_requests_in_flight')).toBe(0);
  });

  it('counts requests that waited behind another on a connection that was lost', async () => {
    const app = measuredApp();
    const events = new EventEmitter();
    let arrived = 0;
    app.get('/slow', (_req, res) => {
      arrived += 1;
      if (arrived === 3) events.emit('arrived');
      res.on('close', () => events.emit('closed'));
    });
    const url = await listen(app);

    const closed = once(events, 'closed');
    await leaveWhen(url, 'GET /slow HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(3), once(events, 'arrived'));
    await closed;

    const seen = await scrape(url);
    expect(seen.sum('http_requests_total', { route: '/slow', status: '499' })).toBe(3);
    expect(seen.sum('http_requests_in_flight')).toBe(0);
  });

  it('counts a request whose client had left before the middleware ran', async () => {
    const registry = new Registry();
    const app = express();
    app.get('/metrics', metricsEndpoint({ registry }));
    const events = new EventEmitter();
    app.use((req, _res, next) => {
      req.socket.once('close', () => {
        next();
        events.emit('late');
      });
      events.emit('arrived');
    });
    app.use(metrics({ registry, process: false, features: false }));
    const url = await listen(app);

    const late = once(events, 'late');
    await leaveWhen(url, 'GET /x HTTP/1.1\r\nHost: x\r\n\r\n', once(events, 'arrived'));
    await late;

    const seen = await scrape(url);
    expect(seen.sum('http_requests_total', { status: '499' })).toBe(1);
    expect(seen.sum('http_requests_in_flight')).toBe(0);
  });

  it('counts a response that an error cut off as status 500', async () => {
    const app = measuredApp();
    app.get('/cut', (_req, res) => {
      res.write('half of ');
      res.destroy(new Error('the source failed'));
    });
    const url = await listen(app);

    await expect(fetch(`${url}/cut`).then((response) => response.text())).rejects.toThrow(TypeError);

    const seen = await scrape(url);
    expect(seen.sum('http_requests_total', { route: '/cut', status: '500' })).toBe(1);
  });

  it('shows requests in flight while they are answered', async () => {
    const app = measuredApp();
    const events = new EventEmitter();
    app.get('/slow', (_req, res) => {
      events.once('answer', () => res.send('done'));
      events.emit('arrived');
    });
    const url = await listen(app);

    const arrived = once(events, 'arrived');
    const answer = fetch(`${url}/slow`);
    await arrived;
    expect((await scrape(url)).sum('http_requests_in_flight')).toBe(1);

    events.emit('answer');
    await answer;
    expect((await scrape(url)).sum('http_requests_in_flight')).toBe(0);
  });

  it('puts durations into the buckets that were asked for', async () => {
    const app = measuredApp({ buckets: [0.05, 30] });
    app.get('/slow', (_req, res) => void setTimeout(() => res.send('ok'), 60));
    const url = await listen(app);

    await fetch(`${url}/slow`);

    const seen = await scrape(url);
    const buckets = seen.find('http_request_duration_seconds_bucket', { route: '/slow' });
    expect(buckets.map(({ labels, value }) => [labels['le'], value])).toEqual([
      ['0.05', 0],
      ['30', 1],
      ['+Inf', 1],
    ]);
    expect(seen.sum('http_request_duration_seconds_sum', { route: '/slow' })).toBeGreaterThan(0.05);
  });

  it('measures the content of requests and responses by the length they announce', async () => {
    const app = measuredApp();
    app.post('/echo', express.text(), (req, res) => res.type('text').send(`${req.body}!`));
    const url = await listen(app);

    await fetch(`${url}/echo`, { method: 'POST', body: 'x'.repeat(300) });
    await fetch(`${url}/echo`, { method: 'POST', body: 'x'.repeat(50) });

    const seen = await scrape(url);
    expect(seen.sum('http_request_size_bytes_sum', { route: '/echo' })).toBe(350);
    expect(seen.sum('http_request_size_bytes_bucket', { route: '/echo', le: '100' })).toBe(1);
    expect(seen.sum('http_response_size_bytes_sum', { route: '/echo' })).toBe(352);
  });

  it('measures streamed content by what the connection carried', async () => {
    const app = measuredApp();
    const events = new EventEmitter();
    app.post('/stream', (req, res) => {
      events.emit('arrived');
      req.resume().on('end', () => {
        res.write('x'.repeat(20_000));
        res.end('x'.repeat(20_000));
      });
    });
    const url = await listen(app);

    const arrived = once(events, 'arrived');
    const upload = request(`${url}/stream`, { method: 'POST' });
    upload.write('the beginning, in a chunk of its own');
    await arrived;
    upload.end('y'.repeat(50_000));
    const [response] = (await once(upload, 'response')) as [IncomingMessage];
    await once(response.resume(), 'end');

    const seen = await scrape(url);
    const sent = seen.sum('http_response_size_bytes_sum', { route: '/stream' });
    const received = seen.sum('http_request_size_bytes_sum', { route: '/stream' });
    expect(sent).toBeGreaterThanOrEqual(40_000);
    expect(sent).toBeLessThan(41_000);
    expect(received).toBeGreaterThanOrEqual(50_000);
    expect(received).toBeLessThan(51_000);
  });

  it('counts no content for HEAD and 304, whatever length they announce', async () => {
    const app = measuredApp();
    app.get('/page', (_req, res) => res.set('ETag', '"1"').send('x'.repeat(500)));
    const url = await listen(app);

    await fetch(`${url}/page`, { method: 'HEAD' });
    await fetch(`${url}/page`, { headers: { 'If-None-Match': '"1"', 'Cache-Control': 'max-age=0' } });

    const seen = await scrape(url);
    expect(seen.sum('http_requests_total', { route: '/page', status: '304' })).toBe(1);
    expect(seen.sum('http_response_size_bytes_sum', { route: '/page' })).toBe(0);
  });
});

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
    [{ buckets: [] }, 'metrics: "buckets" must be ascending numbers above 0'],
    [{ buckets: [1, 1] }, 'metrics: "buckets" must be ascending numbers above 0, got 1,1'],
    [{ sizeBuckets: [0, 1] }, 'metrics: "sizeBuckets" must be ascending numbers above 0'],
    [{ diskPath: '/no/such/path' }, 'metrics: "diskPath" must be a path that exists, got /no/such/path'],
    [{ registry: {} as Registry }, 'metrics: "registry" must be a Registry of prom-client'],
    [{ process: 1 as never }, 'metrics: "process" must be true or false, got 1'],
    [{ bucket: [1] } as MetricsOptions, 'metrics: unknown option "bucket"; did you mean "buckets"?'],
    [{ zeal: 1 } as MetricsOptions, 'metrics: unknown option "zeal"; there are registry, buckets'],
  ])('refuses %j', (options, message) => {
    expect(() => metrics(options)).toThrow(message);
  });
});
