import { connect } from 'node:net';
import { once } from 'node:events';
import { facts } from '@signalbox/context';
import { signals } from '@signalbox/signals';
import { assertNeverHangs, listen, start } from '@signalbox/testing';
import express from 'express';
import { describe, expect, it, onTestFinished } from 'vitest';
import { appWith, opened, quick, until } from './support.js';

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

const fails = (): never => {
  throw new Error('connect ECONNREFUSED 127.0.0.1:6379');
};

async function json(response: Response): Promise<Record<string, unknown>> {
  return (await response.json()) as Record<string, unknown>;
}

describe('/health', () => {
  it('answers 200 with service, version, time, deployment and the state of each service', async () => {
    const handle = opened({
      checks: [quick('redis', () => 'PONG'), quick('disk', () => undefined, { critical: true })],
      deployment: { mode: 'cluster', server: 'signalbox', messageQueue: 'redis' },
    });
    await until(() => handle.report().services['disk']?.status === 'healthy');
    await until(() => handle.report().services['redis']?.status === 'healthy');

    const response = await fetch(`${await listen(appWith(handle))}/health`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(await response.json()).toEqual({
      status: 'healthy',
      service: 'search',
      version: '1.4.0',
      timestamp: expect.stringMatching(ISO) as string,
      deployment: { mode: 'cluster', server: 'signalbox', message_queue: 'redis' },
      services: {
        redis: { status: 'healthy', critical: false },
        disk: { status: 'healthy', critical: true },
      },
    });
  });

  it('describes a single process without a message queue by default', async () => {
    const url = await listen(appWith(opened()));
    expect(await json(await fetch(`${url}/health`))).toMatchObject({
      status: 'healthy',
      deployment: { mode: 'single', server: 'node', message_queue: null },
      services: {},
    });
  });

  it('shows the time of the request, although the rest is rendered once', async () => {
    const url = await listen(appWith(opened()));
    const first = (await json(await fetch(`${url}/health`)))['timestamp'];
    await until(() => new Date().toISOString() !== first);
    const later = (await json(await fetch(`${url}/health`)))['timestamp'];
    expect(String(later) > String(first)).toBe(true);
  });

  it('stays 200 and says degraded while an optional check fails', async () => {
    const handle = opened({ checks: [quick('redis', fails), quick('disk', () => undefined)] });
    await until(() => handle.report().services['redis']?.status === 'unhealthy');

    const response = await fetch(`${await listen(appWith(handle))}/health`);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      status: 'degraded',
      services: { redis: { status: 'unhealthy' } },
    });
  });

  it('answers 503 and says unhealthy while a critical check fails, and recovers with it', async () => {
    let isBroken = true;
    const run = (): void => {
      if (isBroken) fails();
    };
    const handle = opened({ checks: [quick('signing-key', run, { critical: true })] });
    const url = await listen(appWith(handle));
    await until(() => handle.report().status === 'unhealthy');

    const broken = await fetch(`${url}/health`);
    expect(broken.status).toBe(503);
    expect(await broken.json()).toMatchObject({ status: 'unhealthy' });

    isBroken = false;
    await until(() => handle.report().status === 'healthy');
    expect((await fetch(`${url}/health`)).status).toBe(200);
  });

  it('is degraded while a check says so, while a feature runs by its failure policy, and while a module failed', async () => {
    let says = 'degraded';
    const handle = opened({ checks: [quick('redis', () => says)] });
    const url = await listen(appWith(handle));
    await until(() => handle.report().status === 'degraded');

    says = 'healthy';
    await until(() => handle.report().status === 'healthy');
    const feature = { feature: 'rate-limit', policy: 'local', reason: 'Redis is down' } as const;
    signals.featureState.publish({ ...feature, degraded: true });
    expect(await json(await fetch(`${url}/health`))).toMatchObject({ status: 'degraded' });

    signals.featureState.publish({ ...feature, degraded: false });
    expect(await json(await fetch(`${url}/health`))).toMatchObject({ status: 'healthy' });

    const module = { module: 'ocr', prefix: '/api/ocr' };
    signals.moduleState.publish({ ...module, state: 'failed', error: new Error('no such file') });
    expect(await json(await fetch(`${url}/health`))).toMatchObject({
      status: 'degraded',
      modules: { ocr: { status: 'unhealthy' } },
    });
    signals.moduleState.publish({ ...module, state: 'ready', error: undefined });
    expect(await json(await fetch(`${url}/health`))).toMatchObject({
      status: 'healthy',
      modules: { ocr: { status: 'healthy' } },
    });
  });
});

