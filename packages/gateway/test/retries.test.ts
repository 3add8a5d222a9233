import { describe, expect, it, onTestFinished } from 'vitest';
import { assertNeverHangs } from '@signalbox/testing';
import {
  closedPort,
  errorOf,
  failingServer,
  goodServer,
  sendJson,
  upstream,
  upstreamServer,
} from './upstream-server.js';

/** Fails the first `times` requests with `status`, then answers. */
function recoveringServer(times: number, status = 503, headers: Record<string, string> = {}) {
  return upstreamServer((_req, res, count) => {
    if (count <= times) res.writeHead(status, headers).end();
    else sendJson(res, { after: count });
  });
}

describe('retries', () => {
  it.each(['GET', 'PUT', 'DELETE', 'OPTIONS'])('are made for %s', async (method) => {
    const server = await recoveringServer(2);
    expect(await upstream({ urls: server.url }).json({ method })).toEqual({ after: 3 });
  });

  it.each(['POST', 'PATCH'])('are not made for %s, which may not be sent twice', async (method) => {
    const server = await recoveringServer(1);
    await expect(upstream({ urls: server.url }).json({ method })).rejects.toMatchObject({
      upstreamStatus: 503,
    });
    expect(server.seen).toHaveLength(1);
  });

  it('are made for a POST that is said to be idempotent, and not for a GET that is said not to be', async () => {
    const server = await recoveringServer(1);
    const service = upstream({ urls: server.url });
    await expect(service.json({ idempotent: false })).rejects.toMatchObject({ upstreamStatus: 503 });

    const other = await recoveringServer(1);
    expect(await upstream({ urls: other.url }).json({ method: 'POST', idempotent: true })).toEqual({
      after: 2,
    });
  });

  it('are made for a POST that cannot have arrived anywhere', async () => {
    const good = await goodServer();
    const service = upstream({ urls: [await closedPort(), good.url] });
    expect(await service.json({ method: 'POST', body: 'once' })).toEqual({ from: 'good' });
    expect(good.seen).toMatchObject([{ method: 'POST', body: 'once' }]);
  });

  it.each([400, 401, 403, 404, 409, 422])('are not made for an answer of %s', async (status) => {
    const server = await failingServer(status);
    expect(await upstream({ urls: server.url }).request({})).toMatchObject({ status });
    expect(server.seen).toHaveLength(1);
  });

  it.each([408, 429, 500, 502, 503, 504])('are made for an answer of %s', async (status) => {
    const server = await recoveringServer(1, status);
    expect(await upstream({ urls: server.url }).json({})).toEqual({ after: 2 });
  });

  it('are as many as the option says', async () => {
    for (const retries of [0, 1, 3]) {
      const server = await failingServer(500);
      await errorOf(upstream({ urls: server.url, retries, breaker: false }).json({}));
      expect(server.seen).toHaveLength(1 + retries);
    }
  });

  it('ask each server once before any a second time', async () => {
    const servers = [await failingServer(500), await failingServer(500), await failingServer(500)];
    const service = upstream({ urls: servers.map(({ url }) => url), retries: 3 });
    await errorOf(service.json({}));
    expect(servers.map(({ seen }) => seen.length)).toEqual([2, 1, 1]);
  });

  it('stay within the budget', async () => {
    const server = await failingServer(500);
    const service = upstream({
      urls: server.url,
      retries: 1,
      breaker: false,
      retryBudget: { ratio: 0.2, minPerSecond: 0, windowMs: 60_000 },
    });
    for (let request = 0; request < 20; request += 1) await errorOf(service.json({}));

    expect(server.seen).toHaveLength(20 + 4);
    expect(service.state().retries).toEqual({ requests: 20, retries: 4, allowed: 4 });
  });
});

describe('Retry-After', () => {
  it('is waited for when it fits in the deadline', async () => {
    const server = await recoveringServer(1, 429, { 'retry-after': '1' });
    const startedAt = Date.now();
    expect(await upstream({ urls: server.url }).json({})).toEqual({ after: 2 });
    expect(Date.now() - startedAt).toBeGreaterThanOrEqual(1_000);
  });

  it('sends the request to the next server at once, and lets this one rest', async () => {
    const busy = await recoveringServer(1, 503, { 'retry-after': '30' });
    const good = await goodServer();
    const service = upstream({ urls: [busy.url, good.url] });

    expect(await assertNeverHangs(() => service.json({}), { withinMs: 10_000 })).toEqual({ from: 'good' });
    expect(await service.json({})).toEqual({ from: 'good' });
    expect(busy.seen).toHaveLength(1);
    expect(service.state().servers[0]).toMatchObject({ state: 'resting' });
  });

  it('that does not fit ends the call, and is passed on', async () => {
    const busy = await failingServer(503, { 'retry-after': new Date(Date.now() + 20_000).toUTCString() });
    const service = upstream({ urls: busy.url, deadlineMs: 2_000 });

    const first = await errorOf(assertNeverHangs(() => service.json({}), { withinMs: 10_000 }));
    expect(first).toMatchObject({ status: 502, code: 'upstream_error', upstreamStatus: 503 });
    expect(Number((first['headers'] as Record<string, string>)['Retry-After'])).toBeGreaterThan(15);

    const second = await errorOf(service.json({}));
    expect(second).toMatchObject({ status: 503, code: 'upstream_unavailable' });
    expect(second.message).toBe(`upstream "service": no server to ask, ${busy.url} is resting`);
    expect(second['retryAfterSeconds']).toBeGreaterThan(15);
    expect(busy.seen).toHaveLength(1);
  });

  it('is a date in UTC in each of the three forms that HTTP has', async () => {
    const { TZ } = process.env;
    onTestFinished(() => {
      if (TZ === undefined) delete process.env['TZ'];
      else process.env['TZ'] = TZ;
    });
    process.env['TZ'] = 'Asia/Tokyo';
    const at = new Date(Date.now() + 20_000);
    const [, day = '', month = '', year = '', time = ''] =
      /^\w+, (\d+) (\w+) (\d+) ([\d:]+) GMT$/.exec(at.toUTCString()) ?? [];
    const weekday = at.toLocaleDateString('en', { weekday: 'long', timeZone: 'UTC' });
    for (const date of [
      at.toUTCString(),
      `${weekday}, ${day}-${month}-${year.slice(2)} ${time} GMT`,
      `${weekday.slice(0, 3)} ${month} ${day.replace(/^0/, ' ')} ${time} ${year}`,
    ]) {
      const busy = await failingServer(503, { 'retry-after': date });
      const service = upstream({ urls: busy.url, retries: 0 });
      const { retryAfterSeconds } = await errorOf(service.json({}));
      expect([date, Number(retryAfterSeconds) > 15 && Number(retryAfterSeconds) <= 20]).toEqual([date, true]);
    }
  });

  it.each(['-1', 'soon', '', '1e9'])('of "%s" says nothing', async (field) => {
    const server = await recoveringServer(1, 503, { 'retry-after': field });
    expect(
      await assertNeverHangs(async () => upstream({ urls: server.url }).json({}), { withinMs: 10_000 }),
    ).toEqual({ after: 2 });
  });

  it('of a year is not believed', async () => {
    const busy = await failingServer(503, { 'retry-after': '31536000' });
    const service = upstream({ urls: busy.url, retries: 0 });
    await errorOf(service.json({}));
    const until = service.state().servers[0]?.until ?? 0;
    expect(until).toBeLessThanOrEqual(Date.now() + 60_000);
  });
});
