import { describe, expect, it } from 'vitest';
import { proxied, rawConnection } from './proxy-support.js';
import { rawServer, until } from './upstream-server.js';

/** An upstream that answers one request after the other with the next of these bytes. */
async function scripted(...answers: readonly string[]): Promise<string> {
  let requests = 0;
  return rawServer((socket) => {
    socket.on('data', () => {
      const answer = answers[requests % answers.length] ?? '';
      requests += 1;
      socket.write(answer);
    });
  });
}

describe('an answer without a body', () => {
  it.each([
    [
      'a 304 that states the length of the whole (RFC 9110 section 8.6)',
      'GET',
      'HTTP/1.1 304 Not Modified\r\nContent-Length: 8\r\n\r\n',
    ],
    ['the answer to a HEAD', 'HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n'],
  ])('is whole: %s', async (_what, method, answer) => {
    const upstream = await scripted(answer, 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    const url = await proxied({ to: upstream, retries: 0 });
    const socket = await rawConnection(url);
    socket.write(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`);
    await until(() => socket.text().includes('\r\n\r\n'));
    expect(socket.text()).toMatch(/^HTTP\/1\.1 (304|200) /);
    // The client's connection is still good.
    socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    await until(() => socket.text().split('HTTP/1.1 ').length === 3);
    expect(socket.text().split('HTTP/1.1 ')[2]).toMatch(/^200 /);
  });
});
