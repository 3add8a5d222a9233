import { once } from 'node:events';
import { request, createServer } from 'node:https';
import { request as requestHttp, type ClientRequest, type IncomingMessage } from 'node:http';
import { listen } from '@signalbox/testing';
import express from 'express';
import { describe, expect, it, onTestFinished } from 'vitest';
import { upstreams } from '@signalbox/gateway';
import { errorType, proxied, testProxy } from './proxy-support.js';
import { selfSigned } from '../../../test/support/self-signed.js';
import { goodServer, rawServer } from './upstream-server.js';

const { key, cert } = selfSigned();

/** Answers with the host that it was asked for. */
async function secureServer(): Promise<string> {
  return listen(createServer({ key, cert }, (req, res) => res.end(req.headers.host)));
}

async function send(req: ClientRequest): Promise<IncomingMessage> {
  const [answer] = (await once(req.end(), 'response')) as [IncomingMessage];
  return answer.resume();
}

describe('a proxy and TLS', () => {
  it('asks an upstream that proves who it is', async () => {
    const to = await secureServer();
    const tls = { ca: cert, servername: 'test' };
    const own = await proxied({ to, tls });
    const preserving = await proxied({ to, tls, preserveHost: true });

    expect(await (await fetch(own)).text()).toBe(new URL(to).host);
    // The client's Host has no say in whom the certificate has to name.
    expect(await (await fetch(preserving)).text()).toBe(new URL(preserving).host);
  });

  it('checks the certificate of an address for that address, whatever Host is asked for', async () => {
    const asked: unknown[] = [];
    const upstream = createServer({ key, cert }, (_req, res) => res.end());
    upstream.on('secureConnection', ({ servername }) => asked.push(servername));
    const to = await listen(upstream);
    const url = await proxied({ to, tls: { rejectUnauthorized: false }, preserveHost: true });

    for (const host of ['shop.example.org', 'elsewhere.example.org']) {
      const answer = await send(requestHttp(url, { headers: { host } }));
      expect(answer.statusCode).toBe(200);
    }
    // No name was sent, and the second request had no reason for a connection of its own.
    expect(asked).toEqual([false]);
  });

  it('checks it for the name that the options say, though they say another Host, too', async () => {
    const to = await secureServer();
    const options = { tls: { ca: cert, servername: 'test' }, headers: { host: 'shop.internal' } };

    expect(await (await fetch(await proxied({ to, ...options }))).text()).toBe('shop.internal');
    const { shop } = upstreams({ shop: { urls: to, ...options } });
    onTestFinished(() => shop.close());
    expect(await shop.text({})).toBe('shop.internal');
  });

  it('asks no upstream that nobody vouches for, or that is another one', async () => {
    const to = await secureServer();
    for (const tls of [{}, { ca: cert, servername: 'elsewhere.example' }]) {
      const answer = await fetch(await proxied({ to, tls }));
      expect(answer.status).toBe(502);
      expect(await errorType(answer)).toBe('upstream_unreachable');
    }
  });

  it('sends on whatever the method, large bodies too, where a connection ends before it is one of TLS', async () => {
    const dead = (await rawServer((socket) => socket.once('data', () => socket.destroy()))).replace(
      'http:',
      'https:',
    );
    const options = { tls: { ca: cert, servername: 'test' }, mode: 'preference' } as const;
    const working = await secureServer();
    const url = await proxied({ to: [dead, working], ...options });
    for (const body of ['small', 'x'.repeat(200_000)]) {
      const answer = await fetch(url, { method: 'POST', body });
      expect([answer.status, await answer.text()]).toEqual([200, new URL(working).host]);
    }

    const { shop } = upstreams({ shop: { urls: [dead, working], ...options } });
    onTestFinished(() => shop.close());
    expect(await shop.text({ method: 'POST', body: 'once' })).toBe(new URL(working).host);
  });

  it('tells an upstream that the client came by https', async () => {
    const upstream = await goodServer();
    const url = await listen(createServer({ key, cert }, express().use(testProxy({ to: upstream.url }))));
    await send(request(url, { ca: cert, rejectUnauthorized: false }));

    expect(upstream.seen[0]?.headers).toMatchObject({ 'x-forwarded-proto': 'https' });
    expect(upstream.seen[0]?.headers['forwarded']).toMatch(/proto=https$/);
  });
});
