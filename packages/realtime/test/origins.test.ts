import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { clientOf, enter, heard, open } from './stage.js';

const HANDSHAKE = '/socket.io/?EIO=4&transport=polling';

describe('origins', () => {
  it.for([
    ['its own', (url: string) => url],
    ['one of the list', () => 'https://app.example.com'],
    ['below a wildcard', () => 'https://a.b.example.org'],
  ] as const)('connect: %s', async ([, originOf]) => {
    const { url } = await open({
      anonymous: true,
      origins: ['https://app.example.com', 'https://*.example.org'],
    });
    for (const transports of [['websocket'], ['polling']]) {
      await enter(url, { transports, extraHeaders: { origin: originOf(url) } });
    }
  });

  it.for([
    'https://evil.example',
    'https://app.example.com.evil.example',
    'https://evil.example/https://app.example.com',
    'https://example.org',
    'https://aexample.org',
    'https://user@a.example.org',
    'http://app.example.com',
    'https://app.example.com:8443',
    'null',
    'file://',
    'HTTPS://APP.EXAMPLE.COM',
    '',
  ])('are refused at the handshake: "%s"', async (origin) => {
    const { url, live } = await open({
      anonymous: true,
      origins: ['https://app.example.com', 'https://*.example.org'],
    });
    const response = await fetch(`${url}${HANDSHAKE}`, { headers: { origin } });
    expect(response.status).toBe(403);
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
    expect(await response.json()).toMatchObject({
      code: 4,
      error: { code: 403, type: 'origin_not_allowed' },
    });
    const error = await heard<Error>(clientOf(url, { extraHeaders: { origin } }), 'connect_error');
    expect(error.message).toBe('websocket error');
    expect(live.report()).toMatchObject({ connections: 0, refused: { origin_not_allowed: 2 } });
  });

  it('are told on the raw connection where it was a WebSocket', async () => {
    const { url } = await open({ anonymous: true });
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.write(
      [
        'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1',
        'Host: 127.0.0.1',
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
        'Origin: https://evil.example',
        '\r\n',
      ].join('\r\n'),
    );
    let answer = '';
    for await (const text of socket.setEncoding('utf8')) answer += String(text);
    expect(answer).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n/);
    expect(answer).toContain('"type":"origin_not_allowed"');
  });

  it('cannot be hidden by a page: what asks across sites without one is refused', async () => {
    const { url } = await open({ anonymous: true });
    const from = async (site: string): Promise<number> =>
      (await fetch(`${url}${HANDSHAKE}`, { headers: { 'sec-fetch-site': site } })).status;
    expect(await from('cross-site')).toBe(403);
    expect(await from('same-site')).toBe(403);
    expect(await from('same-origin')).toBe(200);
    expect(await from('none')).toBe(200);
  });

  it('of the list may read what long-polling answers', async () => {
    const { url } = await open({ anonymous: true, origins: ['https://app.example.com'] });
    const headers = { origin: 'https://app.example.com' };
    const response = await fetch(`${url}${HANDSHAKE}`, { headers });
    expect(response.headers.get('access-control-allow-origin')).toBe('https://app.example.com');
    expect(response.headers.get('access-control-allow-credentials')).toBe('true');
    const preflight = await fetch(`${url}${HANDSHAKE}`, {
      method: 'OPTIONS',
      headers: { ...headers, 'access-control-request-method': 'POST' },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-origin')).toBe('https://app.example.com');
  });
});
