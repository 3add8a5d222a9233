import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { signals, type UpstreamServerState } from '@signalbox/signals';
import {
  closedPort,
  errorOf,
  failingServer,
  goodServer,
  hangingServer,
  sendJson,
  until,
  upstream,
  upstreamServer,
} from './upstream-server.js';

function heardStates(): UpstreamServerState[] {
  const heard: UpstreamServerState[] = [];
  onTestFinished(signals.upstreamServerState.subscribe((event) => void heard.push(event)));
  return heard;
}

/** A server that answers once `release` was called for it. */
async function slowServer() {
  const waiting: (() => void)[] = [];
  const server = await upstreamServer((_req, res) => void waiting.push(() => sendJson(res, {})));
  return { ...server, release: () => waiting.splice(0).forEach((answer) => answer()) };
}

describe('mode "preference"', () => {
  it('asks the first server as long as it works', async () => {
    const [first, second] = [await goodServer('first'), await goodServer('second')];
    const service = upstream({ urls: [first.url, second.url] });
    for (let call = 0; call < 5; call += 1) expect(await service.json({})).toEqual({ from: 'first' });
    expect(second.seen).toHaveLength(0);
  });

  it('asks the one that the request names, and no other', async () => {
    const [first, second] = [await goodServer('first'), await failingServer(500)];
    const service = upstream({ urls: [first.url, second.url], retries: 1 });
    await expect(service.json({ server: 1 })).rejects.toMatchObject({ server: second.url });
    expect(first.seen).toHaveLength(0);
  });
});

describe('mode "balance"', () => {
  it('asks the server with the fewest requests under way', async () => {
    const servers = [await slowServer(), await slowServer(), await slowServer()];
    const service = upstream({ urls: servers.map(({ url }) => url), mode: 'balance' });
    const answers = Array.from({ length: 9 }, () => service.json({}));
    await until(() => servers.every(({ seen }) => seen.length === 3));

    // The first is done with its three: it gets the next three.
    servers[0]?.release();
    await until(() => service.state().inFlight === 6);
    answers.push(service.json({}), service.json({}), service.json({}));
    await until(() => servers[0]?.seen.length === 6);

    for (const server of servers) server.release();
    await Promise.all(answers);
  });

  it('shares requests that come one at a time', async () => {
    const servers = [await goodServer(), await goodServer()];
    const service = upstream({ urls: servers.map(({ url }) => url), mode: 'balance' });
    for (let call = 0; call < 40; call += 1) await service.json({});
    for (const { seen } of servers) expect(seen.length).toBeGreaterThan(5);
  });
});

