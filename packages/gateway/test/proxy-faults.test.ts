import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { deadline, type DeadlineExceededError } from '@signalbox/context';
import { signals, type UpstreamRequest } from '@signalbox/signals';
import { listen } from '@signalbox/testing';
import express, { type ErrorRequestHandler, type NextFunction, type Request, type Response } from 'express';
import { describe, expect, it, onTestFinished } from 'vitest';
import { errorType, proxied, rawConnection, rawExchange, testProxy } from './proxy-support.js';
import {
  busyServer,
  closedPort,
  eventually,
  goodServer,
  hangingServer,
  rawServer,
  sendJson,
  until,
  upstreamServer,
} from './upstream-server.js';

/** An upstream that answers with these bytes, and closes or keeps its connection. */
async function lyingServer(bytes: string | readonly string[], close = true): Promise<string> {
  return rawServer((socket) => {
    socket.once('data', () => {
      for (const part of [bytes].flat()) socket.write(part, 'latin1');
      if (close) socket.end();
    });
  });
}

const HEAD = 'HTTP/1.1 200 OK\r\n';

describe('an upstream that fails before its answer', () => {
  it.each([
    ['is no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n\r\n', 'upstream_invalid_response'],
    ['closes without a word', '', 'upstream_unreachable'],
    ['closes in its header section', `${HEAD}Content-Le`, 'upstream_unreachable'],
    ['has two lengths', `${HEAD}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`, 'upstream_unreachable'],
    [
      'has a length and chunks',
      `${HEAD}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      'upstream_unreachable',
    ],
    [
      'has a coding nobody asked for',
      `${HEAD}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
      'upstream_invalid_response',
    ],
    ['has a length that is no number', `${HEAD}Content-Length: x\r\n\r\n`, 'upstream_invalid_response'],
    [
      'has a header section without end',
      `${HEAD}X: ${'y'.repeat(100_000)}\r\n\r\n`,
      'upstream_invalid_response',
    ],
    ['has too many fields', `${HEAD}${'A: b\r\n'.repeat(300)}\r\n`, 'upstream_invalid_response'],
    ['has ten thousand fields', `${HEAD}${'A: b\r\n'.repeat(10_000)}\r\n`, 'upstream_invalid_response'],
    [
      'never stops to announce',
      'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(50),
      'upstream_invalid_response',
    ],
    [
      'switches protocols unasked',
      'HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n',
      'upstream_unreachable',
    ],
  ])('is a 502 where it %s', async (_what, bytes, type) => {
    const answer = await fetch(await proxied({ to: await lyingServer(bytes), retries: 0 }));

    expect(answer.status).toBe(502);
    expect(await errorType(answer)).toBe(type);
    expect(answer.headers.has('a')).toBe(false);
  });

  it('is a 504 where it does not answer in time, or drips its head', async () => {
    const dripping = await rawServer((socket) => {
      socket.write(HEAD);
      const timer = setInterval(() => socket.write('X'), 20);
      socket.on('close', () => clearInterval(timer));
    });
    for (const to of [(await hangingServer()).url, dripping]) {
      const answer = await fetch(await proxied({ to, timeoutMs: 100 }));
      expect(answer.status).toBe(504);
      expect(await errorType(answer)).toBe('upstream_timeout');
    }
  });

  it('is none where the answer was there, and the process too busy to read it in time', async () => {
    const url = await proxied({ to: (await busyServer(400)).url, timeoutMs: 300 });
    expect((await fetch(url)).status).toBe(200);
  });

  it('is not waited for longer than the deadline of the request, and hears of it', async () => {
    let isGone = false;
    const upstream = await upstreamServer((_req, res) => void res.on('close', () => (isGone = true)));
    const url = await proxied({ to: upstream.url, name: 'shop' }, (app) => app.use(deadline(50)));
    const answer = await fetch(url);

    expect(answer.status).toBe(504);
    expect(await errorType(answer)).toBe('deadline_exceeded');
    await until(() => isGone);
  });
});

/** As what keeps sessions, which are saved before an answer ends. */
function heldBack(_req: Request, res: Response, next: NextFunction): void {
  const end = res.end.bind(res);
  res.end = (...parts: unknown[]) => {
    setTimeout(() => Reflect.apply(end, res, parts), 200);
    return res;
  };
  next();
}

