import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { listen, testClock, waitUntil } from '@signalbox/testing';
import { describe, expect, it } from 'vitest';
import { loadReport, type LoadResult } from './load-report.js';
import { steadyLoad, type Load, type LoadOptions } from './load.js';
import { freePort } from './ports.js';

/** A server, and what it has been asked. */
async function asked(
  answer: RequestListener,
): Promise<{ url: string; server: Server; requests: IncomingMessage[] }> {
  const requests: IncomingMessage[] = [];
  const server = createServer((req, res) => {
    requests.push(req);
    answer(req, res);
  });
  return { url: await listen(server), server, requests };
}

const fine: RequestListener = (_req, res) => res.end('fine');

describe('steadyLoad', () => {
  it('begins as many requests a second as it is told, for as long as it is told', async () => {
    const { url, requests } = await asked(fine);
    const load = await steadyLoad(url, { ratePerSecond: 200, durationMs: 500 });
    await load.done;

    // One at 0 ms, one at 495 ms; a timer may be late for the last.
    expect(load.results.length).toBeGreaterThanOrEqual(90);
    expect(load.results.length).toBeLessThanOrEqual(101);
    expect(requests).toHaveLength(load.results.length);
    expect(load.tally()).toEqual({ 200: load.results.length });
    expect(load.inFlight).toBe(0);
  });

  it('keeps the rate while answers are slow', async () => {
    const { url } = await asked((_req, res) => void setTimeout(() => res.end(), 300));
    const load = await steadyLoad(url, { ratePerSecond: 100, durationMs: 300 });
    expect(await waitUntil(() => load.nowMs() > 250)).toBe(true);
    expect(load.inFlight).toBeGreaterThan(10);
    await load.done;

    expect(load.percentile(1)).toBeGreaterThanOrEqual(299);
  });

  it('has clients who each wait for their answer, on a connection that they keep', async () => {
    let most = 0;
    let now = 0;
    const { url, server, requests } = await asked((_req, res) => {
      most = Math.max(most, ++now);
      res.once('close', () => (now -= 1));
      setTimeout(() => res.end('fine'), 5);
    });
    let connections = 0;
    server.on('connection', () => (connections += 1));
    const load = await steadyLoad(url, { clients: 4, durationMs: 300 });
    await load.done;

    expect(most).toBe(4);
    expect(connections).toBe(4);
    expect(requests.length).toBeGreaterThan(20);
    expect(load.tally()).toEqual({ 200: requests.length });
  });

  it('notes when each request began, how long it took and how it ended', async () => {
    const { url } = await asked((req, res) => {
      if (req.url === '/?0') res.writeHead(503).end();
      else if (req.url === '/?1') req.socket.destroy();
      else if (req.url === '/?2') void res.writeHead(200).write('begun', () => req.socket.destroy());
      else res.end();
    });
    const load = await steadyLoad((n) => `${url}/?${n}`, { clients: 1, durationMs: 200 });
    await load.done;

    const [first, second, third, fourth] = load.results;
    expect(first).toMatchObject({ n: 0, status: 503, error: undefined });
    expect(second).toMatchObject({ n: 1, status: undefined, error: 'ECONNRESET' });
    expect(third).toMatchObject({ n: 2, status: 200, error: 'ECONNRESET' });
    expect(fourth).toMatchObject({ n: 3, status: 200, error: undefined });
    const begins = load.results.map(({ startMs }) => startMs);
    expect(begins).toEqual(begins.toSorted((a, b) => a - b));
    expect(load.results.every(({ durationMs }) => durationMs >= 0)).toBe(true);
  });

  it('sends the method, headers and body of the options, headers also by the number', async () => {
    const bodies: string[] = [];
    const { url, requests } = await asked((req, res) => {
      req.setEncoding('utf8').once('data', (body: string) => bodies.push(body));
      req.once('end', () => res.end());
    });
    const headers = (n: number): Record<string, string> => ({ 'X-Number': String(n) });
    const load = await steadyLoad(url, { clients: 1, durationMs: 50, method: 'PUT', headers, body: 'tea' });
    await load.done;

    expect(requests[0]?.method).toBe('PUT');
    expect(requests.slice(0, 2).map((req) => req.headers['x-number'])).toEqual(['0', '1']);
    expect(bodies[0]).toBe('tea');
  });

  it('gives up a request that is not answered in time, and ends all the same', async () => {
    const { url } = await asked(() => undefined);
    const load = await steadyLoad(url, { clients: 2, durationMs: 100, timeoutMs: 100 });
    await load.done;

    expect(load.tally()).toEqual({ timeout: load.results.length });
    expect(load.percentile(1)).toBeGreaterThanOrEqual(100);
  });

  it('does not pile up requests without end', async () => {
    const { url, requests } = await asked(() => undefined);
    const options = { ratePerSecond: 500, durationMs: 200, timeoutMs: 500, maxInFlight: 10 };
    const load = await steadyLoad(url, options);
    await load.done;

    expect(requests).toHaveLength(10);
    const { timeout, 'too many in flight': unsent = 0 } = load.tally();
    expect(timeout).toBe(10);
    expect(unsent).toBeGreaterThan(50);
  });

  it('goes on while nobody listens, without haste', async () => {
    const load = await steadyLoad(`http://127.0.0.1:${await freePort()}`, { clients: 1, durationMs: 200 });
    await load.done;

    expect(load.tally()).toEqual({ ECONNREFUSED: load.results.length });
    expect(load.results.length).toBeLessThanOrEqual(20);
  });

  it('stops when it is told to, and waits for what is in flight', async () => {
    const { url } = await asked((_req, res) => void setTimeout(() => res.end(), 50));
    const load = await steadyLoad(url, { clients: 3, durationMs: 60_000 });
    expect(await waitUntil(() => load.results.length > 3)).toBe(true);
    await load.stop();

    const count = load.results.length;
    expect(load.inFlight).toBe(0);
    expect(load.tally()).toEqual({ 200: count });
    await load.stop();
    expect(load.results).toHaveLength(count);
  });

  let previous: Load;

  it('runs while the test does', async () => {
    previous = await steadyLoad((await asked(() => undefined)).url, { clients: 2, durationMs: 60_000 });

    expect(previous.inFlight).toBe(2);
  });

  it('has stopped with the test before', async () => {
    await previous.done;

    expect(previous.tally()).toEqual({ 'the test has ended': 2 });
  });

  it.each<[Partial<LoadOptions>, string]>([
    [{}, 'give either "ratePerSecond" or "clients"'],
    [{ ratePerSecond: 1, clients: 1 }, 'give either "ratePerSecond" or "clients"'],
    [{ ratePerSecond: 0 }, '"ratePerSecond" must be a number above 0, got 0'],
    [{ clients: Number.NaN }, '"clients" must be a number above 0, got NaN'],
    [{ clients: 1, durationMs: Infinity }, '"durationMs" must be a number above 0, got Infinity'],
    [{ clients: 1, timeoutMs: -1 }, '"timeoutMs" must be a number above 0, got -1'],
  ])('refuses %j', async (options, message) => {
    await expect(steadyLoad('http://127.0.0.1:1', { durationMs: 10, ...options })).rejects.toThrow(
      new TypeError(`steadyLoad: ${message}`),
    );
  });
});

describe('loadReport', () => {
  const clock = testClock();
  const report = loadReport(
    Array.from({ length: 100 }, (_, n): LoadResult => {
      clock.advance(10);
      return { n, startMs: clock.now(), durationMs: 100 - n, status: n < 50 ? 200 : 503, error: undefined };
    }),
  );

  it('gives percentiles by nearest rank', () => {
    expect([1, 50, 99, 99.5, 100].map((percent) => report.percentile(percent))).toEqual([
      1, 50, 99, 100, 100,
    ]);
  });

  it('looks at the requests that began in a time span, its end excluded', () => {
    expect(report.between(10, 30).map(({ n }) => n)).toEqual([0, 1]);
    expect(report.percentile(100, 990)).toBe(2);
    expect(report.tally(500, 520)).toEqual({ 200: 1, 503: 1 });
    expect(report.tally()).toEqual({ 200: 50, 503: 50 });
  });

  it('refuses percentiles that are none, and those of nothing', () => {
    expect(() => report.percentile(0)).toThrow('"percent" must be above 0 and at most 100, got 0');
    expect(() => report.percentile(99, 2_000, 3_000)).toThrow(
      'percentile: no request began between 2000 and 3000 ms',
    );
  });
});
