import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listen } from '@signalbox/testing';
import express, { type RequestHandler } from 'express';
import { describe, expect, it, onTestFinished } from 'vitest';
import { appWith, send } from './support.js';

const count: RequestHandler = (req, _res, next) => {
  req.session.count = (req.session.count ?? 0) + 1;
  next();
};

/** Answers with the `Cache-Control` that is asked for, in each of the ways that there are. */
async function serve(): Promise<string> {
  // Each request that brings a cookie is sent it again.
  const { app } = appWith({ resendMs: 0 });
  app.get('/set/:control', count, (req, res) => res.set('Cache-Control', req.params.control).json({}));
  app.get('/write-head/:control', count, ({ params: { control = '' } }, res) => {
    res.writeHead(200, 'Fine', ['Cache-Control', control, 'X-Own', 'yes']).end('text');
  });
  app.get('/says-nothing', count, (_req, res) => res.json({}));
  app.get('/for-cdns', count, (_req, res) => {
    res.set({ 'CDN-Cache-Control': 'max-age=600', 'Surrogate-Control': 'max-age=600' });
    res.set('Cache-Control', 'max-age=60').json({});
  });
  const folder = mkdtempSync(join(tmpdir(), 'sessions-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'page.js'), 'export {};');
  app.use(express.static(folder, { maxAge: 600_000 }));
  return listen(app);
}

const controlOf = async (url: string, cookie?: string): Promise<string | undefined> =>
  (await send('GET', url, cookie === undefined ? {} : { cookie })).headers['cache-control'];

describe('an answer that sets the session’s cookie', () => {
  it.each([
    ['public, max-age=600', 'private, max-age=600'],
    ['s-maxage=60, max-age=5, public', 'private, max-age=5'],
    ['max-age=5, s-maxage=60', 'private, max-age=5'],
    ['public', 'private'],
    ['no-cache', 'private, no-cache'],
    ['no-cache="set-cookie, x", max-age=5', 'private, no-cache="set-cookie, x", max-age=5'],
    ['private="x", max-age=5', 'private, private="x", max-age=5'],
    ['private, max-age=5', 'private, max-age=5'],
    ['no-store', 'no-store'],
  ])('that says %s says %s, so that no cache gives the cookie to others', async (stated, sent) => {
    const url = await serve();
    const control = encodeURIComponent(stated);
    expect(await controlOf(`${url}/set/${control}`)).toBe(sent);
    const answer = await send('GET', `${url}/write-head/${control}`);
    expect(answer.headers['cache-control']).toBe(sent);
    expect([answer.headers['x-own'], answer.text]).toEqual(['yes', 'text']);
    expect(answer.cookie).toMatch(/^sid=/);
  });

  it('is private where it says nothing, and to caches that are spoken to by fields of their own', async () => {
    const url = await serve();
    expect(await controlOf(`${url}/says-nothing`)).toBe('private');
    const { headers } = await send('GET', `${url}/for-cdns`);
    expect(headers['cache-control']).toBe('private, max-age=60');
    expect([headers['cdn-cache-control'], headers['surrogate-control']]).toEqual([undefined, undefined]);
  });

  it('is private where the cookie is sent once more, with a file that is for all', async () => {
    const url = await serve();
    const { cookie } = await send('POST', `${url}/in/u_1`);
    expect(await controlOf(`${url}/page.js`)).toBe('public, max-age=600');
    expect(await controlOf(`${url}/page.js`, cookie)).toBe('private, max-age=600');
  });

  it('is private where it takes the cookie back', async () => {
    const url = await serve();
    const { cookie } = await send('POST', `${url}/in/u_1`);
    const { headers } = await send('POST', `${url}/out`, { cookie });
    expect(headers['set-cookie']).toEqual([expect.stringMatching(/^sid=;/)]);
    expect(headers['cache-control']).toBe('private');
  });
});
