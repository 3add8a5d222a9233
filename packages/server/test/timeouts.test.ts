import { once } from 'node:events';
import { connect as connectTls } from 'node:tls';
import express from 'express';
import { describe, expect, it, onTestFinished } from 'vitest';
import { selfSigned } from '../../../test/support/self-signed.js';
import { eventually, pause, rawConnection, serveHere } from './support.js';

const app = express();
app.get('/', (_req, res) => void res.send('hello'));
app.post('/read', (req, res) => {
  req.on('end', () => res.send('read')).resume();
});
app.post('/begin', (req, res) => {
  res.write('begun');
  req.resume();
});
app.get('/slow', (_req, res) => void setTimeout(() => res.send('slow answer'), 150));

describe('a served app', () => {
  it('keeps idle connections for 5 s alone and for 75 s behind a proxy', async () => {
    const alone = await serveHere(app);
    const proxied = await serveHere(app, { behindProxy: true });
    const set = await serveHere(app, { behindProxy: true, keepAliveTimeoutMs: 61_000 });

    expect((await fetch(alone.url)).headers.get('keep-alive')).toBe('timeout=5');
    expect((await fetch(proxied.url)).headers.get('keep-alive')).toBe('timeout=75');
    expect((await fetch(set.url)).headers.get('keep-alive')).toBe('timeout=61');
  });

  it('bounds headers by 30 s, bodies by 60 s and header size by 8192 bytes, and looks every second', async () => {
    const { server } = await serveHere(app);
    const { headersTimeout, requestTimeout, maxConnections } = server;
    // Late ones are found when it next looks, so that both bounds hold with that second added.
    expect({ headersTimeout, requestTimeout }).toEqual({ headersTimeout: 29_000, requestTimeout: 59_000 });
    expect(maxConnections).toBeFalsy();
  });

  it('answers 408 to headers that do not come in time, and closes the connection', async () => {
    const { url } = await serveHere(app, { headersTimeoutMs: 300 });
    const connection = await rawConnection(url);
    connection.socket.write('GET / HTTP/1.1\r\nHost: secret-host\r\nX-');

    const { text, afterMs } = await connection.ended();
    expectEnvelope(text, 408, 'request_timeout', 'The request did not arrive in time');
    expect(text).not.toContain('secret-host');
    expect(afterMs).toBeGreaterThan(200);
  });

  it('closes a connection on which nothing comes at all', async () => {
    const { url } = await serveHere(app, { headersTimeoutMs: 200 });
    const { text } = await (await rawConnection(url)).ended();
    expect(text).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('answers 408 to a body that does not come in time', async () => {
    const { url } = await serveHere(app, { headersTimeoutMs: 200, requestTimeoutMs: 400 });
    const connection = await rawConnection(url);
    connection.socket.write('POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nsome');
    // Bytes that trickle in buy no time.
    const trickle = setInterval(() => connection.socket.write('.'), 50);
    onTestFinished(() => clearInterval(trickle));

    expectEnvelope(
      (await connection.ended()).text,
      408,
      'request_timeout',
      'The request did not arrive in time',
    );
  });

  it('lets a body take its time with requestTimeoutMs: 0', async () => {
    const { url } = await serveHere(app, { headersTimeoutMs: 100, requestTimeoutMs: 0 });
    const connection = await rawConnection(url);
    connection.socket.write(
      'POST /read HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 8\r\n\r\nhalf',
    );
    // Four times as long as the headers may take.
    await pause(400);
    connection.socket.write('half');
    expect((await connection.ended()).text).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('adds nothing to a response that has begun when its body is late', async () => {
    const { url } = await serveHere(app, { headersTimeoutMs: 200, requestTimeoutMs: 200 });
    const connection = await rawConnection(url);
    connection.socket.write('POST /begin HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n');

    const { text } = await connection.ended();
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    expect(text).not.toContain('408');
  });

  it('does not answer a request with the error of the one behind it', async () => {
    const { url } = await serveHere(app);
    const connection = await rawConnection(url);
    connection.socket.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\nGARBAGE\r\n\r\n');
    expect((await connection.ended()).text).toBe('');
  });

  it.each([
    ['a header section over 8192 bytes', `GET / HTTP/1.1\r\nX-Long: ${'x'.repeat(8_192)}\r\n\r\n`, 431],
    ['a target over 8192 bytes', `GET /${'x'.repeat(8_192)} HTTP/1.1\r\n\r\n`, 431],
    ['garbage', 'secret garbage\r\n\r\n', 400],
    ['two lengths', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', 400],
    [
      'a length and chunks',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      400,
    ],
    [
      'a chunk size that is none',
      'POST /read HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
      400,
    ],
    [
      'endless chunk extensions',
      `POST /read HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;${'x'.repeat(20_000)}\r\n`,
      413,
    ],
    ['a TLS hello on a plain port', '\u0016\u0003\u0001\u0002\u0000\u0001', 400],
  ])('answers %s in the shape of every error', async (_name, bytes, status) => {
    const { url } = await serveHere(app);
    const connection = await rawConnection(url);
    connection.socket.write(bytes);

    const { text } = await connection.ended();
    const types = { 400: 'bad_request', 413: 'payload_too_large', 431: 'request_header_fields_too_large' };
    expectEnvelope(text, status, types[status as 400]);
    expect(text).not.toContain('secret');
    expect(text).not.toContain('xxx');
  });

  it('takes headers of up to maxHeaderBytes', async () => {
    const { url } = await serveHere(app, { maxHeaderBytes: 20_000 });
    expect((await fetch(url, { headers: { 'x-long': 'x'.repeat(16_000) } })).status).toBe(200);
  });

  it('closes the connection of a client that reads no answer and sends on', async () => {
    const { url } = await serveHere(app);
    const connection = await rawConnection(url);
    connection.socket.pause();
    const flood = setInterval(() => connection.socket.write('garbage\r\n'.repeat(100)), 20);
    onTestFinished(() => clearInterval(flood));
    await connection.ended();
  });

  it('goes on without those that reset their connection or break the TLS handshake', async () => {
    const plain = await serveHere(app);
    const reset = await rawConnection(plain.url);
    reset.socket.write('GET / HT');
    reset.socket.resetAndDestroy();

    const { url, server } = await serveHere(app, { tls: selfSigned() });
    const noTls = await rawConnection(url);
    noTls.socket.write('GET / HTTP/1.1\r\n\r\n');
    expect((await noTls.ended()).text).not.toContain('HTTP');

    const secure = connectTls({
      port: Number(new URL(url).port),
      host: '127.0.0.1',
      rejectUnauthorized: false,
    });
    await once(secure, 'secureConnect');
    secure.end('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    const [first] = (await once(secure, 'data')) as [Buffer];
    expect(first.toString()).toMatch(/^HTTP\/1\.1 200 /);
    expect(server.listening).toBe(true);
    expect((await fetch(plain.url)).status).toBe(200);
  });

  it('closes connections beyond maxConnections, where that is set', async () => {
    const { url } = await serveHere(app, { maxConnections: 2 });
    const kept = [await rawConnection(url), await rawConnection(url)];
    const refused = await rawConnection(url);
    expect((await refused.ended()).text).toBe('');
    expect(kept.map(({ socket }) => socket.destroyed)).toEqual([false, false]);
  });

  it('answers /livez within 100 ms while 1 000 slow clients hold connections', {
    timeout: 30_000,
  }, async () => {
    const slow = express();
    let reading = 0;
    slow.get('/livez', (_req, res) => void res.send('alive'));
    slow.post('/upload', (req) => {
      reading += 1;
      req.resume();
    });
    const { url } = await serveHere(slow);
    const opened = await Promise.all(Array.from({ length: 1_000 }, () => rawConnection(url)));
    for (const [index, { socket }] of opened.entries()) {
      if (index % 2 === 0) socket.write('GET / HTTP/1.1\r\nHost: x\r\nX-');
      else socket.write('POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n');
    }
    await eventually(() => reading === 500);
    const trickle = setInterval(() => {
      for (const [index, { socket }] of opened.entries()) socket.write(index % 2 === 0 ? 'a' : '.');
    }, 250);
    onTestFinished(() => clearInterval(trickle));

    const took: number[] = [];
    for (let probe = 0; probe < 15; probe++) {
      const start = performance.now();
      expect(await (await fetch(`${url}/livez`)).text()).toBe('alive');
      took.push(performance.now() - start);
      // So that the probes come before and after the trickle.
      await pause(20);
    }
    // The machine that runs this has other things to do as well; a blocked server would be late each time.
    expect(took.toSorted((a, b) => a - b)[7]).toBeLessThan(100);
  });
});

function expectEnvelope(text: string, status: number, type: string, message?: string): void {
  const [head = '', body = ''] = text.split('\r\n\r\n');
  expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [A-Z]`));
  expect(head).toContain('Connection: close');
  expect(head).toContain('Content-Type: application/json; charset=utf-8');
  expect(head).toContain('Cache-Control: no-store');
  expect(head).toContain(`Content-Length: ${Buffer.byteLength(body)}`);
  const { error } = JSON.parse(body);
  expect(error).toMatchObject({ code: status, type, path: null, method: null });
  expect(error.message).toEqual(message ?? expect.any(String));
  expect(head).toContain(`X-Request-ID: ${error.requestId}`);
  expect(new Date(error.timestamp).getTime()).toBeGreaterThan(Date.now() - 60_000);
}