describe('ejection', () => {
  it('takes a server out after five failures in a row', async () => {
    const heard = heardStates();
    const [bad, good] = [await failingServer(500), await goodServer()];
    const service = upstream({ urls: [bad.url, good.url], breaker: false });
    for (let call = 0; call < 10; call += 1) expect(await service.json({})).toEqual({ from: 'good' });

    expect(bad.seen).toHaveLength(5);
    expect(heard).toEqual([{ upstream: 'service', server: bad.url, state: 'ejected' }]);
    expect(service.state().servers).toMatchObject([
      { state: 'ejected', consecutiveFailures: 5 },
      { state: 'in' },
    ]);
  });

  it('does not count failures that have successes between them', async () => {
    const flaky = await upstreamServer((_req, res, count) =>
      res.writeHead(count % 2 === 0 ? 200 : 500).end('{}'),
    );
    const good = await goodServer();
    const service = upstream({ urls: [flaky.url, good.url], breaker: false, ejection: { failures: 2 } });
    for (let call = 0; call < 10; call += 1) await service.json({});
    expect(service.state().servers[0]?.state).toBe('in');
  });

  it('lets one request try the server after a pause, and puts it back when that goes well', async () => {
    const heard = heardStates();
    let broken = true;
    const first = await upstreamServer((_req, res) =>
      res.writeHead(broken ? 500 : 200).end('{"from":"first"}'),
    );
    const good = await goodServer();
    const service = upstream({
      urls: [first.url, good.url],
      breaker: false,
      ejection: { failures: 1, pauseMs: 100 },
    });
    await service.json({});
    broken = false;

    await until(() => service.state().servers[0]?.until === undefined);
    expect(await service.json({})).toEqual({ from: 'first' });
    expect(heard.map(({ state }) => state)).toEqual(['ejected', 'in']);
  });

  it('lets a single request wait for a server on trial, and sends the others elsewhere', async () => {
    let broken = true;
    const first = await upstreamServer((_req, res) => {
      if (broken) res.writeHead(500).end();
    });
    const good = await goodServer();
    const urls = [first.url, good.url];
    const service = upstream({
      urls,
      breaker: false,
      timeoutMs: 500,
      ejection: { failures: 1, pauseMs: 50 },
    });
    await service.json({});
    broken = false;
    await until(() => service.state().servers[0]?.until === undefined);

    const answers = await Promise.all(Array.from({ length: 10 }, () => service.json({})));
    expect(answers).toEqual(Array.from({ length: 10 }, () => ({ from: 'good' })));
    expect(first.seen).toHaveLength(2);
  });

  it('is over where nobody else may be asked, as when servers are started anew one after the other', async () => {
    let away = 'first';
    const named = (name: string): ReturnType<typeof upstreamServer> =>
      upstreamServer(
        (_req, res) => void res.writeHead(away.includes(name) ? 500 : 200).end(`{"from":"${name}"}`),
      );
    const [first, second] = [await named('first'), await named('second')];
    const service = upstream({
      urls: [first.url, second.url],
      retries: 0,
      ejection: { failures: 2, pauseMs: 60_000, maxPauseMs: 600_000 },
      breaker: { failures: 5, openMs: 60_000, maxOpenMs: 60_000 },
    });
    for (let call = 0; call < 2; call += 1) await errorOf(service.json({}));
    const [ejected] = service.state().servers;
    expect(ejected?.state).toBe('ejected');

    away = 'first and second';
    for (let call = 0; call < 5; call += 1) await errorOf(service.json({}));
    expect(service.state().servers[1]).toMatchObject({ state: 'in', breakers: [{ state: 'open' }] });
    // One that is still away is out no longer for that.
    expect(await errorOf(service.json({}))).toMatchObject({ server: first.url });
    expect(service.state().servers[0]?.until).toBe(ejected?.until);

    away = 'second';
    expect(await service.json({})).toEqual({ from: 'first' });
    expect(service.state().servers[0]).toMatchObject({ state: 'in', consecutiveFailures: 0 });
  });

  it('keeps callers from a server that they name, whoever else may be asked', async () => {
    const [bad, good] = [await failingServer(500), await goodServer()];
    const service = upstream({
      urls: [bad.url, good.url],
      retries: 0,
      breaker: false,
      ejection: { failures: 1, pauseMs: 60_000 },
    });
    await errorOf(service.json({}));
    expect(await errorOf(service.json({ server: 0 }))).toMatchObject({ code: 'upstream_unavailable' });
    expect(bad.seen).toHaveLength(1);
  });

  it('keeps the last server in, whatever it does', async () => {
    const heard = heardStates();
    const servers = [await failingServer(500), await failingServer(500)];
    const urls = servers.map(({ url }) => url);
    const service = upstream({
      urls,
      breaker: false,
      retries: 1,
      ejection: { failures: 1, pauseMs: 60_000 },
    });
    for (let call = 0; call < 4; call += 1) await errorOf(service.json({}));
    expect(service.state().servers.map(({ state }) => state)).toEqual(['ejected', 'in']);
    expect(heard).toHaveLength(1);
  });
});

