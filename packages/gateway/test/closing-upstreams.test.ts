import type { Express } from 'express';
import { describe, expect, it } from 'vitest';
import { proxied } from './proxy-support.js';
import { errorOf, rawServer, reset, upstream } from './upstream-server.js';

/** Answers, and closes at once, as servers do that keep no connections. */
function closingServer(answer: string | readonly string[]): Promise<string> {
  return rawServer((socket) => {
    socket.once('data', () => {
      for (const part of [answer].flat()) socket.write(part, 'latin1');
      socket.end();
    });
  });
}

const LENGTH = 100_000;
const BODY = 'x'.repeat(LENGTH);
const CLOSE = 'HTTP/1.1 200 OK\r\nConnection: close\r\n';

const FRAMINGS: readonly (readonly [string, string])[] = [
  ['its length', `${CLOSE}Content-Length: ${LENGTH}\r\n\r\n${BODY}`],
  ['chunks', `${CLOSE}Transfer-Encoding: chunked\r\n\r\n${LENGTH.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`],
  ['the end of its connection', `${CLOSE}\r\n${BODY}`],
  ['the end of its connection, in HTTP/1.0', `HTTP/1.0 200 OK\r\n\r\n${BODY}`],
];

/** A client that has no room for what comes, until some time later. */
function slowClient(app: Express): void {
  app.use((_req, res, next) => {
    const write = res.write.bind(res);
    res.write = (chunk: Buffer) => {
      write(chunk);
      setTimeout(() => {
        Object.defineProperty(res, 'writableLength', { value: 0, configurable: true });
        res.emit('drain');
      }, 50);
      Object.defineProperty(res, 'writableLength', { value: 1e9, configurable: true });
      return false;
    };
    next();
  });
}

describe('an upstream that closes behind its answer', () => {
  it.each(FRAMINGS)('is read to the end by %s, however slow the client', async (_framing, answer) => {
    const url = await proxied({ to: await closingServer(answer) }, slowClient);

    expect((await (await fetch(url)).text()).length).toBe(LENGTH);
  });

  it.each(FRAMINGS)('is read to the end by %s, where it is read whole', async (_framing, answer) => {
    const urls = await closingServer(answer);
    for (let count = 0; count < 20; count += 1) {
      expect((await upstream({ urls }).text({ path: '/' })).length).toBe(LENGTH);
    }
  });

  it.each(FRAMINGS)('is let go of by %s, where nobody wants its answer', async (_framing, answer) => {
    const urls = await closingServer(answer.replace('200 OK', '500 No'));
    for (let count = 0; count < 20; count += 1) {
      const problem = await errorOf(upstream({ urls, retries: 0 }).text({ path: '/' }));
      expect(problem['code']).toBe('upstream_error');
    }
  });

  it('and before its end is seen to be cut, however slow the client', async () => {
    const cut = await closingServer(`${CLOSE}Content-Length: ${LENGTH + 1}\r\n\r\n${BODY}`);
    const answer = await fetch(await proxied({ to: cut }, slowClient));

    await expect(answer.text()).rejects.toThrow();
  });

  it('by a reset has not sent the whole of it', async () => {
    const half = `${CLOSE}\r\n${BODY}`;
    const resetting = await rawServer((socket) => {
      // Not with the last bytes: libuv takes such a reset for an end.
      socket.once('data', () => socket.write(half, () => setTimeout(reset, 50, socket)));
    });
    for (const configure of [undefined, slowClient]) {
      const url = await proxied({ to: resetting, retries: 0 }, configure);
      const outcome = await fetch(url)
        .then(
          async (answer) => (answer.ok ? answer.text() : String(answer.status)),
          () => 'cut',
        )
        .catch(() => 'cut');
      expect(['cut', '502']).toContain(outcome);
    }
    const problem = await errorOf(upstream({ urls: resetting, retries: 0 }).text({ path: '/' }));
    expect(problem['code']).toBe('upstream_unreachable');
  });
});
