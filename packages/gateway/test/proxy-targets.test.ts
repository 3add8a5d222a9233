import { once } from 'node:events';
import { createServer } from 'node:http';
import type { LookupFunction, Socket } from 'node:net';
import { listen } from '@signalbox/testing';
import express from 'express';
import { describe, expect, it } from 'vitest';
import { errorType, proxied, rawConnection, rawExchange, testProxy } from './proxy-support.js';
import { goodServer, rawServer, until } from './upstream-server.js';

const fromQuery = (req: { url?: string | undefined }): string | undefined =>
  new URL(req.url ?? '/', 'http://x').searchParams.get('to') ?? undefined;

/** Resolves every name to these addresses, one answer after the other. */
function resolving(...answers: readonly (readonly string[])[]): {
  lookup: LookupFunction;
  asked: () => number;
} {
  let asked = 0;
  return {
    asked: () => asked,
    lookup(_hostname, options, callback) {
      const addresses = (answers[Math.min(asked, answers.length - 1)] ?? []).map((address) => ({
        address,
        family: address.includes(':') ? 6 : 4,
      }));
      asked += 1;
      if (options.all === true) callback(null, addresses);
      else callback(null, addresses[0]?.address ?? '', addresses[0]?.family);
    },
  };
}

describe('targets that a request chooses', () => {
  it('are those of the list alone', async () => {
    const upstream = await goodServer();
    const url = await proxied({ to: fromQuery, allow: [upstream.url] });
    const other = await goodServer();

    expect((await fetch(`${url}/x?to=${upstream.url}`)).status).toBe(200);
    for (const to of [
      other.url,
      'http://127.0.0.1:1',
      'file:///etc/passwd',
      `${upstream.url}/?x=1`,
      'not a url',
      `${upstream.url}.evil.example`,
    ]) {
      const answer = await fetch(`${url}/x?to=${encodeURIComponent(to)}`);
      expect(answer.status).toBe(403);
      expect(await errorType(answer)).toBe('target_not_allowed');
    }
    expect(other.seen).toEqual([]);
  });

  it('may be none, and the request goes on to who comes next', async () => {
    const url = await proxied({ to: fromQuery, allow: 'public' });

    expect((await fetch(`${url}/x`)).status).toBe(404);
    // Nor is anything of it for the proxy to refuse.
    for (const line of ['GET /a/%2e%2e/b', 'GET /a\\b', 'TRACE /']) {
      const answer = await rawExchange(url, `${line} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
      expect(answer).toMatch(/^HTTP\/1\.1 404 /);
    }
  });

  it.each([
    'http://127.0.0.1/',
    'http://2130706433/',
    'http://0x7f.1/',
    'http://0/',
    'http://10.0.0.1/',
    'http://172.31.255.1/',
    'http://192.168.1.1/',
    'http://169.254.169.254/latest/meta-data/',
    'http://100.100.100.200/',
    'http://[::1]/',
    'http://[::]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[::ffff:a9fe:a9fe]/',
    'http://[64:ff9b::7f00:1]/',
    'http://[2002:7f00:1::]/',
    'http://[fd00::1]/',
    'http://[fe80::1]/',
    'http://198.51.100.7:8080/',
    'ftp://93.184.216.34/',
  ])('are public ones, not %s', async (to) => {
    const url = await proxied({ to: fromQuery, allow: 'public' });
    const answer = await fetch(`${url}/x?to=${encodeURIComponent(to)}`);

    expect(answer.status).toBe(403);
  });

  it.each([
    ['127.0.0.1'],
    ['10.0.0.1'],
    ['::1'],
    ['::ffff:127.0.0.1'],
    ['fd12::1'],
    ['93.184.216.34', '127.0.0.1'],
  ])('are refused where their name stands for %s', async (...addresses) => {
    const upstream = await goodServer();
    const { port } = new URL(upstream.url);
    const to = `http://rebind.example.org:${port}`;
    const url = await proxied({
      to: () => to,
      allow: ['http://*.example.org:' + port],
      lookup: resolving(addresses).lookup,
    });
    const answer = await fetch(url);

    expect(answer.status).toBe(403);
    expect(upstream.seen).toEqual([]);
  });

  it('are connected to by the address that was checked, which is asked for once', async () => {
    const upstream = await goodServer();
    const { port } = new URL(upstream.url);
    // One way for the check, another for the connection, were there two of them. Nobody has 2000::1.
    const names = resolving(['192.0.2.255'], ['127.0.0.1']);
    const publicNames = resolving(['2000::1'], ['127.0.0.1']);
    const options = {
      to: () => `http://rebind.example.org:${port}`,
      allow: [`http://rebind.example.org:${port}`],
    };

    expect((await fetch(await proxied({ ...options, lookup: names.lookup, retries: 0 }))).status).toBe(403);
    const url = await proxied({ ...options, lookup: publicNames.lookup, retries: 0, connectTimeoutMs: 100 });
    expect((await fetch(url)).status).toBeGreaterThanOrEqual(502);
    expect(publicNames.asked()).toBe(1);
    expect(upstream.seen).toEqual([]);
  });

  it('may be private where that is said', async () => {
    const upstream = await goodServer();
    const { port } = new URL(upstream.url);
    const to = `http://inner.example.org:${port}`;
    const options = {
      to: () => to,
      allow: [`http://*.example.org:${port}`],
      lookup: resolving(['127.0.0.1']).lookup,
    };

    expect((await fetch(await proxied({ ...options, allowPrivate: true }))).status).toBe(200);
    expect(upstream.seen[0]?.headers.host).toBe(`inner.example.org:${port}`);
  });

  it('get the credentials of their URL, and not the client’s', async () => {
    const upstream = await goodServer();
    const to = upstream.url.replace('//', '//user:password@');
    const url = await proxied({ to: () => to, allow: [upstream.url] });
    await fetch(url, { headers: { authorization: 'Bearer theirs', 'x-other': 'x' } });

    expect(upstream.seen[0]?.headers).toMatchObject({
      authorization: `Basic ${Buffer.from('user:password').toString('base64')}`,
      'x-other': 'x',
    });
  });

  it('are as many as one likes, and a hundred of them are remembered', async () => {
    const url = await listen(createServer((_req, res) => res.end('here')));
    const gateway = await proxied({ to: (req) => `${url}/${req.url?.slice(1) ?? ''}`, allow: [url] });
    for (let count = 0; count < 120; count += 1) {
      const answer = await fetch(`${gateway}/${count}`);
      expect(await answer.text()).toBe('here');
    }
  });

  it('keep no connections once they are forgotten, however long the servers would keep them', async () => {
    const sockets = new Set<Socket>();
    const url = await rawServer((socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      socket.on('data', () =>
        socket.write('HTTP/1.1 200 OK\r\nKeep-Alive: timeout=600\r\nContent-Length: 4\r\n\r\nhere'),
      );
    });
    const gateway = testProxy({ to: (req) => `${url}/${req.url?.slice(1) ?? ''}`, allow: [url] });
    const front = await listen(express().use(gateway));
    for (let count = 0; count < 150; count += 1) await (await fetch(`${front}/${count}`)).text();

    await until(() => sockets.size <= 100);
    await gateway.close();
    await until(() => sockets.size === 0);
  });

  it('get a body that comes slowly, however many others are chosen meanwhile', async () => {
    const url = await listen(createServer((req, res) => void req.resume().on('end', () => res.end('here'))));
    const gateway = await proxied({ to: (req) => `${url}/${req.url?.slice(1) ?? ''}`, allow: [url] });
    const slow = await rawConnection(gateway);
    const closed = once(slow, 'close');
    slow.write('POST /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbo');
    for (let count = 0; count < 120; count += 1) await (await fetch(`${gateway}/${count}`)).text();
    slow.write('dy');
    await closed;

    expect(slow.text()).toMatch(/^HTTP\/1\.1 200 [^]*here$/);
  });
});
