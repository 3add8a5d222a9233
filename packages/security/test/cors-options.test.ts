import { listen } from '@signalbox/testing';
import express from 'express';
import { describe, expect, it } from 'vitest';
import { send } from '../../../test/support/send.js';
import { cors, type CorsOptions } from '../src/index.js';

async function allows(written: string, origin: string): Promise<boolean> {
  const app = express();
  app.use(cors({ origins: [written] }));
  app.use((_req, res) => void res.end());
  const { headers } = await send(await listen(app), { headers: { Origin: origin } });
  return headers['access-control-allow-origin'] === origin;
}

describe('an origin of cors', () => {
  it.each([
    ['HTTPS://App.Example.COM', 'https://app.example.com'],
    ['https://app.example.com:443', 'https://app.example.com'],
    ['http://app.example.com:80', 'http://app.example.com'],
    ['https://bücher.example', 'https://xn--bcher-kva.example'],
    ['https://*.bücher.example', 'https://a.xn--bcher-kva.example'],
    ['https://*.example.org:8443', 'https://a.example.org:8443'],
    ['http://*.localhost:3000', 'http://a.localhost:3000'],
    ['http://[::1]:3000', 'http://[::1]:3000'],
    ['https://[2001:DB8::1]', 'https://[2001:db8::1]'],
  ])('%s is %s to browsers', async (written, origin) => {
    expect(await allows(written, origin)).toBe(true);
  });

  it.each([
    ['null', '"null" is any sandboxed page'],
    ['*', '"*" is allowed only by itself'],
    ['', '"" does not begin with https://'],
    ['app.example.com', '"app.example.com" does not begin with https://'],
    ['//app.example.com', 'does not begin with https://'],
    ['ftp://app.example.com', 'for another scheme give a function'],
    ['https://', '"https://" is none'],
    ['https://app.example.com/', '"https://app.example.com/" ends in a slash'],
    ['https://app.example.com/path', 'has more than scheme, host and port'],
    ['https://app.example.com?query', 'has more than scheme, host and port'],
    ['https://app.example.com#hash', 'has more than scheme, host and port'],
    ['https://a.example.com,https://b.example.com', 'has more than scheme, host and port'],
    ['https://a.example.com,b.example.com', 'has a host that cannot be'],
    ['https://a.example.com b.example.com', 'is none'],
    ['https://a.example.com\\b', 'is none'],
    ['https://user:secret@app.example.com', 'an origin has no user or password'],
    ['https://app.example.com:65536', 'has a host or port that cannot be'],
    ['https://app.example.com:0', 'has a port that cannot be'],
    ['https://app.example.com:x', 'has a host or port that cannot be'],
    ['https://app.example.com.', 'ends in a dot'],
    ['https://app..example.com', 'has a host that cannot be'],
    ['https://*', 'has a wildcard elsewhere'],
    ['https://*.*.example.org', 'has a wildcard elsewhere'],
    ['https://a.*.example.org', 'has a wildcard elsewhere'],
    ['https://*example.org', 'has a wildcard elsewhere'],
    ['https://example.*', 'has a wildcard elsewhere'],
    ['https://example.org:*', 'has a wildcard elsewhere'],
    ['*://example.org', 'does not begin with https://'],
    ['https://*.org', 'would be everybody below ".org"'],
    ['https://*.192.0.2.1', 'is a part of an address'],
    ['https://*.[::1]', 'is a part of an address'],
    [7, 'got 7'],
    [undefined, 'got undefined'],
    [null, 'got null'],
    [/example/, 'got an object'],
  ])('is refused at construction where it is %s', (origin, reason) => {
    const build = (): unknown => cors({ origins: [origin as string] });

    expect(build).toThrow(TypeError);
    expect(build).toThrow('cors: "origins" must be origins such as https://app.example.com; ');
    expect(build).toThrow(reason);
  });

  it('never shows a password', () => {
    expect(() => cors({ origins: ['https://user:secret@app.example.com'] })).toThrow(/^(?!.*secret)/);
  });

  it('is https in production, unless it is this machine', () => {
    const build = (origin: string): unknown => cors({ origins: [origin], production: true });

    expect(() => build('http://app.example.com')).toThrow('is not https');
    expect(() => build('http://*.example.com')).toThrow('is not https');
    expect(() => build('http://localhost.example.com')).toThrow('is not https');
    expect(() => build('http://127.0.0.1.example.com')).toThrow('is not https');
    for (const origin of [
      'http://localhost:5173',
      'http://127.0.0.1:80',
      'http://[::1]',
      'http://a.localhost',
    ]) {
      expect(() => build(origin)).not.toThrow();
    }
  });
});

describe('options of cors', () => {
  it('refuse everybody with credentials', () => {
    expect(() => cors({ origins: '*', credentials: true })).toThrow(
      'cors: "origins" must be a list where "credentials" is true, got "*"',
    );
    expect(() => cors({ origins: [], paths: { '/a': { origins: '*', credentials: true } } })).toThrow(
      'cors: "paths[/a].origins" must be a list where "credentials" is true',
    );
  });

  it.each([
    [undefined, '"options" must be an object, got undefined'],
    [{}, `"origins" must be a list of origins, or '*', got undefined`],
    [{ origins: 'https://app.example.com' }, `"origins" must be a list of origins, or '*'`],
    [{ origin: [] }, '"origin" is not an option; did you mean "origins"?'],
    [{ origins: [], maxAge: 5 }, '"maxAge" is not an option; did you mean "maxAgeSeconds"?'],
    [{ origins: [], maxAgeSeconds: -1 }, '"maxAgeSeconds" must be an integer of at least 0, got -1'],
    [{ origins: [], methods: 'GET' }, '"methods" must be a list of methods, got "GET"'],
    [{ origins: [], allowedHeaders: ['a b'] }, '"allowedHeaders" must be a list of header names, got "a b"'],
    [{ origins: [], exposedHeaders: ['a\r\nb'] }, '"exposedHeaders" must be a list of header names'],
    [{ origins: [], credentials: 'yes' }, '"credentials" must be true or false, got "yes"'],
    [{ origins: [], timeoutMs: 0 }, '"timeoutMs" must be an integer from 1 to 60000, got 0'],
    [{ origins: [], production: 'no' }, '"production" must be true or false'],
    [{ origins: [], paths: [] }, '"paths" must be an object, got an array'],
    [{ origins: [], paths: { public: false } }, '"paths" must be paths such as /public, got "public"'],
    [{ origins: [], paths: { '/*': false } }, '"paths" must be paths such as /public, got "/*"'],
    [{ origins: [], paths: { '/a': true } }, '"paths[/a]" must be an object, got true'],
    [{ origins: [], paths: { '/a': { origins: ['null'] } } }, '"paths[/a].origins" must be origins such as'],
    [{ origins: [], paths: { '/a': { paths: {} } } }, '"paths" is not an option'],
  ])('refuse %j', (options, message) => {
    const build = (): unknown => cors(options as CorsOptions);

    expect(build).toThrow(TypeError);
    expect(build).toThrow(`cors: ${message}`);
  });
});
