import { cache } from '@signalbox/cache';
import { listen } from '@signalbox/testing';
import { deprecated, versions } from '@signalbox/versioning';
import express, { Router, type RequestHandler } from 'express';
import { describe, expect, it } from 'vitest';
import { send, type Answer } from '../support/send.js';

function says(from: string): RequestHandler {
  return (_req, res) => void res.json({ from });
}

/** An API below a cache. */
async function cached(
  api: RequestHandler,
): Promise<(path: string, headers?: Record<string, string>) => Promise<Answer>> {
  const url = await listen(express().use('/api', cache({ ttlMs: 60_000 }), api));
  return (path, headers = {}) => send(`${url}/api${path}`, { headers });
}

describe('versions below a cache', () => {
  it.each([
    ['a header field', { 'x-api-version': 'v1' }],
    ['what is accepted', { accept: 'application/json;version=v1' }],
    ['what is sent, even if nothing is', { 'content-type': 'application/json;version=v1' }],
  ])('are kept apart where they are named by %s', async (_what, headers) => {
    const [v1, v2] = [Router().get('/a', says('v1')), Router().get('/a', says('v2'))];
    const get = await cached(versions({ v1, v2 }, { default: 'v2', mediaType: true }));
    expect((await get('/a', headers)).text).toBe('{"from":"v1"}');
    expect((await get('/a')).text).toBe('{"from":"v2"}');
    const again = await get('/a', headers);
    expect(again.text).toBe('{"from":"v1"}');
    expect(again.headers['cache-status']).toContain('hit');
  });

  it.each<[string, RequestHandler]>([
    ['json', says('v1')],
    ['writeHead', (_req, res) => void res.writeHead(200, { Link: '</a>; rel="first"' }).end('a')],
    ['write', (_req, res) => void (res.write('a'), res.end('b'))],
  ])('are deprecated with every field in answers that are kept, too: %s', async (_what, handler) => {
    const v1 = Router()
      .use(deprecated({ since: '2026-01-31', successor: '/api/v2' }))
      .get('/a', handler);
    const get = await cached(versions({ v1 }));
    const [fresh, kept] = [await get('/v1/a'), await get('/v1/a')];
    expect(kept.headers['cache-status']).toContain('hit');
    for (const { headers } of [fresh, kept]) {
      expect(headers.deprecation).toBe('@1769817600');
      expect(String(headers.link).match(/<\/api\/v2>; rel="successor-version"/g)).toHaveLength(1);
    }
    expect(kept.headers.link).toBe(fresh.headers.link);
  });
});
