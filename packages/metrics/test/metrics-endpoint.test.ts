import { facts } from '@signalbox/context';
import { errorHandler } from '@signalbox/errors';
import { listen } from '@signalbox/testing';
import express, { type Express } from 'express';
import { Counter, Gauge, Registry, Summary } from 'prom-client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { metrics, metricsEndpoint, type MetricsEndpointOptions } from '../src/index.js';
import { readOpenMetrics, readPrometheus } from './read-metrics.js';
import { scrape } from './scraping.js';

/** What Prometheus 3 sends. */
const PROMETHEUS_ACCEPT =
  'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,' +
  'application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,' +
  'text/plain;version=0.0.4;q=0.2,*/*;q=0.1';

function metricsApp(
  options: MetricsEndpointOptions = {},
  configure: (app: Express) => void = () => undefined,
): Express {
  const registry = options.registry ?? new Registry();
  const app = express();
  configure(app);
  const meter = metrics({ registry });
  onTestFinished(() => meter.close());
  app.use(meter);
  app.all('/metrics', metricsEndpoint({ ...options, registry }));
  app.use(errorHandler());
  return app;
}

describe('metricsEndpoint', () => {
  it("answers in Prometheus' text format, not to be kept", async () => {
    const url = await listen(metricsApp());

    const response = await fetch(`${url}/metrics`);

    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(response.headers.get('vary')).toBe('Accept');
    expect(response.headers.get('etag')).toBeNull();
    readPrometheus(await response.text());
  });

  it('answers in OpenMetrics where that is preferred, again and again', async () => {
    const url = await listen(metricsApp());
    const ask = () => fetch(`${url}/metrics`, { headers: { Accept: PROMETHEUS_ACCEPT } });

    await ask();
    const response = await ask();

    expect(response.headers.get('content-type')).toBe(
      'application/openmetrics-text; version=1.0.0; charset=utf-8',
    );
    const seen = readOpenMetrics(await response.text());
    expect(seen.families.get('http_requests')?.type).toBe('counter');
    expect(seen.sum('http_requests_total', { route: '/metrics' })).toBe(1);
    // prom-client's own way to OpenMetrics renames the counters for good.
    expect((await scrape(url)).sum('http_requests_total', { route: '/metrics' })).toBe(2);
  });

  it.each([
    ['application/openmetrics-text', 'openmetrics'],
    ['application/openmetrics-text; version=1.0.0, text/plain', 'openmetrics'],
    ['Application/OpenMetrics-Text;Version=1.0.0', 'openmetrics'],
    ['application/openmetrics-text; version=1.0.0; q=0.3, text/plain; q=0.5', 'plain'],
    ['application/openmetrics-text; version=2.0.0', 'plain'],
    ['application/openmetrics-text; q=0', 'plain'],
    ['application/openmetrics-text; q=nonsense', 'plain'],
    ['text/html, application/xhtml+xml, */*;q=0.8', 'plain'],
    ['*/*', 'plain'],
    ['', 'plain'],
    [';;,,=;q=,', 'plain'],
  ])('takes Accept "%s" as %s', async (accept, format) => {
    const url = await listen(metricsApp());

    const response = await fetch(`${url}/metrics`, { headers: { Accept: accept } });

    expect(response.headers.get('content-type')).toContain(format);
  });

  it('answers HEAD as GET, without the content', async () => {
    const url = await listen(metricsApp());

    const response = await fetch(`${url}/metrics`, { method: 'HEAD' });

    expect(response.status).toBe(200);
    expect(Number(response.headers.get('content-length'))).toBeGreaterThan(1_000);
    expect(await response.text()).toBe('');
  });

  it('refuses other methods with 405', async () => {
    const url = await listen(metricsApp());

    const response = await fetch(`${url}/metrics`, { method: 'POST' });

    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('GET, HEAD');
  });

  it('leaves no line in the request log, unless it refuses', async () => {
    const silent: unknown[] = [];
    const app = metricsApp({ token: 'open-sesame' }, (app) => {
      app.set('trust proxy', 'loopback');
      app.use((req, res, next) => {
        res.on('finish', () => silent.push(facts(req).silent));
        next();
      });
    });
    const url = await listen(app);

    await fetch(`${url}/metrics`);
    await fetch(`${url}/metrics`, { headers: { 'X-Forwarded-For': '198.51.100.7' } });

    expect(silent).toEqual([true, undefined]);
  });

  it("shows the app's own metrics, whatever their labels hold", async () => {
    const registry = new Registry();
    const registers = [registry];
    new Counter({ name: 'odd_total', help: 'Odd\nvalues.', labelNames: ['value'], registers }).inc({
      value: 'a "quoted" \\ \n value',
    });
    new Gauge({ name: 'far', help: 'Far.', registers }).set(Infinity);
    new Summary({ name: 'spread', help: 'Spread.', registers, percentiles: [0.5] }).observe(3);
    const url = await listen(metricsApp({ registry }));

    const seen = await scrape(url);

    expect(seen.find('odd_total')[0]?.labels).toEqual({ value: 'a "quoted" \\ \n value' });
    expect(seen.sum('far')).toBe(Infinity);
    expect(seen.sum('spread', { quantile: '0.5' })).toBe(3);
  });

  it('passes the failure of a collector on', async () => {
    const registry = new Registry();
    const broken = () => {
      throw new Error('the sensor is gone');
    };
    new Gauge({ name: 'broken', help: 'Broken.', registers: [registry], collect: broken }).set(1);
    const url = await listen(metricsApp({ registry }));

    expect((await fetch(`${url}/metrics`)).status).toBe(500);
  });

  it.each([
    [
      { allow: ['10.0.0.0/33'] },
      'metricsEndpoint: "allow" must be a list of addresses and networks, got "10.0.0.0/33"',
    ],
    [
      { allow: ['localhost'] },
      'metricsEndpoint: "allow" must be a list of addresses and networks, got "localhost"',
    ],
    [{ allow: ['10.0.0.0/'] }, 'got "10.0.0.0/"'],
    [{ allow: ['::1/64/3'] }, 'got "::1/64/3"'],
    [{ allow: '127.0.0.1' as never }, 'got "127.0.0.1"'],
    [{ token: '' }, 'metricsEndpoint: "token" must be a string without spaces'],
    [{ token: ['ok', 'two words'] }, 'metricsEndpoint: "token" must be a string without spaces'],
    [{ registry: 'x' as never }, 'metricsEndpoint: "registry" must be a Registry of prom-client, got "x"'],
    [{ tokens: 'x' } as never, 'metricsEndpoint: "tokens" is not an option; did you mean "token"?'],
  ] satisfies [MetricsEndpointOptions, string][])('refuses %j at construction', (options, message) => {
    expect(() => metricsEndpoint(options)).toThrow(message);
  });
});