describe('/health/detailed', () => {
  it('adds latency, last error, last success, details and a bounded history', async () => {
    let isBroken = true;
    const run = (): unknown => (isBroken ? fails() : { details: { role: 'master' } });
    const handle = opened({ checks: [quick('redis', run, { everyMs: 1 })] });
    await until(() => handle.report().services['redis']?.status === 'unhealthy');
    isBroken = false;
    await until(() => handle.report().services['redis']?.history.length === 20);

    const response = await fetch(`${await listen(appWith(handle))}/health/detailed`);
    expect(response.status).toBe(200);
    const { services } = (await response.json()) as { services: Record<string, { history: unknown[] }> };
    const redis = services['redis'];
    expect(redis).toMatchObject({
      status: 'healthy',
      critical: false,
      since: expect.stringMatching(ISO) as string,
      checked_at: expect.stringMatching(ISO) as string,
      latency_ms: expect.any(Number) as number,
      consecutive_failures: 0,
      last_success: expect.stringMatching(ISO) as string,
      last_error: {
        message: 'connect ECONNREFUSED 127.0.0.1:6379',
        at: expect.stringMatching(ISO) as string,
      },
      details: { role: 'master' },
    });
    expect(redis?.history).toHaveLength(20);
    expect(redis?.history.at(-1)).toEqual({
      at: expect.stringMatching(ISO) as string,
      status: 'healthy',
      latency_ms: expect.any(Number) as number,
    });
  });

  it('shows features with their policy and reason, and modules with their error', async () => {
    const handle = opened();
    signals.featureState.publish({
      feature: 'sessions',
      degraded: true,
      policy: 'unavailable',
      reason: 'cannot reach redis://app:hunter2@10.0.0.7:6379',
    });
    signals.moduleState.publish({
      module: 'ocr',
      prefix: '/api/ocr',
      state: 'failed',
      error: new Error('gone'),
    });

    const url = await listen(appWith(handle));
    expect(await json(await fetch(`${url}/health/detailed`))).toMatchObject({
      features: {
        sessions: { degraded: true, policy: 'unavailable', reason: 'cannot reach redis://***@10.0.0.7:6379' },
      },
      modules: { ocr: { status: 'unhealthy', prefix: '/api/ocr', last_error: 'gone' } },
    });
  });

  it('answers 503 while a critical check fails', async () => {
    const handle = opened({ checks: [quick('key', fails, { critical: true })] });
    await until(() => handle.report().status === 'unhealthy');
    expect((await fetch(`${await listen(appWith(handle))}/health/detailed`)).status).toBe(503);
  });
});

describe('/livez', () => {
  it('answers 200 whatever the checks say, and after the handle was closed', async () => {
    const handle = opened({ checks: [quick('key', fails, { critical: true })] });
    await until(() => handle.report().status === 'unhealthy');
    const url = await listen(appWith(handle));

    expect(await json(await fetch(`${url}/livez`))).toEqual({ status: 'alive' });
    handle.close();
    expect((await fetch(`${url}/livez`)).status).toBe(200);
  });
});

describe('/readyz', () => {
  it('is starting until every critical check has a result, whatever the optional ones do', async () => {
    let answer = (): void => undefined;
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const handle = opened({
      checks: [
        quick('key', () => answered, { critical: true }),
        quick('redis', () => new Promise(() => undefined)),
      ],
    });
    const url = await listen(appWith(handle));

    const starting = await fetch(`${url}/readyz`);
    expect(starting.status).toBe(503);
    expect(await starting.json()).toEqual({ status: 'starting' });

    answer();
    await until(() => handle.report().services['key']?.status === 'healthy');
    const ready = await fetch(`${url}/readyz`);
    expect(ready.status).toBe(200);
    expect(await ready.json()).toEqual({ status: 'ready' });
  });

  it('names the critical checks that fail, and ignores the optional ones', async () => {
    const handle = opened({
      checks: [quick('key', fails, { critical: true }), quick('redis', fails)],
    });
    await until(() => Object.values(handle.report().services).every(({ status }) => status === 'unhealthy'));

    const response = await fetch(`${await listen(appWith(handle))}/readyz`);
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({ status: 'not_ready', failing: ['key'] });
  });

  it('follows the state of the server that the request came in by, and of no other', async () => {
    const app = appWith(opened());
    const ours = await start(app);
    const other = await start(app);
    onTestFinished(async () => {
      await Promise.all([ours.close(), other.close()]);
    });
    const statusOf = async (url: string): Promise<unknown> => {
      const response = await fetch(`${url}/readyz`);
      return [response.status, (await json(response))['status']];
    };

    signals.serverState.publish({ server: ours.server, state: 'starting' });
    expect(await statusOf(ours.url)).toEqual([503, 'starting']);
    signals.serverState.publish({ server: ours.server, state: 'ready' });
    expect(await statusOf(ours.url)).toEqual([200, 'ready']);
    signals.serverState.publish({ server: ours.server, state: 'draining' });
    expect(await statusOf(ours.url)).toEqual([503, 'draining']);
    expect(await statusOf(other.url)).toEqual([200, 'ready']);
  });

  it('answers 503 once the handle is closed', async () => {
    const handle = opened();
    const url = await listen(appWith(handle));
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    handle.close();
    handle.close();
    expect((await fetch(`${url}/readyz`)).status).toBe(503);
  });
});

