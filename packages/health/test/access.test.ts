import { request, createServer } from 'node:http';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listen } from '@signalbox/testing';
import type { IncomingMessage } from 'node:http';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { HealthOptions } from '../src/index.js';
import { appWith, opened } from './support.js';

interface Setup {
  access?: HealthOptions['access'];
  trustProxy?: unknown;
}

async function statusOf(
  headers: Record<string, string>,
  { access, trustProxy }: Setup = {},
): Promise<number> {
  const app = appWith(opened({ access }), (app) => {
    if (trustProxy !== undefined) app.set('trust proxy', trustProxy);
  });
  const url = await listen(app);
  return (await fetch(`${url}/health/detailed`, { headers })).status;
}

describe('who may read /health/detailed', () => {
  it('is the loopback address by default', async () => {
    expect(await statusOf({})).toBe(200);
  });

  it('is refused with 403 forbidden from an address that is not listed', async () => {
    const url = await listen(appWith(opened({ access: ['10.0.0.0/8', '2001:db8::/32', '192.0.2.1'] })));
    const refused = await fetch(`${url}/health/detailed`);
    expect(refused.status).toBe(403);
    expect(await refused.json()).toEqual({ code: 'forbidden' });
    expect((await fetch(`${url}/health`)).status).toBe(200);
  });

  it('is nobody where the list is empty', async () => {
    expect(await statusOf({}, { access: [] })).toBe(403);
  });

  it.each([
    { 'X-Forwarded-For': '127.0.0.1' },
    { Forwarded: 'for=127.0.0.1' },
    { 'X-Real-IP': '127.0.0.1' },
    { 'X-Forwarded-Host': 'localhost' },
    { Via: '1.1 proxy' },
    { 'CF-Connecting-IP': '127.0.0.1' },
  ])('is not a request with %o from a peer that is not trusted', async (headers) => {
    expect(await statusOf(headers)).toBe(403);
  });

  it.each([
    [200, '10.1.2.3'],
    [200, '127.0.0.1, 10.1.2.3'],
    [200, '::ffff:10.1.2.3'],
    [403, '::ffff:203.0.113.9'],
    [403, 'fe80::1%eth0'],
    [403, '10.1.2.3, 203.0.113.9'],
    [403, '203.0.113.9'],
    [403, 'unknown'],
    [403, ''],
  ])('is judged, %s, by the address after trusted proxies in %j', async (status, forwardedFor) => {
    const setup = { access: ['10.0.0.0/8'], trustProxy: 'loopback' };
    expect(await statusOf({ 'X-Forwarded-For': forwardedFor }, setup)).toBe(status);
  });

  it('is not known where a trusted proxy names the caller in another field', async () => {
    expect(await statusOf({ 'X-Real-IP': '203.0.113.9' }, { trustProxy: 'loopback' })).toBe(403);
  });

  it('is not known where every proxy is trusted, since the caller could write anything', async () => {
    expect(await statusOf({ 'X-Forwarded-For': '127.0.0.1' }, { trustProxy: true })).toBe(403);
    expect(await statusOf({}, { trustProxy: true })).toBe(200);
  });

  it('is not known over a Unix socket', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'signalbox-health-'));
    const socketPath = join(folder, 's');
    const server = createServer(appWith(opened())).listen(socketPath);
    await once(server, 'listening');
    onTestFinished(async () => {
      server.close();
      // Not rmSync: after a socket, `require` would follow no links in this process.
      await rm(folder, { recursive: true });
    });
    const statusAt = async (path: string): Promise<number | undefined> => {
      const req = request({ socketPath, path, agent: false }).end();
      const [res] = (await once(req, 'response')) as [IncomingMessage];
      res.resume();
      return res.statusCode;
    };
    expect(await statusAt('/health/detailed')).toBe(403);
    expect(await statusAt('/health')).toBe(200);
  });

  it('can be said by a function, also an asynchronous one', async () => {
    const hasRole = (req: { headers: IncomingMessage['headers'] }): boolean =>
      req.headers['x-role'] === 'admin';
    expect(await statusOf({ 'X-Role': 'admin' }, { access: hasRole })).toBe(200);
    expect(await statusOf({}, { access: hasRole })).toBe(403);
    expect(await statusOf({ 'X-Role': 'admin' }, { access: async (req) => hasRole(req) })).toBe(200);
    expect(await statusOf({}, { access: async (req) => hasRole(req) })).toBe(403);
  });

  it('is passed on as the error that the function throws', async () => {
    const error = Object.assign(new Error('no store'), { status: 503, code: 'session_store_unavailable' });
    expect(await statusOf({}, { access: () => Promise.reject(error) })).toBe(503);
    const throws = (): never => {
      throw error;
    };
    expect(await statusOf({}, { access: throws })).toBe(503);
  });
});
