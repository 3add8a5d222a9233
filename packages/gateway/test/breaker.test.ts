import { describe, expect, it, onTestFinished } from 'vitest';
import { signals, type BreakerState } from '@signalbox/signals';
import {
  errorOf,
  eventually,
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

type Service = ReturnType<typeof upstream>;

function breakerOf(
  service: Service,
): ReturnType<Service['state']>['servers'][number]['breakers'][number] | undefined {
  return service.state().servers[0]?.breakers[0];
}

/** Until it would let the next call through. */
function untilProbed(service: Service): Promise<void> {
  return until(() => breakerOf(service)?.until === undefined);
}

/** One that has opened by its first call, in front of a server that answers nobody from then on. */
async function openedThenHanging(
  breaker: Exclude<Parameters<typeof upstream>[0]['breaker'], false | undefined>,
): Promise<{ server: Awaited<ReturnType<typeof switchedServer>>; service: Service }> {
  const server = await switchedServer();
  const service = upstream({ urls: server.url, ...BARE, breaker: { failures: 1, ...breaker } });
  await errorOf(service.json({}));
  server.mode = 'hang';
  return { server, service };
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
    await untilProbed(service);
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
    const { server, service } = await openedThenHanging({ openMs: 1_000 });
    await untilProbed(service);

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

  it('closes for another call where the one that probes takes its time, as a long poll does', async () => {
    const { server, service } = await openedThenHanging({ openMs: 50 });
    await untilProbed(service);
    const control = new AbortController();
    const slow = errorOf(service.json({ signal: control.signal }));
    await until(() => server.seen.length === 2);

    server.mode = 'ok';
    await eventually(async () => (await service.json({}).catch(() => undefined)) !== undefined);
    expect(breakerOf(service)?.state).toBe('closed');

    control.abort();
    await slow;
    expect(breakerOf(service)?.state).toBe('closed');
  });

  it('lets fewer and fewer through to a server that hangs', async () => {
    const { server, service } = await openedThenHanging({ openMs: 50, maxOpenMs: 60_000 });
    const control = new AbortController();
    const calls: Promise<unknown>[] = [];
    const endsAt = performance.now() + 600;
    while (performance.now() < endsAt) {
      calls.push(errorOf(service.json({ signal: control.signal })));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    control.abort();
    await Promise.all(calls);
    // After 50, 50, 100 and 200 milliseconds; steadily they were eleven.
    expect(server.seen.length - 1).toBeLessThanOrEqual(5);
    expect(server.seen.length - 1).toBeGreaterThan(1);
  });

  it('opens again when all that probe at the same time say nothing', async () => {
    const { server, service } = await openedThenHanging({ openMs: 50 });
    await untilProbed(service);
    const control = new AbortController();
    const probes = [];
    for (const count of [2, 3]) {
      probes.push(errorOf(service.json({ signal: control.signal })));
      await until(() => server.seen.length === count);
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
    expect(breakerOf(service)?.state).toBe('half_open');
    control.abort();
    await Promise.all(probes);
    expect(breakerOf(service)?.state).toBe('open');
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
      pauses.push((breakerOf(service)?.until ?? 0) - Date.now());
      await untilProbed(service);
    }
    expect(pauses[3]).toBeGreaterThan(150);
  });

  it('is not told of answers below 500, but of 429 and 408', async () => {
    const server = await switchedServer();
    server.mode = '404';
    const service = upstream({ urls: server.url, ...BARE, breaker: { failures: 1 } });
    for (let call = 0; call < 3; call += 1) await errorOf(service.json({}));
    expect(breakerOf(service)?.state).toBe('closed');

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
    expect(breakerOf(service)?.state).toBe('open');
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
    expect(breakerOf(service)?.state).toBe('closed');

    server.mode = 'fail';
    await errorOf(service.json({}));
    await untilProbed(service);
    server.mode = 'hang';
    await leave();
    expect(breakerOf(service)?.state).toBe('open');
  });

  it('stays open no longer for callers that leave while they probe', async () => {
    const { server, service } = await openedThenHanging({ openMs: 100, maxOpenMs: 60_000 });
    for (let probe = 0; probe < 4; probe += 1) {
      await untilProbed(service);
      const control = new AbortController();
      const before = server.seen.length;
      const problem = errorOf(service.json({ signal: control.signal }));
      await until(() => server.seen.length > before);
      control.abort();
      await problem;
      await until(() => breakerOf(service)?.state === 'open');
      const pauseMs = (breakerOf(service)?.until ?? 0) - Date.now();
      expect(pauseMs).toBeLessThan(110);
    }
  });

  it('opens for callers that leave after waiting longer than a slow call may take', async () => {
    const server = await switchedServer();
    server.mode = 'hang';
    const service = upstream({ urls: server.url, ...BARE, breaker: { failures: 1, slowCallMs: 50 } });
    await errorOf(service.json({ signal: AbortSignal.timeout(100) }));
    expect(breakerOf(service)?.state).toBe('open');
  });

  it('learns nothing from the time in which calls wait for a connection', async () => {
    const { url, seen } = await upstreamServer((_req, res) => setTimeout(() => sendJson(res, {}), 80));
    const service = upstream({
      urls: url,
      ...BARE,
      maxConnections: 1,
      // A tenth of it is more than an answer takes: the call that is cut last shows nothing by itself.
      timeoutMs: 1_500,
      breaker: { failures: 1, slowCallMs: 1_000 },
    });
    const calls = await Promise.allSettled(Array.from({ length: 30 }, () => service.json({})));

    expect(calls.filter(({ status }) => status === 'rejected').length).toBeGreaterThan(10);
    expect(seen.length).toBeLessThan(20);
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
