import { Agent } from 'node:http';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { NotFoundError } from '@signalbox/errors';
import { listen } from '@signalbox/testing';
import type { ErrorRequestHandler, RequestHandler, Response } from 'express';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../test/support/eventually.js';
import { appWith, send, slowStore, withErrors, type SlowStore } from './support.js';

const MEGABYTES = Buffer.alloc(5 * 1024 * 1024, 'abcdefghij');

const write: RequestHandler = (req, _res, next) => {
  req.session.count = (req.session.count ?? 0) + 1;
  next();
};

async function serve(): Promise<{ url: string; store: SlowStore; heard: unknown[] }> {
  const heard: unknown[] = [];
  const store = slowStore();
  const folder = mkdtempSync(join(tmpdir(), 'sessions-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'file.txt'), MEGABYTES);
  const { app, session } = appWith({ store });
  app.get('/redirect', write, (_req, res) => res.redirect(303, '/read'));
  app.get('/write-head', write, (_req, res) => {
    res.writeHead(201, 'Made', { 'X-Made': 'yes' });
    res.end('made');
  });
  const own = {
    'by-name': { 'Set-Cookie': ['theme=dark', 'lang=en'] },
    'in-turn': ['set-cookie', 'theme=dark', 'Set-Cookie', 'lang=en'],
  };
  app.get('/write-cookies/:way', write, (req, res) => {
    res.writeHead(200, own[req.params.way as keyof typeof own]).end();
  });
  app.get('/write-out/:way', async (req, res) => {
    await session.signOut(req);
    res.writeHead(200, own[req.params.way as keyof typeof own]).end();
  });
  app.get('/empty', write, (_req, res) => void res.status(204).end());
  app.get('/json', write, (_req, res) => void res.json({ done: true }));
  app.get('/callback', write, (_req, res) => {
    res.end('text', 'utf8', () => res.req.socket.emit('ended'));
  });
  app.get('/file', write, (_req, res) => res.sendFile(join(folder, 'file.txt')));
  app.get('/pipeline', write, async (_req, res) => {
    const chunks = Array.from({ length: 80 }, (_each, index) =>
      MEGABYTES.subarray(index * 65_536, (index + 1) * 65_536),
    );
    await pipeline(Readable.from(chunks), res);
  });
  app.get('/chunks', write, (_req, res) => {
    for (let index = 0; index < 50; index++) res.write(`${index},`);
    res.end('end');
  });
  app.get('/sse', write, (_req, res) => {
    res.set('Content-Type', 'text/event-stream').flushHeaders();
    res.write('data: 1\n\n');
    setImmediate(() => {
      res.write('data: 2\n\n');
      res.end();
    });
  });
  app.get('/late', write, async (req, res) => {
    res.write('first,');
    await new Promise((resolve) => setImmediate(resolve));
    req.session.count = 1_000;
    res.end('last');
  });
  app.get('/late-and-throws', write, async (req, res) => {
    await new Promise((resolve) => res.write('first,', resolve));
    req.session.count = 1_000;
    res.end('last');
    throw new Error('after the end');
  });
  app.get('/until-it-fails', write, async (req, res) => {
    res.write('first,');
    while (!store.fails) await new Promise((resolve) => setImmediate(resolve));
    req.session.count = 1_000;
    res.end('last');
  });
  app.get('/waits', write, async (_req, res) => {
    heard.push(await new Promise((resolve) => res.write('first,', resolve)));
    heard.push(await new Promise((resolve) => res.end('last', () => resolve(undefined))));
  });
  app.get('/bigint', (req, res) => {
    req.session.cart = 10n;
    res.json({});
  });
  app.get('/circle', (req, res) => {
    const circle: Record<string, unknown> = {};
    req.session.cart = Object.assign(circle, { circle });
    res.json({});
  });
  app.get('/answers-and-throws', write, (_req, res) => {
    res.json({ done: true });
    throw new Error('after the answer');
  });
  app.get('/answers-and-rejects', write, async (_req, res) => {
    res.json({ done: true });
    await Promise.reject(new Error('after the answer'));
  });
  app.get('/answers-twice', write, (_req, res) => {
    res.json({ done: true });
    res.status(500).set('X-Later', 'yes').json({ done: 'once more, and with more words' });
  });
  app.get('/answers-and-asks-whether', write, (_req, res) => {
    res.json({ done: true });
    if (!res.headersSent || !res.writableEnded) res.sendStatus(204);
  });
  app.get('/begins-and-throws', write, (_req, res) => {
    res.type('text').write('first,');
    throw new Error('after the beginning');
  });
  app.get('/bad-header', write, (_req, res) => {
    res.writeHead(200, { 'X-Bad': 'a\nb' });
    res.end();
  });
  return { url: await listen(withErrors(app)), store, heard };
}

const ROUTES: readonly [path: string, status: number, text: string][] = [
  ['/json', 200, '{"done":true}'],
  ['/redirect', 303, 'See Other. Redirecting to /read'],
  ['/write-head', 201, 'made'],
  ['/empty', 204, ''],
  ['/callback', 200, 'text'],
  ['/file', 200, MEGABYTES.toString()],
  ['/pipeline', 200, MEGABYTES.toString()],
  ['/chunks', 200, `${Array.from({ length: 50 }, (_each, index) => `${index},`).join('')}end`],
  ['/sse', 200, 'data: 1\n\ndata: 2\n\n'],
  ['/late', 200, 'first,last'],
];

describe('a response', () => {
  it.each(ROUTES)('of %s is saved before it leaves, and arrives whole', async (path, status, text) => {
    const { url, store } = await serve();
    const answer = await send('GET', url + path);
    expect(answer.status).toBe(status);
    expect(answer.text === text).toBe(true);
    expect(answer.cookie).toMatch(/^sid=/);
    expect(store.saves).toBe(path === '/late' ? 2 : 1);
    // Whoever follows at once finds it.
    const { cookie } = answer;
    const expected = path === '/late' ? 1_000 : 1;
    expect((await send('GET', `${url}/read`, { cookie })).body).toEqual({ count: expected });
  });

  it.each(ROUTES)('of %s is a 503 without a cookie when it cannot be saved', async (path) => {
    const { url, store } = await serve();
    store.fails = true;
    const answer = await send('GET', url + path);
    expect(answer.status).toBe(503);
    expect(answer.body.error?.type).toBe('session_store_unavailable');
    expect(answer.headers['retry-after']).toBe('1');
    expect(answer.headers['set-cookie']).toBe(undefined);
    store.fails = false;
    expect((await send('GET', `${url}/json`)).status).toBe(200);
  });

  it('that is dropped lets nobody wait for ever who waits until it is written', async () => {
    const { url, store, heard } = await serve();
    store.fails = true;
    expect((await send('GET', `${url}/waits`)).status).toBe(503);
    await eventually(() => heard.length === 2);
    expect(heard[0]).toMatchObject({ code: 'session_store_unavailable' });
  });

  const ways: Record<string, (res: Response, status: number) => void> = {
    send: (res, status) => void res.status(status).send('sorry'),
    writeHead: (res, status) => void res.writeHead(status).end('sorry'),
  };
  it.each(Object.keys(ways))(
    'that is dropped stays so until an error handler comes to %s, whatever its handler writes',
    async (way) => {
      const store = slowStore();
      const { app } = appWith({ store });
      let tell: () => void = () => {};
      const late = new Promise<void>((resolve) => {
        tell = resolve;
      });
      app.get('/', write, async (_req, res) => {
        await new Promise((resolve) => res.write('first,', resolve));
        res.end('last');
        tell();
      });
      const sorry: ErrorRequestHandler = async (error, _req, res, _next) => {
        await late;
        ways[way]?.(res, error.status);
      };
      store.fails = true;
      const answer = await send('GET', await listen(app.use(sorry)));
      expect([answer.status, answer.text]).toEqual([503, 'sorry']);
    },
  );

  it('is the same 503 where it was an error itself', async () => {
    const store = slowStore();
    const { app } = appWith({ store }, write);
    app.get('/refused', () => {
      throw new NotFoundError('no such thing');
    });
    const url = await listen(withErrors(app));
    expect((await send('GET', `${url}/refused`)).status).toBe(404);
    store.fails = true;
    const answer = await send('GET', `${url}/refused`);
    expect([answer.status, answer.body.error?.type]).toEqual([503, 'session_store_unavailable']);
  });

  it('keeps the status and fields that writeHead gave', async () => {
    const { url } = await serve();
    expect((await send('GET', `${url}/write-head`)).headers['x-made']).toBe('yes');
  });

  it.each(['by-name', 'in-turn'])(
    'sets the session’s cookie beside those that writeHead gave %s',
    async (way) => {
      const { url } = await serve();
      const answer = await send('GET', `${url}/write-cookies/${way}`);
      expect(answer.headers['set-cookie']).toHaveLength(3);
      expect(answer.headers['set-cookie']).toEqual(
        expect.arrayContaining(['theme=dark', 'lang=en', expect.stringMatching(/^sid=/)]),
      );
      expect((await send('GET', `${url}/read`, { cookie: answer.cookie })).body).toEqual({ count: 1 });
      const { headers } = await send('GET', `${url}/write-out/${way}`, { cookie: answer.cookie });
      expect(headers['set-cookie']).toContainEqual(expect.stringMatching(/^sid=;.*1970/));
    },
  );

  it('to HEAD is saved and has no body', async () => {
    const { url } = await serve();
    const head = await send('HEAD', `${url}/json`);
    expect([head.status, head.text, head.headers['content-length']]).toEqual([200, '', '13']);
    expect((await send('GET', `${url}/read`, { cookie: head.cookie })).body).toEqual({ count: 1 });
  });

  it.each(['/bigint', '/circle', '/bad-header'])('of %s is a 500 and no crash', async (path) => {
    const { url } = await serve();
    expect((await send('GET', url + path)).status).toBe(500);
    expect((await send('GET', `${url}/json`)).status).toBe(200);
  });

  it.each(['/answers-and-throws', '/answers-and-rejects', '/answers-twice', '/answers-and-asks-whether'])(
    'of %s is the one that was sent first, whatever comes after',
    async (path) => {
      const { url } = await serve();
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      onTestFinished(() => agent.destroy());
      for (let times = 0; times < 2; times++) {
        const answer = await send('GET', url + path, { agent });
        expect([answer.status, answer.text, answer.headers['x-later']]).toEqual([
          200,
          '{"done":true}',
          undefined,
        ]);
        expect(answer.headers['content-length']).toBe('13');
        expect((await send('GET', `${url}/read`, { cookie: answer.cookie, agent })).body).toEqual({
          count: 1,
        });
      }
    },
  );

  it('that has begun arrives whole, whatever comes after its end', async () => {
    const { url } = await serve();
    expect((await send('GET', `${url}/late-and-throws`)).text).toBe('first,last');
  });

  it('that fails after its beginning ends broken, also while that is held', async () => {
    const { url } = await serve();
    await expect(send('GET', `${url}/begins-and-throws`)).rejects.toThrow();
    expect((await send('GET', `${url}/json`)).status).toBe(200);
  });

  it('says that its head is sent while that is held, to those that send it where it is not', async () => {
    const store = slowStore();
    const { app } = appWith({ store }, write, (_req, res, next) => {
      // As compression does.
      const [writeNow, end] = [res.write.bind(res), res.end.bind(res)] as const;
      const sendHead = (): void => void (res.headersSent || res.writeHead(res.statusCode));
      res.write = (chunk: unknown) => (sendHead(), writeNow(chunk));
      res.end = (chunk?: unknown) => (sendHead(), end(chunk));
      next();
    });
    app.get('/two', (_req, res) => {
      res.write('one,');
      res.end('two');
    });
    const answer = await send('GET', `${await listen(withErrors(app))}/two`);
    expect([answer.status, answer.text]).toEqual([200, 'one,two']);
    expect(answer.cookie).toMatch(/^sid=/);
  });

  it('that is dropped is not heard of by those that wrapped it after the session, and the one that leaves is', async () => {
    const store = slowStore();
    const heard: number[] = [];
    const { app } = appWith({ store }, write, (_req, res, next) => {
      const end = res.end.bind(res);
      let isOver = false;
      res.end = (...args: []) => {
        if (isOver) return res;
        isOver = true;
        heard.push(res.statusCode);
        return end(...args);
      };
      next();
    });
    app.get('/json', (_req, res) => void res.json({ done: true }));
    const url = await listen(withErrors(app));
    store.fails = true;
    expect((await send('GET', `${url}/json`)).status).toBe(503);
    store.fails = false;
    expect((await send('GET', `${url}/json`)).status).toBe(200);
    expect(heard).toEqual([503, 200]);
  });

  it('that changes nothing is not held, and nothing is saved', async () => {
    const { url, store } = await serve();
    const { cookie } = await send('GET', `${url}/json`);
    const { saves } = store;
    for (const path of ['/read', '/me', '/plain']) await send('GET', url + path, { cookie });
    await send('GET', `${url}/me`);
    expect(store.saves).toBe(saves);
  });

  it('ends broken when what changed after its beginning cannot be saved', async () => {
    const { url, store } = await serve();
    const { cookie } = await send('GET', `${url}/json`);
    const answer = await fetch(`${url}/until-it-fails`, { headers: { cookie: cookie ?? '' } });
    expect(answer.status).toBe(200);
    store.fails = true;
    await expect(answer.text()).rejects.toThrow();
  });
});

describe('the size of a session', () => {
  it('is warned of from 4 kB on, once, and refused from 64 kB on', async () => {
    const warnings: string[] = [];
    const listen_ = (warning: Error): void => void warnings.push(warning.message);
    process.on('warning', listen_);
    onTestFinished(() => void process.off('warning', listen_));
    const { app } = appWith();
    const url = await listen(withErrors(app));
    const put = (bytes: number, cookie?: string) =>
      send('PUT', `${url}/keys/key1`, { cookie, json: { value: 'x'.repeat(bytes) } });
    const { cookie } = await put(4_000);
    expect(warnings).toEqual([]);
    await put(5_000, cookie);
    await put(6_000, cookie);
    await new Promise((resolve) => setImmediate(resolve));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('a session has 5012 bytes');
    const refused = await put(66_000, cookie);
    expect(refused.status).toBe(500);
    expect(refused.body.error?.type).toBe('session_too_large');
    const { body } = await send('GET', `${url}/me`, { cookie });
    expect(JSON.stringify(body['session'])).toHaveLength(6_011);
  });

  it('is held to a limit that is far below that of the warning, from its first save on', async () => {
    const { app } = appWith({ maxBytes: 500 });
    const url = await listen(withErrors(app));
    const refused = await send('POST', `${url}/in/alice`, { json: { key1: 'x'.repeat(600) } });
    expect([refused.status, refused.body.error?.type]).toEqual([500, 'session_too_large']);
    expect(refused.cookie).toBe(undefined);
    expect((await send('POST', `${url}/in/alice`, { json: { key1: 'x'.repeat(300) } })).status).toBe(200);
  });
});
