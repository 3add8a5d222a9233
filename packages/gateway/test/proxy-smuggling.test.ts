import { once } from 'node:events';
import { createServer } from 'node:http';
import { errorHandler } from '@signalbox/errors';
import { listen } from '@signalbox/testing';
import express from 'express';
import { describe, expect, it } from 'vitest';
import { proxied, rawConnection, rawExchange, testProxy } from './proxy-support.js';
import { rawServer } from './upstream-server.js';

/** Writes down every byte that comes, and answers each header section it sees. */
async function recordingServer(): Promise<{ url: string; bytes: () => string }> {
  let bytes = '';
  const url = await rawServer((socket) => {
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.toString('latin1');
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    });
  });
  return { url, bytes: () => bytes };
}

const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';

const ATTACKS: readonly (readonly [string, string])[] = [
  [
    'Content-Length and Transfer-Encoding',
    'Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  [
    'Transfer-Encoding and Content-Length',
    'Transfer-Encoding: chunked\r\nContent-Length: 60\r\n\r\n0\r\n\r\n',
  ],
  ['two lengths', 'Content-Length: 0\r\nContent-Length: 37\r\n\r\n'],
  ['a list of lengths', 'Content-Length: 0, 37\r\n\r\n'],
  ['a length with a sign', 'Content-Length: +0\r\n\r\n'],
  ['a length with a space in it', 'Content-Length: 3 7\r\n\r\n'],
  ['a hexadecimal length', 'Content-Length: 0x0\r\n\r\n'],
  ['a length before a colon with a space', 'Content-Length : 37\r\n\r\n'],
  ['a coding before a colon with a space', 'Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n'],
  ['a folded coding', 'Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n'],
  ['a folded field', 'X-Folded: a\r\n Transfer-Encoding: chunked\r\n\r\n'],
  ['a coding that begins with a vertical tab', 'Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n'],
  ['another coding', 'Transfer-Encoding: identity\r\n\r\n0\r\n\r\n'],
  ['a coding behind chunked', 'Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n'],
  ['a coding before chunked', 'Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
  ['chunked twice', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['a bare line feed', 'X: a\nContent-Length: 37\r\n\r\n'],
  ['a bare carriage return', 'X: a\rContent-Length: 37\r\n\r\n'],
  ['a NUL', 'X: a\0b\r\nContent-Length: 0\r\n\r\n'],
  ['a chunk size that is no number', 'Transfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n0\r\n\r\n'],
  ['a chunk size with a sign', 'Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n0\r\n\r\n'],
  ['a chunk size in C', 'Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n'],
  ['a chunk size that overflows', `Transfer-Encoding: chunked\r\n\r\n${'f'.repeat(17)}\r\n\r\n0\r\n\r\n`],
  ['a chunk longer than it says', 'Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n'],
  ['a coding that is chunked and identity', 'Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n'],
  ['a coding that is identity and chunked', 'Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n'],
  ['chunked in a list with itself', 'Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n'],
  ['chunked with a parameter', 'Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n'],
  ['chunked in quotes', 'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n'],
  ['nearly chunked', 'Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n'],
  ['a coding before a colon with a tab', 'Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n'],
  ['a coding that a tab breaks', 'Transfer-Encoding: chun\tked\r\n\r\n0\r\n\r\n'],
  ['a coding that begins with a form feed', 'Transfer-Encoding: \fchunked\r\n\r\n0\r\n\r\n'],
  ['an empty coding', 'Transfer-Encoding:\r\nContent-Length: 6\r\n\r\n0\r\n\r\n'],
  ['a coding folded behind a tab', 'Transfer-Encoding:\r\n\tchunked\r\n\r\n0\r\n\r\n'],
  ['a folded length', 'Content-Length:\r\n 37\r\n\r\n'],
  ['the same length twice', 'Content-Length: 37\r\nContent-Length: 37\r\n\r\n'],
  ['a list of the same length', 'Content-Length: 37, 37\r\n\r\n'],
  ['a length below zero', 'Content-Length: -1\r\n\r\n'],
  ['a length that overflows', 'Content-Length: 18446744073709551616\r\n\r\n'],
  ['line feeds alone', 'X: a\nTransfer-Encoding: chunked\n\n0\n\n'],
  ['a line feed before a length', 'X: a\n Content-Length: 37\r\n\r\n'],
  ['carriage returns alone', 'X: a\rTransfer-Encoding: chunked\r\r'],
  ['a chunk that ends in a line feed', 'Transfer-Encoding: chunked\r\n\r\n1\r\na\n0\r\n\r\n'],
  ['a chunk size that ends in a line feed', 'Transfer-Encoding: chunked\r\n\r\n0\n\n'],
  ['a chunk size that a carriage return ends', 'Transfer-Encoding: chunked\r\n\r\n0\r\r\n'],
  ['a chunk extension with a line feed', 'Transfer-Encoding: chunked\r\n\r\n0;a\n\r\n\r\n'],
  ['a chunk size before a blank', 'Transfer-Encoding: chunked\r\n\r\n 0\r\n\r\n'],
  ['a chunk size with an underscore', 'Transfer-Encoding: chunked\r\n\r\n0_0\r\n\r\n'],
  ['a trailer that is a line feed', 'Transfer-Encoding: chunked\r\n\r\n0\r\nX: a\n\r\n\r\n'],
  ['a field without a colon', 'Transfer-Encoding chunked\r\n\r\n0\r\n\r\n'],
  ['two hosts', 'Host: b\r\n\r\n'],
];

describe('requests that two parsers read differently', () => {
  it.each(ATTACKS)('brings nothing to the upstream of a second request behind %s', async (_what, fields) => {
    const upstream = await recordingServer();
    const url = await proxied({ to: upstream.url, retries: 0 });
    const text = await rawExchange(
      url,
      `POST /first HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${fields}${SMUGGLED}`,
    );

    expect(upstream.bytes()).not.toContain('/smuggled');
    expect(upstream.bytes().match(/ HTTP\/1\.1\r\n/g) ?? []).not.toHaveLength(2);
    expect(text).toMatch(/^HTTP\/1\.1 (400|501|502|413) /);
  });

  it('takes blanks and tabs around a coding for what they are', async () => {
    const upstream = await recordingServer();
    const url = await proxied({ to: upstream.url });
    const text = await rawExchange(
      url,
      `POST /first HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding:\t chunked \t\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    );

    expect(text).toMatch(/^HTTP\/1\.1 (200|400|501) /);
    expect(upstream.bytes()).not.toContain('/smuggled');
  });

  it('refuses chunks of HTTP/1.0', async () => {
    const upstream = await recordingServer();
    const url = await proxied({ to: upstream.url });
    const text = await rawExchange(
      url,
      `POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    );

    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(upstream.bytes()).toBe('');
  });

  it('refuses a length with chunks also where a lenient server has let it in', async () => {
    const upstream = await recordingServer();
    const app = express().use(testProxy({ to: upstream.url }), errorHandler());
    const url = await listen(createServer({ insecureHTTPParser: true }, app));
    const text = await rawExchange(
      url,
      `POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    );

    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(upstream.bytes()).toBe('');
  });

  it('writes a body anew, so that what looks like a request in it stays a body', async () => {
    const upstream = await recordingServer();
    const url = await proxied({ to: upstream.url });
    const socket = await rawConnection(url);
    const chunk = `${SMUGGLED.length.toString(16)};ext="\r"`.replace('\r', '');
    socket.write(
      `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}\r\n${SMUGGLED}\r\n0\r\n\r\n`,
    );
    await once(socket, 'data');

    expect(upstream.bytes()).toContain('transfer-encoding: chunked\r\n');
    expect(upstream.bytes()).not.toContain('ext=');
  });

  it('does not send on what cannot stand in a field', async () => {
    const upstream = await recordingServer();
    const url = await proxied({ to: upstream.url });
    const text = await rawExchange(
      url,
      'GET / HTTP/1.1\r\nHost: a\r\nX-Text: gr\xfc\xdfe\r\nConnection: close\r\n\r\n',
    );

    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    expect(upstream.bytes()).toContain('X-Text: gr\xfc\xdfe\r\n');
  });
});

describe('answers that two parsers read differently', () => {
  it('takes the second answer of an upstream for nobody’s', async () => {
    let count = 0;
    const upstream = await rawServer((socket) => {
      socket.on('data', () => {
        count += 1;
        socket.write(
          'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirstHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison',
        );
      });
    });
    const url = await proxied({ to: upstream });

    expect(await (await fetch(`${url}/1`)).text()).toBe('first');
    expect(await (await fetch(`${url}/2`)).text()).toBe('first');
    expect(count).toBe(2);
  });

  it('trusts no answer to a HEAD to have no body', async () => {
    const upstream = await rawServer((socket) => {
      socket.on('data', (chunk: Buffer) => {
        const body = chunk.toString().startsWith('HEAD')
          ? 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison'
          : 'first!';
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
      });
    });
    const url = await proxied({ to: upstream });
    await fetch(url, { method: 'HEAD' });

    expect(await (await fetch(url)).text()).toBe('first!');
  });
});
