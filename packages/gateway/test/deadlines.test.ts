import { once } from 'node:events';
import { get } from 'node:http';
import express, { type Response } from 'express';
import { describe, expect, it, onTestFinished } from 'vitest';
import { deadline, requestContext } from '@signalbox/context';
import { fallback } from '@signalbox/gateway';
import { assertNeverHangs, listen } from '@signalbox/testing';
import { signals, type UpstreamRequest } from '@signalbox/signals';
import {
  busyServer,
  errorOf,
  goodServer,
  hangingServer,
  sendJson,
  until,
  upstream,
  upstreamServer,
} from './upstream-server.js';

/** A server that never answers, and tells when its request was given up. */
async function watchedServer(): Promise<{ url: string; arrived(): number; givenUp(): number }> {
  let arrived = 0;
  let givenUp = 0;
  const { url } = await upstreamServer((_req, res) => {
    arrived += 1;
    res.on('close', () => {
      givenUp += 1;
    });
  });
  return { url, arrived: () => arrived, givenUp: () => givenUp };
}

describe('deadlines', () => {
  it('take no answer for none that was there, and that the process was too busy to read', async () => {
    const service = upstream({ urls: (await busyServer(400)).url, timeoutMs: 300, retries: 0 });
    const ask = fallback([{ name: 'busy', run: () => service.json({ path: '/' }), timeoutMs: 300 }], {
      name: 'chain',
    });

    expect(await service.json({ path: '/' })).toEqual({ from: 'busy' });
    expect((await ask(undefined)).value).toEqual({ from: 'busy' });
  });

  it('bound the whole call, whatever the number of attempts', async () => {
    const servers = [await hangingServer(), await hangingServer(), await hangingServer()];
    const service = upstream({
      urls: servers.map(({ url }) => url),
      timeoutMs: 400,
      deadlineMs: 700,
      retries: 2,
    });
    const problem = await errorOf(assertNeverHangs(() => service.json({ path: '/' }), { withinMs: 10_000 }));

    expect(problem).toMatchObject({ status: 504, code: 'upstream_timeout' });
    expect(servers.map(({ seen }) => seen.length)).toEqual([1, 1, 0]);
  });

  it('count against a server that had all of one, much shorter than an attempt though it be', async () => {
    const [hanging, good] = [await hangingServer(), await goodServer()];
    const service = upstream({ urls: [hanging.url, good.url], deadlineMs: 200, ejection: { failures: 3 } });
    for (let times = 0; service.state().servers[0]?.state === 'in'; times += 1) {
      // On a busy machine a connection may take so long that the other one is asked.
      await service.json({ path: '/' }).catch((problem: unknown) => {
        expect(problem).toMatchObject({ code: 'upstream_timeout' });
      });
      expect(times).toBeLessThan(20);
    }
    expect(await service.request({ path: '/' })).toMatchObject({ server: good.url });
  });

  it('count against a server that hangs, however short they are for each call', async () => {
    const [hanging, good] = [await hangingServer(), await goodServer()];
    const options = { timeoutMs: 2_000, ejection: { failures: 2 }, breaker: false } as const;
    const service = upstream({ urls: [hanging.url, good.url], ...options });
    for (let times = 0; service.state().servers[0]?.state === 'in'; times += 1) {
      expect(await errorOf(service.json({ path: '/', deadlineMs: 50 }))).toMatchObject({ status: 504 });
      expect(times).toBeLessThan(20);
    }
    expect(await service.request({ path: '/' })).toMatchObject({ server: good.url });
  });

  it('that are short count against no server that answers others in between', async () => {
    const { url } = await upstreamServer((req, res) => {
      if (req.url === '/quick') res.end();
    });
    const service = upstream({
      urls: [url, 'http://127.0.0.1:1'],
      timeoutMs: 2_000,
      ejection: { failures: 1 },
    });
    for (let times = 0; times < 6; times += 1) {
      await errorOf(service.request({ path: '/', deadlineMs: 50 }));
      await service.request({ path: '/quick' });
    }
    expect(service.state().servers[0]).toMatchObject({ state: 'in', consecutiveFailures: 0 });
  });

  it('may be shorter for one call', async () => {
    const { url } = await hangingServer();
    const service = upstream({ urls: url, timeoutMs: 10_000 });
    const problem = await errorOf(service.json({ path: '/', deadlineMs: 100 }));
    expect(problem).toMatchObject({ code: 'upstream_timeout' });
  });

  it('that are spent before the call end it unasked', async () => {
    const server = await goodServer();
    const problem = await errorOf(upstream({ urls: server.url }).json({ path: '/', deadlineMs: -5 }));
    expect(problem).toMatchObject({
      code: 'upstream_timeout',
      message: 'upstream "service": no time left to ask (0 ms)',
    });
    expect(server.seen).toHaveLength(0);
  });

  it('hold for requests that wait for a connection, too', async () => {
    const { url } = await hangingServer();
    const service = upstream({ urls: url, timeoutMs: 300, maxConnections: 1, retries: 0, breaker: false });
    const problems = await Promise.all([1, 2, 3].map(() => errorOf(service.json({ path: '/' }))));

    expect(problems.map(({ code }) => code)).toEqual(Array(3).fill('upstream_timeout'));
  });

  it('are told as such in signals', async () => {
    const { url } = await hangingServer();
    const heard: UpstreamRequest[] = [];
    const stop = signals.upstreamRequest.subscribe((event) => void heard.push(event));
    await errorOf(
      upstream({ urls: url, timeoutMs: 100, retries: 0 }).json({ path: '/a?q=1', route: 'find' }),
    );
    stop();

    expect(heard).toEqual([
      {
        upstream: 'service',
        server: url,
        route: 'find',
        attempt: 1,
        outcome: 'timeout',
        status: undefined,
        durationMs: expect.any(Number) as number,
      },
    ]);
  });
});

