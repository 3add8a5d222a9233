import { AsyncLocalStorage } from 'node:async_hooks';
import { currentRequest, requestContext } from '@signalbox/context';
import type { HttpError } from '@signalbox/errors';
import { listen } from '@signalbox/testing';
import express, { type ErrorRequestHandler, type RequestHandler } from 'express';
import { describe, expect, it } from 'vitest';
import { testProxy } from './proxy-support.js';

const paths = new AsyncLocalStorage<string>();

/** What runs for whom: told by a storage of the app's own, and by `currentRequest()`. */
function inContext(path: string): boolean {
  return paths.getStore() === path && currentRequest()?.req?.path === path;
}

/** An app whose requests share one connection to the upstream, and what was found where. */
async function watched(): Promise<{ url: string; found: Record<string, boolean> }> {
  const upstream = express();
  upstream.get('/broken', (req) => void setTimeout(() => req.socket.destroy(), 10));
  upstream.get(['/silent', '/silent-too'], () => undefined);
  upstream.get('/chunks', (_req, res) => {
    res.write('one');
    setTimeout(() => res.end('two'), 20);
  });
  upstream.use((_req, res) => void res.end('short'));

  const found: Record<string, boolean> = {};
  const note: RequestHandler = (req, res, next) => {
    const { path } = req;
    for (const name of ['writeHead', 'write', 'end'] as const) {
      const inner = res[name] as (...args: unknown[]) => never;
      res[name] = (...args: unknown[]) => {
        found[`${path} ${name}`] = inContext(path);
        return Reflect.apply(inner, res, args);
      };
    }
    paths.run(path, next);
  };
  const fail: ErrorRequestHandler = (error: HttpError, req, res, _next) => {
    found[`${req.path} ${error.code}`] = inContext(req.path);
    res.status(error.status).end();
  };
  const settings = { maxConnections: 1, timeoutMs: 100, retries: 0, via: 'shop' };
  const shop = testProxy({ ...settings, to: await listen(upstream) });
  const url = await listen(express().use(requestContext(), note, shop, fail));
  await (await fetch(`${url}/first`)).text();
  return { url, found };
}

describe('context', () => {
  it('is the one of the request while its answer is sent, whoever opened the connection', async () => {
    const { url, found } = await watched();
    for (const path of ['/short', '/chunks']) await (await fetch(url + path)).text();
    await (await fetch(`${url}/posted`, { method: 'POST', body: 'small' })).text();
    expect(found).toMatchObject({
      '/short writeHead': true,
      '/short end': true,
      '/chunks writeHead': true,
      '/chunks write': true,
      '/chunks end': true,
      '/posted end': true,
    });
  });

  it('is the one of the request in the error handler', async () => {
    const { url, found } = await watched();
    await fetch(`${url}/broken`);
    await Promise.all(['/silent', '/silent-too'].map((path) => fetch(url + path)));
    expect(found).toMatchObject({
      '/broken upstream_unreachable': true,
      '/silent upstream_timeout': true,
      '/silent-too upstream_timeout': true,
    });
  });
});
