import { connect } from 'node:net';
import { errorHandler } from '@signalbox/errors';
import { listen } from '@signalbox/testing';
import express, { type Express } from 'express';
import { describe, expect, it } from 'vitest';
import { send, type Sending } from '../../../test/support/send.js';
import { httpsOnly, trustProxy, type HttpsOnlyOptions } from '../src/index.js';

function appWith(options: Partial<HttpsOnlyOptions> = {}, trust = 'loopback'): Express {
  const app = express();
  app.set('trust proxy', trustProxy(trust));
  app.use(httpsOnly({ publicUrl: 'https://app.example', ...options }));
  app.use((_req, res) => void res.send('answered'));
  app.use(errorHandler());
  return app;
}

async function locationOf(options: Partial<HttpsOnlyOptions>, sending: Sending): Promise<string | undefined> {
  const answer = await send(await listen(appWith(options)), sending);
  expect(answer.status).toBe(308);
  return answer.headers.location;
}

describe('httpsOnly', () => {
  it.each(['GET', 'HEAD'])('sends %s to https, with path and query', async (method) => {
    expect(await locationOf({}, { method, path: '/search?q=a%20b&page=2' })).toBe(
      'https://app.example/search?q=a%20b&page=2',
    );
  });

  it.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])(
    'refuses %s with 403 https_required: a redirect would hide that it was readable on the way',
    async (method) => {
      const answer = await send(await listen(appWith()), { method, path: '/login', body: 'password' });

      expect(answer.status).toBe(403);
      expect(answer.headers.location).toBeUndefined();
      expect(JSON.parse(answer.text)).toMatchObject({ error: { type: 'https_required' } });
    },
  );

  it('judges the scheme after trusted proxies, and by them alone', async () => {
    const headers = { 'X-Forwarded-Proto': 'https' };

    expect((await send(await listen(appWith()), { headers })).status).toBe(200);
    expect((await send(await listen(appWith({}, 'off')), { headers })).status).toBe(308);
    expect((await send(await listen(appWith()), { headers: { 'X-Forwarded-Proto': 'http' } })).status).toBe(
      308,
    );
  });

  it('answers the machine itself where it is told to, and not who comes by a proxy on it', async () => {
    const url = await listen(appWith({ exemptLoopback: true }));
    expect((await send(url, { method: 'POST' })).status).toBe(200);
    expect((await send(await listen(appWith()), {})).status).toBe(308);
    for (const field of ['X-Forwarded-For', 'X-Forwarded-Proto', 'Forwarded', 'Via', 'X-Real-IP']) {
      expect([field, (await send(url, { headers: { [field]: 'http' } })).status]).toEqual([field, 308]);
    }
  });

  it.each([
    'evil.example',
    'app.example.evil.com',
    'app.example:81',
    'app.example@evil.example',
    'evil.example/app.example',
    '',
  ])('leads to its own host, whatever Host says: %j', async (host) => {
    expect(await locationOf({ hosts: ['www.app.example'] }, { headers: { Host: host } })).toBe(
      'https://app.example/',
    );
  });

  it('leaves visitors on the hosts that are its own', async () => {
    const options = { hosts: ['WWW.app.example', 'app.example:8443'] };

    expect(await locationOf(options, { headers: { Host: 'www.App.example' } })).toBe(
      'https://www.app.example/',
    );
    expect(await locationOf(options, { headers: { Host: 'app.example:8443' } })).toBe(
      'https://app.example:8443/',
    );
  });

  it.each([
    ['//evil.example/path', 'https://app.example//evil.example/path'],
    ['/\\evil.example', 'https://app.example/\\evil.example'],
    ['http://evil.example/path?q=1', 'https://app.example/path?q=1'],
    ['https://evil.example', 'https://app.example/'],
    ['*', 'https://app.example/'],
    ['/@evil.example', 'https://app.example/@evil.example'],
    ['/%0d%0aSet-Cookie:x=1', 'https://app.example/%0d%0aSet-Cookie:x=1'],
  ])('does not lead elsewhere by what stands in the path: %s', async (target, location) => {
    const url = new URL(await listen(appWith()));
    const socket = connect({ host: url.hostname, port: Number(url.port) });
    socket.end(`GET ${target} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n`);
    const answer = Buffer.concat((await socket.toArray()) as Buffer[]).toString();

    expect(new URL(location).host).toBe('app.example');
    expect(/^Location: (.*)\r$/m.exec(answer)?.[1]).toBe(location);
  });

  it('answers exempt paths over http, such as those of probes', async () => {
    const url = await listen(appWith({ exempt: ['/livez', '/readyz/'] }));
    const statusOf = async (path: string): Promise<number> => (await send(url, { path })).status;

    expect(await statusOf('/livez')).toBe(200);
    expect(await statusOf('/livez/?x=1')).toBe(200);
    expect(await statusOf('/readyz')).toBe(200);
    expect(await statusOf('/livez/more')).toBe(308);
    expect(await statusOf('/LIVEZ')).toBe(308);
  });

  it('answers with the status that was chosen', async () => {
    expect((await send(await listen(appWith({ status: 301 })))).status).toBe(301);
  });

  it.each([
    [undefined, '"options" must be an object'],
    [{}, '"publicUrl" must be a URL that begins with https://, got undefined'],
    [{ publicUrl: 'http://app.example' }, '"publicUrl" must be a URL that begins with https://'],
    [{ publicUrl: 'https://user:pw@app.example' }, '"publicUrl" must be a URL'],
    [
      { publicUrl: 'https://a', hosts: 'b' },
      '"hosts" must be a list of hosts such as www.example.com, got "b"',
    ],
    [{ publicUrl: 'https://a', hosts: ['https://b'] }, '"hosts" must be a list of hosts'],
    [{ publicUrl: 'https://a', hosts: ['*.b'] }, '"hosts" must be a list of hosts'],
    [{ publicUrl: 'https://a', hosts: ['b:99999'] }, '"hosts" must be a list of hosts'],
    [
      { publicUrl: 'https://a', exempt: ['livez'] },
      '"exempt" must be a list of paths such as /livez, got "livez"',
    ],
    [{ publicUrl: 'https://a', status: 303 }, '"status" must be 301 or 302 or 307 or 308, got 303'],
    [{ publicUrl: 'https://a', host: [] }, '"host" is not an option; did you mean "hosts"?'],
  ])('refuses %j', (options, message) => {
    const build = (): unknown => httpsOnly(options as HttpsOnlyOptions);

    expect(build).toThrow(TypeError);
    expect(build).toThrow(`httpsOnly: ${message}`);
  });
});
