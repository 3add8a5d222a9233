import { describe, expect, it, onTestFinished } from 'vitest';
import { signals, type BreakerState } from '@signalbox/signals';
import {
  errorOf,
  sendJson,
  until,
  upstream,
  upstreamServer,
  type UpstreamServer,
} from './upstream-server.js';

/** A server that does as it is told at the time. */
async function switchedServer(): Promise<UpstreamServer & { mode: 'ok' | 'fail' | 'hang' | '404' }> {
  const server = await upstreamServer((_req, res) => {
    if (switched.mode === 'ok') sendJson(res, {});
    else if (switched.mode !== 'hang') res.writeHead(switched.mode === '404' ? 404 : 500).end();
  });
  const switched = { ...server, mode: 'fail' as 'ok' | 'fail' | 'hang' | '404' };
  return switched;
}

function heardStates(): BreakerState[] {
  const heard: BreakerState[] = [];
  onTestFinished(signals.breakerState.subscribe((event) => void heard.push(event)));
  return heard;
}

/** Alone with its breaker: no retries, and no ejection. */
const BARE = { retries: 0, ejection: false, timeoutMs: 10_000 } as const;

describe('a breaker', () => {
  it('opens after five failures of the last ten calls, and then nothing is sent', async () => {
    const server = await switchedServer();
    const service = upstream({ urls: server.url, ...BARE });
    for (let call = 0; call < 5; call += 1) await errorOf(service.json({ route: 'search' }));

    const problem = await errorOf(service.json({ route: 'search' }));
    expect(problem).toMatchObject({ status: 503, code: 'upstream_unavailable', server: undefined });
    expect(problem.message).toBe(`upstream "service": no server to ask, ${server.url} has its breaker open`);
    expect(problem['headers']).toEqual({ 'Retry-After': expect.stringMatching(/^[1-5]$/) as string });
    expect(server.seen).toHaveLength(5);
    expect(service.state().servers[0]?.breakers).toMatchObject([{ route: 'search', state: 'open' }]);
  });

  it('opens when more than half of enough calls failed', async () => {
    let count = 0;
    const { url } = await upstreamServer((_req, res) => {
      count += 1;
      res.writeHead(count % 5 < 2 ? 200 : 500).end('{}');
    });
    const breaker = { failures: 10, ofRequests: 10, minimumRequests: 30 };
    const service = upstream({ urls: url, ...BARE, breaker });
    for (let call = 0; call < 40; call += 1) await service.json({}).catch(() => undefined);
    expect(count).toBeGreaterThanOrEqual(30);
    expect(count).toBeLessThan(40);
  });

  it('lets one call through after a time, and closes when it goes well', async () => {
    const heard = heardStates();
    const server = await switchedServer();
    const service = upstream({ urls: server.url, ...BARE, breaker: { openMs: 100, failures: 2 } });
    await errorOf(service.json({}));
    await errorOf(service.json({}));

    server.mode = 'ok';
    await until(() => service.state().servers[0]?.breakers[0]?.until === undefined);
    expect(await service.json({})).toEqual({});
    expect(await service.json({})).toEqual({});

    const who = { upstream: 'service', server: server.url, route: 'default' };
    expect(heard).toEqual([
      { ...who, state: 'open', previous: 'closed' },
      { ...who, state: 'half_open', previous: 'open' },
      { ...who, state: 'closed', previous: 'half_open' },
    ]);
  });

  it('refuses the others while one call probes, rather than have them wait', async () => {
    const server = await switchedServer();
    const service = upstream({ urls: server.url, ...BARE, breaker: { openMs: 50, failures: 1 } });
    await errorOf(service.json({}));
    server.mode = 'hang';
    await until(() => service.state().servers[0]?.breakers[0]?.until === undefined);

    const control = new AbortController();
    let probing = true;
    const probe = errorOf(service.json({ signal: control.signal })).finally(() => {
      probing = false;
    });
    await until(() => server.seen.length === 2);
    const problem = await errorOf(service.json({}));
    expect(problem.message).toContain('has its breaker half-open');
    expect(probing).toBe(true);
    control.abort();
    await probe;
  });

  it('stays open for longer each time that the probe fails', async () => {
    const server = await switchedServer();
    const service = upstream({
      urls: server.url,
      ...BARE,
      breaker: { openMs: 40, maxOpenMs: 60_000, failures: 1 },
    });
    const pauses: number[] = [];
    for (let probe = 0; probe < 4; probe += 1) {
      await errorOf(service.json({}));
      pauses.push((service.state().servers[0]?.breakers[0]?.until ?? 0) - Date.now());
      await until(() => service.state().servers[0]?.breakers[0]?.until === undefined);
    }
    expect(pauses[3]).toBeGreaterThan(150);
  });

  it('is not told of answers below 500, but of 429 and 408', async () => {
    const server = await switchedServer();
    server.mode = '404';
    const service = upstream({ urls: server.url, ...BARE, breaker: { failures: 1 } });
    for (let call = 0; call < 3; call += 1) await errorOf(service.json({}));
    expect(service.state().servers[0]?.breakers[0]?.state).toBe('closed');

    for (const status of [429, 408]) {
      const { url } = await upstreamServer((_req, res) => res.writeHead(status).end());
      const other = upstream({ urls: url, ...BARE, breaker: { failures: 1 } });
      await errorOf(other.json({}));
      expect(other.state().servers[0]?.breakers[0]?.state).toBe('open');
    }
  });

  it('counts a slow answer as a failure, though it is used', async () => {
    const { url } = await upstreamServer((_req, res) => setTimeout(() => sendJson(res, { slow: true }), 100));
    const service = upstream({ urls: url, ...BARE, breaker: { failures: 1, slowCallMs: 50 } });
    expect(await service.json({})).toEqual({ slow: true });
    expect(service.state().servers[0]?.breakers[0]?.state).toBe('open');
  });

  it('guards one route of one server, and no other', async () => {
    const broken = await upstreamServer((req, res) => res.writeHead(req.url === '/a' ? 500 : 200).end('{}'));
    const service = upstream({ urls: broken.url, ...BARE, breaker: { failures: 1 } });
    await errorOf(service.json({ path: '/a', route: 'a' }));

    await expect(service.json({ path: '/a', route: 'a' })).rejects.toMatchObject({
      code: 'upstream_unavailable',
    });
    expect(await service.json({ path: '/b', route: 'b' })).toEqual({});
  });

  it('learns nothing from callers that leave, and does not close for a probe that was given up', async () => {
    const server = await switchedServer();
    const service = upstream({ urls: server.url, ...BARE, breaker: { failures: 1, openMs: 50 } });
    const leave = async (): Promise<void> => {
      const control = new AbortController();
      const before = server.seen.length;
      const problem = errorOf(service.json({ signal: control.signal }));
      await until(() => server.seen.length > before);
      control.abort();
      await problem;
    };

    server.mode = 'hang';
    await leave();
    expect(service.state().servers[0]?.breakers[0]?.state).toBe('closed');

    server.mode = 'fail';
    await errorOf(service.json({}));
    await until(() => service.state().servers[0]?.breakers[0]?.until === undefined);
    server.mode = 'hang';
    await leave();
    expect(service.state().servers[0]?.breakers[0]?.state).toBe('open');
  });

  it('stays open no longer for callers that leave while they probe', async () => {
    const server = await switchedServer();
    const service = upstream({
      urls: server.url,
      ...BARE,
      breaker: { openMs: 100, maxOpenMs: 60_000, failures: 1 },
    });
    await errorOf(service.json({}));
    server.mode = 'hang';
    for (let probe = 0; probe < 4; probe += 1) {
      await until(() => service.state().servers[0]?.breakers[0]?.until === undefined);
      const control = new AbortController();
      const before = server.seen.length;
      const problem = errorOf(service.json({ signal: control.signal }));
      await until(() => server.seen.length > before);
      control.abort();
      await problem;
      await until(() => service.state().servers[0]?.breakers[0]?.state === 'open');
      const pauseMs = (service.state().servers[0]?.breakers[0]?.until ?? 0) - Date.now();
      expect(pauseMs).toBeLessThan(110);
    }
  });

  it('opens for callers that leave after waiting longer than a slow call may take', async () => {
    const server = await switchedServer();
    server.mode = 'hang';
    const service = upstream({ urls: server.url, ...BARE, breaker: { failures: 1, slowCallMs: 50 } });
    await errorOf(service.json({ signal: AbortSignal.timeout(100) }));
    expect(service.state().servers[0]?.breakers[0]?.state).toBe('open');
  });

  it('learns nothing from the time in which calls wait for a connection', async () => {
    const { url, seen } = await upstreamServer((_req, res) => setTimeout(() => sendJson(res, {}), 80));
    const service = upstream({
      urls: url,
      ...BARE,
      maxConnections: 1,
      timeoutMs: 350,
      breaker: { failures: 1, slowCallMs: 200 },
    });
    const calls = await Promise.allSettled(Array.from({ length: 10 }, () => service.json({})));

    expect(calls.filter(({ status }) => status === 'rejected').length).toBeGreaterThan(4);
    expect(seen.length).toBeLessThan(6);
    expect(service.state().servers[0]).toMatchObject({
      consecutiveFailures: 0,
      breakers: [{ state: 'closed' }],
    });
  });

  it('keeps a bounded number of routes', async () => {
    const { url } = await upstreamServer((_req, res) => sendJson(res, {}));
    const service = upstream({ urls: url, ...BARE });
    for (let id = 0; id < 120; id += 1) await service.json({ route: `user-${id}` });
    expect(service.state().servers[0]?.breakers).toHaveLength(101);
  });
});
