import { describe, expect, it } from 'vitest';
import type { ProxyOptions } from '@signalbox/gateway';
import { proxied, rawExchange } from './proxy-support.js';
import { goodServer } from './upstream-server.js';

declare global {
  namespace Express {
    interface Request {
      /** Whom a middleware has found to ask. */
      asking?: string;
    }
  }
}

/** The fields that the upstream got for a request with these lines, by somebody who is signed in as `u_1`. */
async function fieldsFor(
  headers: ProxyOptions['headers'],
  lines: readonly string[] = [],
  options: Partial<ProxyOptions> = {},
): Promise<Record<string, unknown>> {
  const upstream = await goodServer();
  const url = await proxied({ to: upstream.url, headers, ...options }, (app) =>
    app.use((req, _res, next) => {
      req.asking = 'u_1';
      next();
    }),
  );
  await rawExchange(
    url,
    ['GET / HTTP/1.1', 'Host: shop.example', 'Connection: close', ...lines, '', ''].join('\r\n'),
  );
  return upstream.seen[0]?.headers ?? {};
}

describe('header fields that the app chooses by the request', () => {
  it('are sent in place of the client’s, in whatever way that writes them', async () => {
    const lines = ['X-User-Id: u_2', 'x_user_id: u_3', 'X-TEAM: red', 'Connection: X-User-Id', 'X-Own: own'];
    const fields = await fieldsFor((req) => ({ 'X-User-Id': req.asking, 'X-Team': 'blue' }), lines);

    expect(fields).toMatchObject({ 'x-user-id': 'u_1', 'x-team': 'blue', 'x-own': 'own' });
    expect(fields).not.toHaveProperty('x_user_id');
  });

  it('are not kept from the upstream by a client who sends the same', async () => {
    const lines = ['Connection: X-User-Id', 'X-User-Id: u_1'];
    const fields = await fieldsFor((req) => ({ 'X-User-Id': req.asking }), lines);
    expect(fields['x-user-id']).toBe('u_1');
  });

  it('are not sent at all where they have no value, nor are the client’s', async () => {
    const fields = await fieldsFor(
      () => ({ Cookie: undefined, 'X-Team': undefined }),
      ['Cookie: a=1', 'X-Team: red'],
    );
    expect(fields).not.toHaveProperty('cookie');
    expect(fields).not.toHaveProperty('x-team');
  });

  it('may have the names of those that are stripped, and of those that tell who asks', async () => {
    const own = {
      'X-Tenant-Id': 't_1',
      Authorization: 'Bearer ours',
      'X-Forwarded-Proto': 'https',
      'X-Forwarded-For': '192.0.2.1',
      'X-Request-ID': 'ours',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01',
    };
    const lines = ['X-Tenant-Id: t_2', 'Authorization: Bearer theirs', 'X-Request-ID: theirs'];
    const fields = await fieldsFor(() => own, lines, { stripHeaders: ['x-tenant-*', 'authorization'] });
    for (const [name, value] of Object.entries(own)) expect(fields[name.toLowerCase()]).toBe(value);
  });

  it.each<[string, unknown]>([
    ['a field of the connection', { Connection: 'X-Team' }],
    ['the framing', { 'Content-Length': '5' }],
    ['the name of the upstream', { Host: 'evil.example' }],
    ['two lines', { 'X-Team': 'blue\r\nX-Admin: 1' }],
    ['a letter that no field may have', { 'X-Team': 'Žofie' }],
    ['a name that no field may have', { 'X Team': 'blue' }],
    ['no string', { 'X-Team': 5 }],
    ['no object', 'X-Team: blue'],
    ['nothing', undefined],
  ])('are a failure of the app where they are %s, which asks nobody', async (_what, chosen) => {
    const upstream = await goodServer();
    const url = await proxied({ to: upstream.url, headers: () => chosen as Record<string, string> });
    const answer = await fetch(url);
    expect(answer.status).toBe(500);
    expect(upstream.seen).toEqual([]);
  });

  it('make an error of what the function throws', async () => {
    const url = await proxied({
      to: (await goodServer()).url,
      headers() {
        throw Object.assign(new Error('sign in first'), { status: 401 });
      },
    });
    expect((await fetch(url)).status).toBe(401);
  });
});
