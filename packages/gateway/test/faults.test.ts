import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { assertNeverHangs } from '@signalbox/testing';
import {
  UpstreamInvalidResponseError,
  UpstreamResponseError,
  UpstreamTimeoutError,
  UpstreamUnavailableError,
  type UpstreamError,
} from '@signalbox/gateway';
import {
  childServer,
  closedPort,
  errorOf,
  failingServer,
  goodServer,
  hangingServer,
  rawServer,
  upstream,
  upstreamServer,
} from './upstream-server.js';

const CAP = 1_000_000;

interface ErrorClass {
  name: string;
  prototype: UpstreamError;
}

/** Everything that can be wrong with a server, as the gateway meets it. */
const faults: [string, () => Promise<string>, ErrorClass, string][] = [
  ['refuses connections', closedPort, UpstreamUnavailableError, 'cannot be reached (ECONNREFUSED)'],
  [
    'hangs before it answers',
    async () => (await hangingServer()).url,
    UpstreamTimeoutError,
    'did not answer within',
  ],
  [
    'hangs in the middle of its answer',
    async () => {
      const { url } = await upstreamServer((_req, res) => {
        res.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' }).write('{"from":');
      });
      return url;
    },
    UpstreamTimeoutError,
    'did not finish its answer within',
  ],
  [
    'drips its answer byte by byte',
    async () => {
      const { url } = await upstreamServer((_req, res) => {
        const drip = setInterval(() => res.write(' '), 20);
        res.on('close', () => clearInterval(drip));
      });
      return url;
    },
    UpstreamTimeoutError,
    'did not finish its answer within',
  ],
  [
    'resets the connection',
    () => rawServer((socket) => void socket.once('data', () => socket.resetAndDestroy())),
    UpstreamUnavailableError,
    'broke the connection',
  ],
  [
    'closes in the middle of its answer',
    () =>
      rawServer((socket) => {
        socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"from"'));
      }),
    UpstreamUnavailableError,
    'broke the connection',
  ],
  [
    'talks something that is no HTTP',
    () => rawServer((socket) => void socket.once('data', () => socket.end('220 smtp.example.com ESMTP\r\n'))),
    UpstreamInvalidResponseError,
    'does not speak HTTP as it should',
  ],
  [
    'sends headers without end',
    () =>
      rawServer(
        (socket) =>
          void socket.once('data', () => socket.write(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100_000)}`)),
      ),
    UpstreamInvalidResponseError,
    'does not speak HTTP as it should',
  ],
  [
    'answers garbage for JSON',
    async () => (await upstreamServer((_req, res) => res.end('\u0000\u0001garbage'))).url,
    UpstreamInvalidResponseError,
    'answered something else where JSON was expected',
  ],
  [
    'answers HTML for JSON',
    async () => {
      const page = (
        await upstreamServer((_req, res) => res.setHeader('content-type', 'text/html').end('<p>hi</p>'))
      ).url;
      return page;
    },
    UpstreamInvalidResponseError,
    'answered text/html where JSON was expected',
  ],
  [
    'answers nothing for JSON',
    async () => (await upstreamServer((_req, res) => res.end())).url,
    UpstreamInvalidResponseError,
    'answered nothing where JSON was expected',
  ],
  ['answers 500', async () => (await failingServer(500)).url, UpstreamResponseError, 'answered 500'],
  ['answers 429', async () => (await failingServer(429)).url, UpstreamResponseError, 'answered 429'],
  [
    'announces 50 MB',
    async () => {
      const { url } = await upstreamServer((_req, res) => {
        res.writeHead(200, { 'content-length': '52428800' }).write(Buffer.alloc(1_000));
      });
      return url;
    },
    UpstreamInvalidResponseError,
    'is larger than 1000000 bytes',
  ],
  [
    'sends a gzip bomb',
    async () => {
      const bomb = gzipSync(Buffer.alloc(50_000_000));
      return (await upstreamServer((_req, res) => res.setHeader('content-encoding', 'gzip').end(bomb))).url;
    },
    UpstreamInvalidResponseError,
    'is larger than 1000000 bytes',
  ],
  [
    'sends what is no gzip as gzip',
    async () =>
      (await upstreamServer((_req, res) => res.setHeader('content-encoding', 'gzip').end('{}'))).url,
    UpstreamInvalidResponseError,
    'cannot be decompressed',
  ],
  [
    'sends an encoding that nobody asked for',
    async () =>
      (await upstreamServer((_req, res) => res.setHeader('content-encoding', 'zstd').end('{}'))).url,
    UpstreamInvalidResponseError,
    'has an encoding that was not asked for',
  ],
];

describe.each(faults)('a server that %s', (_fault, start, error, words) => {
  // Short where it is waited for, long where a busy machine shall not be taken for the fault.
  const options = { timeoutMs: error === UpstreamTimeoutError ? 150 : 5_000, maxResponseBytes: CAP };

  it('is a problem of its own kind that names upstream and server, within the deadline', async () => {
    const url = await start();
    const service = upstream({ urls: url, retries: 0, ...options });

    const problem = await errorOf(neverHangs(() => service.json({ path: '/secret?token=hidden' })));

    expect(problem.message).toContain(words);
    expect(Object.getPrototypeOf(problem)).toBe(error.prototype);
    expect(problem.message).toContain(`upstream "service": `);
    expect(problem.message).toContain(url);
    expect(problem.message).not.toContain('secret');
    expect(problem).toMatchObject({ name: error.name, upstream: 'service', server: url, expose: false });
  });

  it('is passed over for the next one', async () => {
    const good = await goodServer();
    const service = upstream({ urls: [await start(), good.url], ...options });

    expect(await neverHangs(() => service.json({ path: '/' }))).toEqual({ from: 'good' });
    expect(good.seen).toHaveLength(1);
  });
});

/** Well above every deadline of these tests, and below that of the runner. */
function neverHangs<Result>(call: () => Promise<Result>): Promise<Result> {
  return assertNeverHangs(call, { withinMs: 10_000 });
}

describe('a server killed in the middle of a request', () => {
  it('is a broken connection, and the next one answers', async () => {
    const child = await childServer(5_000);
    const good = await goodServer();
    const service = upstream({ urls: [child.url, good.url], timeoutMs: 5_000 });

    const arrived = child.nextRequest();
    const answer = service.json({ path: '/' });
    await arrived;
    child.kill('SIGKILL');

    expect(await neverHangs(() => answer)).toEqual({ from: 'good' });
    expect(await service.json({ path: '/' })).toEqual({ from: 'good' });
  });

  it('is told as unreachable when there is no other', async () => {
    const child = await childServer(5_000);
    const service = upstream({ urls: child.url, timeoutMs: 5_000, retries: 0 });

    const arrived = child.nextRequest();
    const answer = errorOf(service.json({ path: '/' }));
    await arrived;
    child.kill('SIGKILL');

    expect(await neverHangs(() => answer)).toMatchObject({ status: 502, code: 'upstream_unreachable' });
  });
});

describe('a server that is stopped with its port open', () => {
  it('costs no more than the timeout', async () => {
    const child = await childServer(0);
    const good = await goodServer();
    const service = upstream({ urls: [child.url, good.url], timeoutMs: 200 });
    expect(await service.json({ path: '/' })).toEqual({ from: 'child' });

    child.kill('SIGSTOP');
    expect(await neverHangs(() => service.json({ path: '/' }))).toEqual({ from: 'good' });
  });
});

describe('problems', () => {
  it('have a status and a stable code', async () => {
    const cases: [string, { status: number; code: string; upstreamStatus?: number }][] = [
      [await closedPort(), { status: 502, code: 'upstream_unreachable' }],
      [(await hangingServer()).url, { status: 504, code: 'upstream_timeout' }],
      [(await failingServer(500)).url, { status: 502, code: 'upstream_error', upstreamStatus: 500 }],
      [
        (await upstreamServer((_req, res) => res.end('<'))).url,
        { status: 502, code: 'upstream_invalid_response' },
      ],
    ];
    for (const [urls, expected] of cases) {
      const timeoutMs = expected.code === 'upstream_timeout' ? 100 : 5_000;
      const service = upstream({ urls, timeoutMs, retries: 0 });
      expect(await errorOf(service.json({ path: '/' }))).toMatchObject(expected);
    }
  });

  it('keep their cause, without what the server sent', async () => {
    const url = await rawServer(
      (socket) => void socket.once('data', () => socket.end('confidential words\r\n')),
    );
    const problem = await errorOf(upstream({ urls: url, retries: 0 }).json({ path: '/' }));

    expect(problem.cause).toMatchObject({ name: 'HTTPParserError' });
    expect(JSON.stringify(problem.cause)).not.toContain('confidential');
  });
});
