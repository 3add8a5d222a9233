import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, request, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errorHandler } from '@signalbox/errors';
import { listen } from '@signalbox/testing';
import express, { type Express } from 'express';
import { Registry } from 'prom-client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { metricsEndpoint, metricsJson, type AccessOptions } from '../src/index.js';

function guardedApp(options: AccessOptions, trustProxy?: boolean | number | string): Express {
  const registry = new Registry();
  const app = express();
  if (trustProxy !== undefined) app.set('trust proxy', trustProxy);
  app.get('/metrics', metricsEndpoint({ ...options, registry }));
  app.get('/metrics.json', metricsJson({ ...options, registry }));
  app.use(errorHandler());
  return app;
}

async function statusOf(app: Express, headers: Record<string, string> = {}): Promise<number> {
  const url = await listen(app);
  return (await fetch(`${url}/metrics`, { headers })).status;
}

describe('access to the metrics', () => {
  it('is open to loopback addresses unless told otherwise', async () => {
    expect(await statusOf(guardedApp({}))).toBe(200);
  });

  it('is refused to other addresses with 403', async () => {
    const url = await listen(guardedApp({ allow: ['192.0.2.0/24'] }));

    for (const path of ['/metrics', '/metrics.json']) {
      const response = await fetch(url + path);
      expect(response.status).toBe(403);
      expect(await response.json()).toMatchObject({ error: { type: 'forbidden' } });
    }
  });

  it.each([
    ['X-Forwarded-For', '127.0.0.1'],
    ['Forwarded', 'for=127.0.0.1'],
    ['X-Real-IP', '127.0.0.1'],
    ['Via', '1.1 proxy'],
  ])(
    'is refused to what a proxy on the same host forwards with %s, since nobody trusts it',
    async (field, value) => {
      expect(await statusOf(guardedApp({}), { [field]: value })).toBe(403);
    },
  );

  it('is judged by the client where the proxy is trusted', async () => {
    const app = guardedApp({ allow: ['198.51.100.0/24', '2001:db8::/32'] }, 'loopback');

    expect(await statusOf(app, { 'X-Forwarded-For': '198.51.100.7' })).toBe(200);
    expect(await statusOf(app, { 'X-Forwarded-For': '2001:db8::7' })).toBe(200);
    expect(await statusOf(app, { 'X-Forwarded-For': '::ffff:198.51.100.7' })).toBe(200);
    expect(await statusOf(app, { 'X-Forwarded-For': '203.0.113.7' })).toBe(403);
    expect(await statusOf(app, { 'X-Forwarded-For': '198.51.100.7, 203.0.113.7' })).toBe(403);
    expect(await statusOf(app, { 'X-Forwarded-For': 'unknown' })).toBe(403);
  });

  it('counts hops where the app does', async () => {
    const app = guardedApp({ allow: ['198.51.100.7'] }, 1);

    expect(await statusOf(app, { 'X-Forwarded-For': '198.51.100.7' })).toBe(200);
    expect(await statusOf(app, { 'X-Forwarded-For': '198.51.100.7, 203.0.113.7' })).toBe(403);
  });

  it('is refused where the trusted proxy names the client in a field that Express does not read', async () => {
    expect(await statusOf(guardedApp({}, 'loopback'), { 'X-Real-IP': '203.0.113.7' })).toBe(403);
  });

  it('is refused to forwarded requests where every proxy is trusted, since anybody can forge the address', async () => {
    const app = guardedApp({}, true);

    expect(await statusOf(app, { 'X-Forwarded-For': '127.0.0.1' })).toBe(403);
    expect(await statusOf(app)).toBe(200);
  });

  it('is refused over a Unix socket, which has no address', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'metrics-'));
    const server = createServer(guardedApp({})).listen(join(folder, 'socket'));
    onTestFinished(async () => {
      server.close();
      await rm(folder, { recursive: true });
    });
    await once(server, 'listening');

    const asking = request({ socketPath: join(folder, 'socket'), path: '/metrics' }).end();
    const [response] = (await once(asking, 'response')) as [IncomingMessage];

    expect(response.resume().statusCode).toBe(403);
  });

  it('is open from anywhere to who knows the token', async () => {
    const app = guardedApp({ allow: [], token: ['new-secret', 'old-secret'] });

    expect(await statusOf(app, { Authorization: 'Bearer new-secret' })).toBe(200);
    expect(await statusOf(app, { Authorization: 'bearer old-secret' })).toBe(200);
    expect(
      await statusOf(app, { Authorization: 'Bearer new-secret', 'X-Forwarded-For': '203.0.113.7' }),
    ).toBe(200);
  });

  it.each([
    [{}, 'Bearer'],
    [{ Authorization: 'Basic bmV3LXNlY3JldDo=' }, 'Bearer'],
    [{ Authorization: 'Bearer' }, 'Bearer'],
    [{ Authorization: 'Bearer wrong' }, 'Bearer error="invalid_token"'],
    [{ Authorization: 'Bearer new-secret-and-more' }, 'Bearer error="invalid_token"'],
  ])('answers %j with 401 and a challenge', async (headers, challenge) => {
    const url = await listen(guardedApp({ allow: [], token: 'new-secret' }));

    const response = await fetch(`${url}/metrics`, { headers: { ...headers } });

    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe(challenge);
    expect(await response.json()).toMatchObject({ error: { type: 'unauthorized' } });
  });
});