describe('a caller that leaves', () => {
  it('ends the work at the upstream, and gets its own reason', async () => {
    const server = await watchedServer();
    const service = upstream({ urls: server.url });
    const control = new AbortController();
    const reason = new Error('changed my mind');
    const problem = errorOf(service.json({ path: '/', signal: control.signal }));
    await until(() => server.arrived() === 1);

    control.abort(reason);
    expect(await problem).toBe(reason);
    await until(() => server.givenUp() === 1);
    expect(service.state()).toMatchObject({ inFlight: 0, servers: [{ consecutiveFailures: 0 }] });
  });

  it('before the call gets no request sent', async () => {
    const server = await goodServer();
    const reason = new Error('never mind');
    const problem = await errorOf(upstream({ urls: server.url }).json({ signal: AbortSignal.abort(reason) }));
    expect(problem).toBe(reason);
    expect(server.seen).toHaveLength(0);
  });

  it('is not waited for between two attempts', async () => {
    const { url } = await upstreamServer((_req, res) => res.writeHead(503, { 'retry-after': '30' }).end());
    const service = upstream({ urls: url, timeoutMs: 60_000 });
    const control = new AbortController();
    const problem = errorOf(service.json({ path: '/', signal: control.signal }));
    await until(() => service.state().servers[0]?.state === 'resting');

    control.abort();
    expect(await assertNeverHangs(() => problem, { withinMs: 10_000 })).toMatchObject({ name: 'AbortError' });
  });

  it('is the client of the running request, unless told otherwise', async () => {
    const server = await watchedServer();
    const service = upstream({ urls: server.url });
    const app = express();
    app.use(requestContext());
    let problem: unknown;
    app.get('/', async () => {
      problem = await errorOf(service.json({ path: '/' }));
    });

    const request = get(await listen(app)).on('error', () => undefined);
    await until(() => server.arrived() === 1);
    request.destroy();
    await until(() => server.givenUp() === 1);
    await until(() => problem !== undefined);
    expect(problem).toMatchObject({ status: 499 });
  });

  it('because of the deadline of its request counts against the server', async () => {
    const { url } = await hangingServer();
    const service = upstream({ urls: url, timeoutMs: 1_000, retries: 0 });
    const app = express();
    app.use(requestContext(), deadline(200));
    app.get('/', async (_req, res: Response) => {
      await errorOf(service.json({ path: '/' }));
      if (!res.headersSent) res.end();
    });
    app.use((_error: Error, _req: express.Request, res: Response, _next: express.NextFunction) =>
      res.status(504).end(),
    );

    const response = await fetch(await listen(app));
    await response.arrayBuffer();
    await until(() => service.state().servers[0]?.consecutiveFailures === 1);
  });
});

describe('the trace of the running request', () => {
  it('is continued at the upstream', async () => {
    const server = await upstreamServer((_req, res) => sendJson(res, {}));
    const service = upstream({ urls: server.url });
    const app = express();
    app.use(requestContext());
    app.get('/', async (_req, res) => void res.json(await service.json({ path: '/' })));
    const url = await listen(app);

    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    const request = get(url, { headers: { traceparent } });
    const [response] = (await once(request, 'response')) as [NodeJS.ReadableStream];
    response.resume();
    expect(server.seen[0]?.headers['traceparent']).toMatch(/^00-4bf92f3577b34da6a3ce929d0e0e4736-/);
  });
});

describe('many calls at a time', () => {
  it('of one request, of one step or of a check are no leak', async () => {
    const warnings: string[] = [];
    const warned = (warning: Error): void => void warnings.push(warning.message);
    process.on('warning', warned);
    onTestFinished(() => void process.off('warning', warned));
    const server = await goodServer();
    const service = upstream({ urls: server.url });
    const many = <Out>(call: () => Promise<Out>): Promise<Out[]> =>
      Promise.all(Array.from({ length: 15 }, call));
    const ask = fallback(
      [{ name: 'all', run: (_input, { signal }) => many(() => service.json({ signal })) }],
      {
        name: 'all',
      },
    );
    const app = express().use(requestContext());
    app.get('/', async (_req, res) => void res.json(await many(() => service.json({}))));
    expect((await fetch(await listen(app))).status).toBe(200);
    await ask(undefined);
    await many(() => service.check());

    expect(warnings).toEqual([]);
  });
});
