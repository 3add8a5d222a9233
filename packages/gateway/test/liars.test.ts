import { assertNeverHangs } from '@signalbox/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FallbackFailedError, searxng, UpstreamError } from '@signalbox/gateway';
import { GZIP_BOMB, LIARS_BEFORE_THE_ANSWER, LIARS_IN_THE_BODY, lyingServer } from './liars.js';
import { errorType, proxied, rawExchange } from './proxy-support.js';
import { errorOf, goodServer, upstream } from './upstream-server.js';

const LIMITS = { timeoutMs: 300, retries: 0 };
const PROXY_LIMITS = { ...LIMITS, idleTimeoutMs: 300, minBytesPerSecond: 100_000 };
const GET = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

/** Well above every limit of these tests. */
function neverHangs<Result>(call: () => Promise<Result>): Promise<Result> {
  return assertNeverHangs(call, { withinMs: 10_000 });
}

describe.each(LIARS_BEFORE_THE_ANSWER)('an upstream that answers $what', (liar) => {
  it('is a problem behind a proxy, and nothing of it comes through', async () => {
    const url = await proxied({ to: await lyingServer(liar), ...PROXY_LIMITS });
    const answer = await neverHangs(() => fetch(url));

    expect([502, 504]).toContain(answer.status);
    expect(await errorType(answer)).toMatch(/^upstream_(invalid_response|unreachable|timeout)$/);
    expect(answer.headers.get('content-type')).toContain('application/json');
    expect(answer.headers.has('a')).toBe(false);
  });
});

describe.each(LIARS_IN_THE_BODY)('an upstream whose body has $what', (liar) => {
  it('ends the connection of the client, who cannot take it for a whole answer', async () => {
    const url = await proxied({ to: await lyingServer(liar), ...PROXY_LIMITS });
    const text = await neverHangs(() => rawExchange(url, GET));

    if (text.startsWith('HTTP/1.1 200 ')) expect(text).not.toMatch(/\r\n0\r\n(?:.+\r\n)*\r\n$/);
    else expect(text).toMatch(/^HTTP\/1\.1 50[24] /);
    const length = /\r\ncontent-length: (\d+)/i.exec(text)?.[1];
    const body = text.slice(text.indexOf('\r\n\r\n') + 4);
    if (text.startsWith('HTTP/1.1 200 ') && length !== undefined)
      expect(body.length).toBeLessThan(Number(length));
  });
});

describe.each([...LIARS_BEFORE_THE_ANSWER, ...LIARS_IN_THE_BODY, GZIP_BOMB])(
  'an upstream of JSON that answers $what',
  (liar) => {
    it('is a problem of its kind, and passed over for the next one', async () => {
      const url = await lyingServer(liar);
      const limits = { ...LIMITS, maxResponseBytes: 1_000_000 };
      const problem = await errorOf(neverHangs(() => upstream({ urls: url, ...limits }).json({ path: '/' })));
      expect(problem).toBeInstanceOf(UpstreamError);
      expect([502, 504]).toContain(problem['status']);

      const good = await goodServer();
      // In all it may take longer than both attempts, on a machine that is busy.
      const two = upstream({ urls: [url, good.url], ...limits, retries: 1, deadlineMs: 8_000 });
      expect(await neverHangs(() => two.json({ path: '/' }))).toEqual({ from: 'good' });
    });

    it('is no search result', async () => {
      const engine = searxng({ urls: await lyingServer(liar), ...LIMITS, maxResponseBytes: 1_000_000 });
      onTestFinished(() => void engine.close());
      const problem = await errorOf(neverHangs(() => engine.search({ q: 'express' })));

      expect(problem).toBeInstanceOf(FallbackFailedError);
      expect([502, 503, 504]).toContain(problem['status']);
    });
  },
);

describe('an upstream that goes on after its answer', () => {
  it.each([
    ['an answer', 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison'],
    ['early hints', 'HTTP/1.1 103 Early Hints\r\nLink: </poison>\r\n\r\n'],
    ['102', 'HTTP/1.1 102 Processing\r\n\r\n'],
    ['bytes', 'poison'],
  ])('with %s poisons no other answer', async (_what, more) => {
    const to = await lyingServer({
      what: more,
      answer: (socket) => void socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood${more}`),
    });
    const url = await proxied({ to });
    for (let count = 0; count < 5; count += 1) {
      const text = await rawExchange(url, GET);
      expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\ngood$/);
      expect(text).not.toContain('poison');
    }
  });

  it('before it is asked again poisons no answer either', async () => {
    const to = await lyingServer({
      what: 'late',
      answer: (socket) => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood');
        setTimeout(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison'), 5);
      },
    });
    const url = await proxied({ to });
    for (let count = 0; count < 10; count += 1) {
      expect(await rawExchange(url, GET)).toMatch(/\r\n\r\ngood$/);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  });
});

describe('an upstream that gives a reason of a megabyte', () => {
  it('is answered for without one', async () => {
    const what = `HTTP/1.1 200 ${'y'.repeat(1_000_000)}\r\nContent-Length: 2\r\n\r\n{}`;
    const url = await proxied({ to: await lyingServer({ what, answer: (socket) => void socket.end(what) }) });

    expect(await rawExchange(url, GET)).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });
});

describe('a gzip bomb behind a proxy', () => {
  it('is passed on as it is, for nobody unpacks it here', async () => {
    const url = await proxied({ to: await lyingServer(GZIP_BOMB) });
    const text = await rawExchange(url, GET);
    const body = text.slice(text.indexOf('\r\n\r\n') + 4);

    expect(text).toMatch(/\r\nContent-Encoding: gzip\r\n/);
    expect(body.length).toBeLessThan(100_000);
  });
});
