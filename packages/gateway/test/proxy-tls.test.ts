import { once } from 'node:events';
import { request, createServer } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { listen } from '@signalbox/testing';
import express from 'express';
import { describe, expect, it } from 'vitest';
import { errorType, proxied, testProxy } from './proxy-support.js';
import { selfSigned } from '../../../test/support/self-signed.js';
import { goodServer } from './upstream-server.js';

const { key, cert } = selfSigned();

/** Answers with the host that it was asked for. */
async function secureServer(): Promise<string> {
  return listen(createServer({ key, cert }, (req, res) => res.end(req.headers.host)));
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

  it('asks no upstream that nobody vouches for, or that is another one', async () => {
    const to = await secureServer();
    for (const tls of [{}, { ca: cert, servername: 'elsewhere.example' }]) {
      const answer = await fetch(await proxied({ to, tls }));
      expect(answer.status).toBe(502);
      expect(await errorType(answer)).toBe('upstream_unreachable');
    }
  });

  it('tells an upstream that the client came by https', async () => {
    const upstream = await goodServer();
    const url = await listen(createServer({ key, cert }, express().use(testProxy({ to: upstream.url }))));
    const req = request(url, { ca: cert, rejectUnauthorized: false }).end();
    const [answer] = (await once(req, 'response')) as [IncomingMessage];
    answer.resume();

    expect(upstream.seen[0]?.headers).toMatchObject({ 'x-forwarded-proto': 'https' });
    expect(upstream.seen[0]?.headers['forwarded']).toMatch(/proto=https$/);
  });
});