describe('health checks in the background', () => {
  it('take a dead server out before any request meets it, and put it back when it lives', async () => {
    const heard = heardStates();
    let alive = false;
    const first = await upstreamServer((req, res) => {
      if (req.url === '/healthz') res.writeHead(alive ? 200 : 503).end();
      else sendJson(res, { from: 'first' });
    });
    const good = await upstreamServer((_req, res) => sendJson(res, { from: 'good' }));
    const service = upstream({
      urls: [first.url, good.url],
      health: { path: '/healthz', everyMs: 30, failures: 2 },
    });
    await until(() => heard.length === 1);
    expect(await service.json({})).toEqual({ from: 'good' });
    expect(service.state().servers[0]).toMatchObject({ state: 'ejected', healthy: false });
    expect(service.state().servers[0]?.lastHealthError).toContain('answered 503');

    alive = true;
    await until(() => heard.length === 2);
    expect(await service.json({})).toEqual({ from: 'first' });
    expect(heard.map(({ server, state }) => [server, state])).toEqual([
      [first.url, 'ejected'],
      [first.url, 'in'],
    ]);
  });

  it('let a server be asked at once that has come back, though its breaker had opened', async () => {
    const states: string[] = [];
    onTestFinished(signals.breakerState.subscribe(({ state }) => void states.push(state)));
    let alive = false;
    const server = await upstreamServer((_req, res) => void res.writeHead(alive ? 200 : 503).end('{}'));
    const service = upstream({
      urls: server.url,
      retries: 0,
      breaker: { openMs: 60_000, maxOpenMs: 60_000 },
      health: { everyMs: 20 },
    });
    for (let call = 0; call < 5; call += 1) await errorOf(service.json({}));
    expect(states).toEqual(['open']);
    await until(() => service.state().servers[0]?.healthy === false);
    expect(await errorOf(service.json({}))).toMatchObject({ code: 'upstream_unavailable' });

    alive = true;
    await until(() => service.state().servers[0]?.healthy === true);
    expect(await service.json({})).toEqual({});
    expect(states).toEqual(['open', 'closed']);
  });

  it('do not close the breaker of a server that is well, and fails at what it is asked', async () => {
    let checks = 0;
    const server = await upstreamServer((req, res) => {
      if (req.url === '/healthz') checks += 1;
      res.writeHead(req.url === '/healthz' ? 200 : 500).end();
    });
    const service = upstream({ urls: server.url, retries: 0, health: { path: '/healthz', everyMs: 20 } });
    for (let call = 0; call < 5; call += 1) await errorOf(service.json({}));
    const before = checks;
    await until(() => checks > before + 1);
    expect(await errorOf(service.json({}))).toMatchObject({ code: 'upstream_unavailable' });
  });

  it('end with close()', async () => {
    const server = await goodServer();
    const service = upstream({ urls: server.url, health: { everyMs: 20 } });
    await until(() => server.seen.length > 1);
    await service.close();
    const { length } = server.seen;
    // Five times as long as from one check to the next.
    await sleep(100);
    expect(server.seen).toHaveLength(length);
  });
});

describe('check()', () => {
  it('tells how each server is', async () => {
    const [good, bad] = [await goodServer(), await closedPort()];
    const service = upstream({ urls: [good.url, bad] });
    expect(await service.check()).toEqual({
      upstream: 'service',
      servers: [
        { server: good.url, healthy: true, durationMs: expect.any(Number) as number, error: undefined },
        {
          server: bad,
          healthy: false,
          durationMs: expect.any(Number) as number,
          error: `upstream "service": ${bad} cannot be reached (ECONNREFUSED)`,
        },
      ],
    });
  });

  it('takes no server out that is well, however many ask at a time', async () => {
    const slow = await upstreamServer((_req, res) => void setTimeout(() => res.end(), 300));
    const service = upstream({ urls: [slow.url, (await goodServer()).url] });
    const checks = await Promise.all(Array.from({ length: 6 }, () => service.check()));

    expect(checks.flatMap(({ servers }) => servers.filter(({ healthy }) => !healthy))).toEqual([]);
    expect(service.state().servers).toMatchObject([{ state: 'in' }, { state: 'in' }]);
  });

  it('asks nobody for a caller that has left', async () => {
    const server = await goodServer();
    const service = upstream({ urls: server.url });
    const reason = new Error('left');

    await expect(service.check({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(server.seen).toEqual([]);
  });

  it('throws when none is well, with every reason', async () => {
    const [hanging, dead] = [await hangingServer(), await closedPort()];
    const service = upstream({ urls: [hanging.url, dead] });
    const problem = await errorOf(service.check({ timeoutMs: 100 }));
    expect(problem).toMatchObject({ status: 503, code: 'upstream_unavailable' });
    expect(problem.message).toContain('did not answer within 100 ms; ');
    expect(problem.message).toContain('ECONNREFUSED');
    expect(problem.cause).toBeInstanceOf(AggregateError);
  });

  it('asks the next path where one is not there', async () => {
    const server = await upstreamServer((req, res) => res.writeHead(req.url === '/' ? 200 : 404).end());
    const service = upstream({ urls: server.url, health: { path: ['/healthz', '/'], everyMs: 60_000 } });
    await service.check();
    expect(server.seen.map(({ url }) => url)).toEqual(['/healthz', '/']);
  });

  it('puts a server that is well again back into the rotation', async () => {
    let broken = true;
    const first = await upstreamServer((_req, res) =>
      res.writeHead(broken ? 500 : 200).end('{"from":"first"}'),
    );
    const good = await goodServer();
    const service = upstream({
      urls: [first.url, good.url],
      breaker: false,
      ejection: { failures: 1, pauseMs: 60_000 },
    });
    await service.json({});
    broken = false;
    await service.check();
    expect(await service.json({})).toEqual({ from: 'first' });
  });
});
