import { EventEmitter, once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { listen } from '@signalbox/testing';
import express, { Router } from 'express';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { metrics, metricsEndpoint } from '../src/index.js';
import { measuredApp, pipeline, scrape } from './scraping.js';

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

  it('adds one series to each metric for a scan of 10 000 unknown paths', { timeout: 60_000 }, async () => {
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