describe('an answer that outlasts the deadline of its request', () => {
  it('says nothing against the server, be it a stream or a client that takes its time', async () => {
    const upstream = await upstreamServer((req, res) => {
      if (req.url === '/events')
        res.writeHead(200, { 'content-type': 'text/event-stream' }).write(': begun\n\n');
      else res.end(Buffer.alloc(20_000_000));
    });
    const ejection = { failures: 1 };
    const gateway = testProxy({
      to: [upstream.url, await closedPort()],
      mode: 'preference',
      timeoutMs: 500,
      ejection,
    });
    const url = await listen(
      express()
        .use(deadline(200))
        .use(gateway)
        .use(((_error, _req, res, _next) => void res.destroy()) satisfies ErrorRequestHandler),
    );
    for (const path of ['/events', '/download']) {
      const client = await rawConnection(url);
      client.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
      await until(() => client.text() !== '');
      if (path === '/download') client.pause();
      await until(() => gateway.state().inFlight === 0);
    }

    expect(gateway.state().servers[0]).toMatchObject({ state: 'in', consecutiveFailures: 0 });
  });

  it.each([
    ['an answer', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Theirs: 1\r\n\r\nhello'],
    ['nonsense', 'nonsense\r\n\r\n'],
  ])('changes nothing of what is said instead, and held back for a while: %s', async (_what, bytes) => {
    const upstream = await rawServer((socket) =>
      socket.once('data', () => void setTimeout(() => socket.write(bytes), 150)),
    );
    const url = await proxied({ to: upstream, retries: 0 }, (app) => app.use(deadline(100), heldBack));
    const answer = await fetch(url);

    expect(answer.status).toBe(504);
    expect(answer.headers.get('x-theirs')).toBeNull();
    expect(await errorType(answer)).toBe('deadline_exceeded');
    // The second end of an answer is an error that nobody catches.
    await sleep(300);
  });

  it('has not timed out where the deadline was for its head', async () => {
    const told: UpstreamRequest[] = [];
    onTestFinished(signals.upstreamRequest.subscribe((payload) => void told.push(payload)));
    const upstream = await upstreamServer((_req, res) => void res.write('begun'));
    const url = await proxied({ to: upstream.url }, (app) => app.use(deadline(100, { until: 'headers' })));
    const client = await rawConnection(url);
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await until(() => client.text().includes('begun'));
    await sleep(150);
    client.destroy();
    await until(() => told.length === 1);

    expect(told).toMatchObject([{ outcome: 'aborted', status: 200 }]);
  });
});

describe('an upstream that fails in the middle of its answer', () => {
  it.each([
    ['sends less than it said', `${HEAD}Content-Length: 100\r\n\r\nhalf`],
    ['has a bad chunk size', `${HEAD}Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nZZ\r\n`],
    ['stops between chunks', `${HEAD}Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n`],
  ])('cuts the connection where it %s', async (_what, bytes) => {
    const url = await proxied({ to: await lyingServer(bytes) });
    const socket = await rawConnection(url);
    const closed = once(socket, 'close');
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await closed;

    expect(socket.text()).toMatch(/^HTTP\/1\.1 (200|502) /);
    expect(socket.text()).not.toMatch(/\r\n0\r\n\r\n$/);
    await expect(
      fetch(url).then((answer) => (answer.ok ? answer.text() : Promise.reject(new Error()))),
    ).rejects.toThrow();
  });

  it('ends with the connection, and not with the process, where the callback for errors writes a head again', async () => {
    const to = await lyingServer(`${HEAD}Content-Length: 100\r\n\r\nhalf`);
    const gateway = testProxy({ to });
    const url = await listen((req, res) => gateway(req, res, () => res.writeHead(502).end()));
    const warned = once(process, 'warning');

    await expect(fetch(url).then((answer) => answer.text())).rejects.toThrow();
    expect(await warned).toMatchObject([{ code: 'ERR_HTTP_HEADERS_SENT' }]);
  });

  it('sends no byte behind the length it said', async () => {
    const url = await proxied({
      to: await lyingServer(`${HEAD}Content-Length: 4\r\n\r\nbodyHTTP/1.1 200 OK\r\n\r\nsmuggled`),
    });
    const text = await rawExchange(url, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');

    expect(text).toMatch(/\r\n\r\nbody$/);
  });

  it('cuts a reset connection', async () => {
    const upstream = await rawServer((socket) => {
      socket.once('data', () =>
        socket.write(`${HEAD}Content-Length: 100\r\n\r\nhalf`, () => socket.resetAndDestroy()),
      );
    });
    const answered = fetch(await proxied({ to: upstream, retries: 0 })).then(async (answer) => {
      if (answer.status === 502) throw new Error('502');
      return answer.text();
    });

    await expect(answered).rejects.toThrow();
  });

  it('cuts a body that stands still, or drips', async () => {
    const still = await lyingServer(`${HEAD}Content-Length: 100\r\n\r\nhalf`, false);
    const dripping = await rawServer((socket) => {
      socket.write(`${HEAD}Content-Length: 100000\r\n\r\n`);
      const timer = setInterval(() => socket.write('x'), 10);
      socket.on('close', () => clearInterval(timer));
    });
    for (const to of [still, dripping]) {
      const url = await proxied({ to, idleTimeoutMs: 100, minBytesPerSecond: 1_000 });
      const answer = await fetch(url);
      await expect(answer.text()).rejects.toThrow();
    }
  });

  it('says nothing of what it is called there, once it was refused', async () => {
    const told = await lyingServer('HTTP/1.1 200 All Good In Rack 7\r\nContent-Length: 1200\r\n\r\n');
    const gateway = testProxy({ to: told, maxResponseBytes: 1_000 });
    const url = await listen((req, res) => gateway(req, res, () => res.writeHead(502).end()));

    expect((await fetch(url)).statusText).toBe('Bad Gateway');
  });

  it('takes nothing from an error that the app has set', async () => {
    const upstream = await upstreamServer((_req, res) => {
      res.writeHead(200, {
        'content-security-policy': "default-src 'none'",
        'x-theirs': '1',
        'content-length': 8,
      });
      res.end('too much');
    });
    for (const limit of [{ maxHeaders: 2 }, { maxResponseBytes: 5 }]) {
      const url = await proxied({ to: upstream.url, ...limit }, (app) =>
        app.use((_req, res, next) => {
          res.setHeader('Content-Security-Policy', "default-src 'self'");
          next();
        }),
      );
      const { status, headers } = await fetch(url);
      expect(status).toBe(502);
      expect(headers.get('content-security-policy')).toBe("default-src 'self'");
      expect(headers.get('x-theirs')).toBeNull();
    }
  });

  it('cuts a body that is larger than allowed', async () => {
    const chunked = await upstreamServer((_req, res) => {
      res.write('x'.repeat(600));
      setTimeout(() => res.end('x'.repeat(600)), 20);
    });
    const told = await upstreamServer((_req, res) => res.end('x'.repeat(1_200)));
    const answer = await fetch(await proxied({ to: chunked.url, maxResponseBytes: 1_000 }));

    await expect(answer.text()).rejects.toThrow();
    const refused = await fetch(await proxied({ to: told.url, maxResponseBytes: 1_000 }));
    expect(refused.status).toBe(502);
  });

  it('is not left out for answers that are larger than allowed, though nobody asks for others', async () => {
    const large = await upstreamServer((req, res) => {
      if (req.url === '/in-chunks') res.write('x'.repeat(600));
      res.end('x'.repeat(req.url === '/small' ? 6 : 600));
    });
    const options = { breaker: { failures: 2 }, ejection: { failures: 2 } };
    const url = await proxied({
      to: [large.url, 'http://127.0.0.1:1'],
      maxResponseBytes: 500,
      mode: 'preference',
      ...options,
    });
    for (const path of ['/told', '/told', '/told', '/in-chunks', '/in-chunks', '/in-chunks']) {
      const text = fetch(url + path).then((answer) => answer.text());
      if (path === '/told') expect(await text).toContain('upstream_invalid_response');
      else await expect(text).rejects.toThrow();
    }
    expect((await fetch(`${url}/small`)).status).toBe(200);
  });

  it.each(['write', 'end', 'writeHead'] as const)(
    'is not blamed, and nobody left waiting, where a middleware fails in the %s it has put in place',
    async (name) => {
      const to = await upstreamServer((_req, res) => {
        res.write('a');
        setTimeout(() => res.end('b'), 10);
      });
      const heard: unknown[] = [];
      const gateway = testProxy({ to: to.url });
      const app = express().use((_req, res, next) => {
        const inner: unknown = Reflect.get(res, name);
        Reflect.set(res, name, () => {
          Reflect.set(res, name, inner);
          throw new Error('in the middleware');
        });
        next();
      }, gateway);
      app.use((error: Error, _req: Request, _res: Response, next: NextFunction) => {
        heard.push(error.message);
        next();
      });

      await expect(fetch(await listen(app)).then((answer) => answer.text())).rejects.toThrow();
      expect(heard).toEqual(['in the middleware']);
      expect(gateway.state().servers).toMatchObject([{ consecutiveFailures: 0, inFlight: 0 }]);
    },
  );

  it('is left where the app ends the answer, and its client has yet to take it', async () => {
    let isLeft = false;
    const to = await upstreamServer((req, res) => {
      if (req.url === '/silent') return;
      const timer = setInterval(() => res.write('more'), 10);
      res.on('close', () => {
        clearInterval(timer);
        isLeft = true;
      });
    });
    const url = await proxied({ to: to.url }, (app) => {
      app.get('/stream', (_req, res, next) => {
        setTimeout(() => res.end(), 100);
        next();
      });
    });
    const socket = await rawConnection(url);
    // An answer waits for those before it.
    for (const path of ['/silent', '/stream']) socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    await until(() => isLeft);
    expect(await (await fetch(`${url}/stream`)).text()).toMatch(/^(more)+$/);
  });

  it('lets go of a client that takes nothing', async () => {
    let isGone = false;
    const upstream = await upstreamServer((_req, res) => {
      res.on('close', () => void (isGone = true)).write(Buffer.alloc(30_000_000));
    });
    const req = request(await proxied({ to: upstream.url, idleTimeoutMs: 100 })).end();
    req.on('error', () => undefined);
    const [answer] = (await once(req, 'response')) as [IncomingMessage];
    answer.on('error', () => undefined).pause();

    await until(() => isGone);
    req.destroy();
  });

  it.each(['/with-length', '/in-chunks'])(
    'lets go of one that takes nothing of what is left of a whole answer, %s',
    async (path) => {
      const upstream = await upstreamServer((req, res) => {
        if (req.url === '/in-chunks') res.write('some');
        res.end('thing');
      });
      const url = await proxied({ to: upstream.url, idleTimeoutMs: 100 }, (app) => {
        app.use((req, _res, next) => {
          // As where neither the client nor the kernel takes any more.
          Object.assign(req.socket, { _write: () => undefined, _writev: () => undefined });
          next();
        });
      });
      const client = await rawConnection(url);
      const closed = once(client, 'close');
      client.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
      await closed;
    },
  );

  it('lets go of one that takes nothing of what compression sends after the end', async () => {
    const upstream = await upstreamServer((_req, res) => res.end('something'));
    const url = await proxied({ to: upstream.url, idleTimeoutMs: 100 }, (app) => {
      app.use((req, res, next) => {
        Object.assign(req.socket, { _write: () => undefined, _writev: () => undefined });
        const [write, end] = [res.write.bind(res), res.end.bind(res)];
        Object.assign(res, {
          write,
          end: (chunk: Buffer) => {
            res.removeHeader('Content-Length');
            if (!res.headersSent) res.writeHead(res.statusCode);
            setImmediate(() => {
              write(chunk);
              end();
            });
          },
        });
        next();
      });
    });
    const client = await rawConnection(url);
    const closed = once(client, 'close');
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await closed;
  });

  it('leaves one alone whose connection waits longer for a next request than a body may stand still', async () => {
    const upstream = await upstreamServer(
      (_req, res) => void setTimeout(() => res.end('x'.repeat(300_000)), 150),
    );
    const client = await rawConnection(await proxied({ to: upstream.url, idleTimeoutMs: 100 }));
    for (let answers = 1; answers < 4; answers += 1) {
      client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      await until(() => client.text().length > answers * 300_000);
      await sleep(200);
    }
  });
});

describe('several upstream servers', () => {
  it('share the load', async () => {
    const servers = await Promise.all([goodServer('a'), goodServer('b')]);
    const url = await proxied({ to: servers.map(({ url }) => url) });
    for (let count = 0; count < 40; count += 1) await (await fetch(url)).text();

    for (const { seen } of servers) expect(seen.length).toBeGreaterThan(5);
  });

  it('stand in for one that cannot be reached, whatever the method', async () => {
    const good = await goodServer();
    const reset = await rawServer((socket) => socket.destroy());
    const url = await proxied({ to: ['http://127.0.0.1:1', good.url], mode: 'preference' });
    for (const body of ['small', 'x'.repeat(200_000)]) {
      const answer = await fetch(url, { method: 'POST', body });
      expect(answer.status).toBe(200);
      expect(good.seen.at(-1)?.body).toBe(body);
    }

    // This one may have seen the request: only what does no harm is sent again.
    const byReset = await proxied({ to: [reset, good.url], mode: 'preference' });
    expect((await fetch(byReset)).status).toBe(200);
    expect((await fetch(byReset, { method: 'POST', body: 'x' })).status).toBe(502);
  });

  it('get all of a body that came in pieces, when the first has had some of it', async () => {
    const good = await goodServer();
    const reset = await rawServer((socket) => socket.once('data', () => socket.destroy()));
    const url = await proxied({ to: [reset, good.url], mode: 'preference' });
    const body = Array.from({ length: 12_000 }, (_, index) => `line ${index}`).join('\n');
    expect((await fetch(url, { method: 'PUT', body })).status).toBe(200);
    expect(good.seen).toMatchObject([{ method: 'PUT', body }]);
    expect(good.seen[0]?.headers['content-length']).toBe(String(body.length));
  });

  it('leave one out that fails again and again, and take it back', async () => {
    let isWell = false;
    const shaky = await upstreamServer((_req, res) =>
      isWell ? sendJson(res, { from: 'shaky' }) : res.writeHead(503).end(),
    );
    const good = await goodServer();
    const options = { failures: 3, pauseMs: 1_000, maxPauseMs: 1_000 };
    const url = await proxied({
      to: [shaky.url, good.url],
      mode: 'preference',
      ejection: options,
      breaker: false,
    });
    for (let count = 0; count < 10; count += 1) await (await fetch(url)).text();
    expect(shaky.seen).toHaveLength(3);

    isWell = true;
    await eventually(async () => (await (await fetch(url)).text()).includes('shaky'));
  });

  it('leave one out that hangs, however early the deadline of each request', async () => {
    const [hanging, good] = [await hangingServer(), await goodServer()];
    const options = { mode: 'preference', ejection: { failures: 3 }, breaker: false } as const;
    const url = await proxied({ to: [hanging.url, good.url], ...options }, (app) => app.use(deadline(200)));
    for (let times = 0; times < 3; times += 1) expect((await fetch(url)).status).toBe(504);

    await eventually(async () => (await fetch(url)).status === 200);
  });

  it('are taken back while a stream goes on that is older, and when their trial is a stream', async () => {
    let isWell = true;
    const shaky = await upstreamServer((req, res) => {
      if (!isWell) res.writeHead(503).end();
      else if (req.url !== '/events') res.end('shaky');
      else res.writeHead(200, { 'content-type': 'text/event-stream' }).write(': begun\n\n');
    });
    const good = await goodServer();
    const url = await proxied({
      to: [shaky.url, good.url],
      mode: 'preference',
      ejection: { failures: 3, pauseMs: 100, maxPauseMs: 100 },
      breaker: false,
    });
    const older = await rawConnection(url);
    older.write('GET /events HTTP/1.1\r\nHost: a\r\n\r\n');
    await until(() => older.text().includes('begun'));
    isWell = false;
    for (let count = 0; count < 4; count += 1) await (await fetch(url)).text();
    isWell = true;
    await eventually(async () => (await (await fetch(url)).text()) === 'shaky');

    isWell = false;
    for (let count = 0; count < 4; count += 1) await (await fetch(url)).text();
    isWell = true;
    // Longer than the pause: the next request is the trial.
    await sleep(200);
    const trial = await rawConnection(url);
    trial.write('GET /events HTTP/1.1\r\nHost: a\r\n\r\n');
    await until(() => trial.text().includes('begun'));
    expect(await (await fetch(url)).text()).toBe('shaky');
  });

  it('are asked in the background how they are', async () => {
    let isWell = false;
    const sick = await upstreamServer((_req, res) => void res.writeHead(isWell ? 200 : 500).end('sick'));
    const good = await goodServer();
    const health = { path: '/healthz', everyMs: 20, failures: 1 };
    const url = await proxied({ to: [sick.url, good.url], mode: 'preference', health });
    await until(() => sick.seen.some(({ url }) => url === '/healthz'));
    await until(() => sick.seen.length > 2);

    expect(await (await fetch(`${url}/x`)).text()).toContain('good');
    isWell = true;
    await eventually(async () => (await (await fetch(`${url}/x`)).text()) === 'sick');
  });

  it('are well though all connections to them are busy with streams', async () => {
    let checks = 0;
    const url = await listen((req, res) => {
      if (req.url === '/healthz') checks += 1;
      if (req.url === '/healthz') res.end();
      else res.writeHead(200, { 'content-type': 'text/event-stream' }).write(': begun\n\n');
    });
    const good = await goodServer();
    const health = { path: '/healthz', everyMs: 20, timeoutMs: 200, failures: 1 };
    const gateway = testProxy({ to: [url, good.url], mode: 'preference', maxConnections: 1, health });
    const stream = await rawConnection(await listen(express().use(gateway)));
    stream.write('GET /events HTTP/1.1\r\nHost: a\r\n\r\n');
    await until(() => stream.text().includes('begun'));
    const before = checks;
    await until(() => checks > before + 3 || gateway.state().servers[0]?.healthy === false);

    expect(gateway.state().servers[0]).toMatchObject({ state: 'in', healthy: true });
  });

  it('open their breaker, and are probed by one request', async () => {
    let isWell = false;
    const upstream = await upstreamServer((_req, res) => void res.writeHead(isWell ? 200 : 503).end());
    const url = await proxied({ to: upstream.url, ejection: false, breaker: { failures: 3, openMs: 1_000 } });
    for (let count = 0; count < 3; count += 1) expect((await fetch(url)).status).toBe(503);
    const refused = await fetch(url);

    expect(await errorType(refused)).toBe('upstream_unavailable');
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(upstream.seen).toHaveLength(3);

    isWell = true;
    await eventually(async () => (await fetch(url)).status === 200);
    expect((await fetch(url)).status).toBe(200);
  });

  it('are told of in signals', async () => {
    const told: UpstreamRequest[] = [];
    onTestFinished(signals.upstreamRequest.subscribe((payload) => void told.push(payload)));
    const upstream = await goodServer();
    await fetch(await proxied({ to: upstream.url, name: 'shop' }));

    expect(told).toMatchObject([
      { upstream: 'shop', server: upstream.url, route: 'proxy', attempt: 1, outcome: 'ok', status: 200 },
    ]);
  });

  it('are nobody’s business when a client leaves', async () => {
    const upstream = await hangingServer();
    const told: UpstreamRequest[] = [];
    onTestFinished(signals.upstreamRequest.subscribe((payload) => void told.push(payload)));
    const url = await proxied({ to: upstream.url, breaker: { failures: 1, ofRequests: 1 } });
    for (let count = 0; count < 3; count += 1) {
      await expect(fetch(url, { signal: AbortSignal.timeout(50) })).rejects.toThrow();
    }
    await until(() => told.length === 3);

    expect(told.map(({ outcome }) => outcome)).toEqual(['aborted', 'aborted', 'aborted']);
    expect(upstream.seen).toHaveLength(3);
  });
});

describe('a client that takes its time to send', () => {
  it('has nothing done any more once it has missed the deadline', async () => {
    const upstream = await goodServer();
    const url = await proxied({ to: upstream.url }, (app) => app.use(deadline(100), heldBack));
    const socket = await rawConnection(url);
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na');
    await sleep(200);
    socket.write('b');
    await until(() => socket.text().includes(' 504 '));

    expect(upstream.seen).toEqual([]);
  });

  it('is not called an upstream by the deadline that it misses', async () => {
    const upstream = await hangingServer();
    const phases: unknown[] = [];
    const url = await listen(
      express()
        .use(deadline(100))
        .use(testProxy({ to: upstream.url, name: 'shop' }))
        .use(((error, _req, res, _next) => {
          phases.push((error as DeadlineExceededError).details.phase);
          res.sendStatus(504);
        }) satisfies ErrorRequestHandler),
    );
    for (const body of ['', 'body']) {
      const client = await rawConnection(url);
      client.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n${body}`);
      await until(() => client.text().includes('504'));
    }

    expect(phases).toEqual([undefined, 'waiting for shop']);
  });

  it('makes no slow call of it', async () => {
    const upstream = await goodServer();
    const breaker = { slowCallMs: 200, failures: 1, ofRequests: 1 };
    const url = await proxied({ to: upstream.url, breaker });
    const req = request(url, { method: 'POST' });
    for (const piece of ['slow', 'ly']) {
      req.write(piece);
      await sleep(200);
    }
    const [answer] = (await once(req.end(), 'response')) as [IncomingMessage];
    answer.resume();

    expect(answer.statusCode).toBe(200);
    expect((await fetch(url)).status).toBe(200);
  });
});

describe('a client that leaves before the proxy is asked', () => {
  it('is nobody’s business, and costs nothing', async () => {
    const upstream = await goodServer();
    const gateway = testProxy({
      to: upstream.url,
      timeoutMs: 100,
      idleTimeoutMs: 100,
      breaker: { failures: 1, ofRequests: 1 },
    });
    let passed = 0;
    const url = await listen(
      express()
        .use((req, _res, next) => {
          // As a middleware does that asks a database who this is.
          if (req.url !== '/left') next();
          else
            req.socket.once('close', () => {
              passed += 1;
              next();
            });
        })
        .use(gateway),
    );
    for (const body of ['', 'Content-Length: 4\r\n\r\nbody', 'Transfer-Encoding: chunked\r\n\r\n']) {
      const before = passed;
      const client = await rawConnection(url);
      client.write(
        `${body === '' ? 'GET' : 'POST'} /left HTTP/1.1\r\nHost: a\r\n${body === '' ? '\r\n' : body}`,
      );
      await sleep(20);
      client.destroy();
      await until(() => passed > before);
      expect(gateway.state().inFlight).toBe(0);
    }
    // Longer than an answer may take.
    await sleep(300);

    expect(gateway.state().servers[0]).toMatchObject({ inFlight: 0, consecutiveFailures: 0 });
    expect((await fetch(url)).status).toBe(200);
  });
});

describe('connections to an upstream', () => {
  it('that are all in use speak against nobody', async () => {
    const url = await listen((req, res) => {
      if (req.url !== '/events') res.end('well');
      else res.writeHead(200, { 'content-type': 'text/event-stream' }).write(': begun\n\n');
    });
    const breaker = { failures: 1, ofRequests: 1, openMs: 60_000, maxOpenMs: 60_000 };
    const front = await proxied({ to: url, maxConnections: 1, timeoutMs: 100, breaker });
    const stream = await rawConnection(front);
    stream.write('GET /events HTTP/1.1\r\nHost: a\r\n\r\n');
    await until(() => stream.text().includes('begun'));
    expect((await fetch(front)).status).toBe(504);
    stream.destroy();
    await eventually(async () => (await (await fetch(front)).text()) === 'well');
  });

  it('that are waited for make no slow call', async () => {
    const url = await listen((_req, res) => void setTimeout(() => res.end('well'), 60));
    const breaker = { slowCallMs: 150, failures: 1, ofRequests: 1 };
    const gateway = testProxy({ to: url, maxConnections: 1, breaker });
    const front = await listen(express().use(gateway));
    const answers = await Promise.all(Array.from({ length: 5 }, () => fetch(front)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(gateway.state().servers[0]?.breakers).toMatchObject([{ state: 'closed' }]);
  });

  it('are limited, and a client that waits for one may leave', async () => {
    const waiting: (() => void)[] = [];
    const url = await proxied({
      to: await listen((_req, res) => void waiting.push(() => res.end('late'))),
      maxConnections: 1,
    });
    const first = fetch(url);
    await until(() => waiting.length === 1);
    await expect(fetch(url, { signal: AbortSignal.timeout(50) })).rejects.toThrow();
    const third = fetch(url);
    waiting[0]?.();

    expect(await (await first).text()).toBe('late');
    await until(() => waiting.length === 2);
    waiting[1]?.();
    expect(await (await third).text()).toBe('late');
  });
});