describe('/status', () => {
  it('tells name, version, environment, uptime and time', async () => {
    const url = await listen(appWith(opened({ environment: 'production' })));
    expect(await json(await fetch(`${url}/status`))).toEqual({
      name: 'search',
      version: '1.4.0',
      environment: 'production',
      uptime: expect.any(Number) as number,
      timestamp: expect.stringMatching(ISO) as string,
      status: 'healthy',
      degraded: [],
    });
  });

  it('lists what runs degraded: checks, features and modules, without their reasons', async () => {
    const handle = opened({ checks: [quick('redis', fails)] });
    const url = await listen(appWith(handle));
    await until(() => handle.report().status === 'degraded');
    signals.featureState.publish({
      feature: 'cache',
      degraded: true,
      policy: 'open',
      reason: 'Redis is down',
    });
    signals.moduleState.publish({ module: 'ocr', prefix: '/ocr', state: 'failed', error: undefined });

    const since = expect.stringMatching(ISO) as string;
    expect((await json(await fetch(`${url}/status`)))['degraded']).toEqual([
      { feature: 'redis', kind: 'check', since },
      { feature: 'cache', kind: 'feature', since },
      { feature: 'ocr', kind: 'module', since },
    ]);
  });
});

const PATHS = ['/health', '/health/detailed', '/livez', '/readyz', '/status'];

describe('every probe', () => {
  it.each(PATHS)('%s takes query strings, a slash at the end, and both', async (path) => {
    const url = await listen(appWith(opened()));
    for (const form of [path, `${path}?x=1`, `${path}/`, `${path}/?x=1&y=%2F`, `${path}?`]) {
      expect([form, (await fetch(url + form)).status]).toEqual([form, 200]);
    }
  });

  it.each(PATHS)('%s answers HEAD with the same fields and no body', async (path) => {
    const url = await listen(appWith(opened()));
    const head = await fetch(url + path, { method: 'HEAD' });
    expect(head.status).toBe(200);
    expect(head.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(Number(head.headers.get('content-length'))).toBeGreaterThan(0);
    expect(await head.text()).toBe('');
  });

  it.each(PATHS)('%s refuses other methods with 405 and Allow', async (path) => {
    const url = await listen(appWith(opened()));
    for (const method of ['POST', 'PUT', 'DELETE']) {
      const response = await fetch(url + path, { method });
      expect(response.status).toBe(405);
      expect(response.headers.get('allow')).toBe('GET, HEAD');
      expect(await response.json()).toEqual({ code: 'method_not_allowed' });
    }
  });

  it.each(PATHS)('%s answers at once while every check hangs, also with a query', async (path) => {
    const hangs = (): Promise<never> => new Promise(() => undefined);
    const handle = opened({
      checks: [quick('a', hangs, { critical: true }), quick('b', hangs, { timeoutMs: 10 })],
    });
    const url = await listen(appWith(handle));
    const response = await assertNeverHangs(`${url}${path}?x=1`, { withinMs: 5_000 });
    expect([200, 503]).toContain(response.status);
  });

  it.each(PATHS)('%s leaves no line in the request log', async (path) => {
    const silent: unknown[] = [];
    const app = express().use((req, res, next) => {
      res.on('finish', () => silent.push(facts(req).silent));
      next();
    });
    app.use(appWith(opened()));
    const url = await listen(app);
    await (await fetch(url + path)).text();
    await until(() => silent.length === 1);
    expect(silent).toEqual([true]);
  });

  it('passes on what only looks like a probe', async () => {
    const url = await listen(appWith(opened()));
    for (const path of [
      '/',
      '/h',
      '/healthy',
      '/health/',
      '/health//',
      '/health/x',
      '/livez.html',
      '/Status',
      '/s',
      '/xyz',
      '/search?q=/health',
    ]) {
      const response = await fetch(url + path);
      expect([path, response.status]).toEqual([path, path === '/health/' ? 200 : 404]);
    }
  });

  it('answers under the path where it is mounted', async () => {
    const url = await listen(express().use('/internal', opened().probes()));
    expect((await fetch(`${url}/internal/health?x`)).status).toBe(200);
    expect((await fetch(`${url}/health`)).status).toBe(404);
  });

  it('answers a request that names the whole URL, as to a proxy', async () => {
    const { port } = new URL(await listen(appWith(opened())));
    const socket = connect(Number(port), '127.0.0.1');
    socket.end(`GET http://app.example/livez HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n\r\n`);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('can have another path, or none', async () => {
    const handle = opened({ paths: { livez: '/healthz', status: false, detailed: '/internals/health' } });
    const url = await listen(appWith(handle));
    const statuses: number[] = [];
    for (const path of ['/healthz', '/internals/health/', '/livez', '/status', '/health']) {
      statuses.push((await fetch(url + path)).status);
    }
    expect(statuses).toEqual([200, 200, 404, 404, 200]);
  });
});
