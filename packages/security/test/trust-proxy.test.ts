import { listen } from '@signalbox/testing';
import express from 'express';
import { describe, expect, it } from 'vitest';
import { send } from '../../../test/support/send.js';
import { trustProxy, type ProxyTrust, type TrustProxyOptions } from '../src/index.js';

async function addressSeen(
  trust: ProxyTrust,
  forwardedFor: string,
  options?: TrustProxyOptions,
): Promise<string> {
  const app = express();
  app.set('trust proxy', trustProxy(trust, options));
  app.get('/', (req, res) => void res.send(req.ip));
  return (await send(await listen(app), { headers: { 'X-Forwarded-For': forwardedFor } })).text;
}

describe('trustProxy', () => {
  it.each<[ProxyTrust, string, string]>([
    ['off', '203.0.113.7', '127.0.0.1'],
    [false, '203.0.113.7', '127.0.0.1'],
    ['loopback', '203.0.113.7', '203.0.113.7'],
    ['loopback', '203.0.113.7, 10.1.2.3', '10.1.2.3'],
    ['loopback, 10.0.0.0/8', '203.0.113.7, 10.1.2.3', '203.0.113.7'],
    [['loopback', 'uniquelocal'], '203.0.113.7, 192.168.1.1', '203.0.113.7'],
    ['loopback,linklocal', '203.0.113.7, 169.254.1.1', '203.0.113.7'],
    ['private', '203.0.113.7, fc00::1, 172.16.1.1', '203.0.113.7'],
    ['unix, loopback', '203.0.113.7', '203.0.113.7'],
    ['unix', '203.0.113.7', '127.0.0.1'],
    [1, '203.0.113.7, 10.1.2.3', '10.1.2.3'],
    ['2', '203.0.113.7, 10.1.2.3', '203.0.113.7'],
  ])('%j takes %j for %s', async (trust, forwardedFor, address) => {
    expect(await addressSeen(trust, forwardedFor)).toBe(address);
  });

  it('takes networks under names of yours', async () => {
    const presets = { cdn: ['198.51.100.0/24', '2001:db8::/32'] };

    expect(await addressSeen('loopback, cdn', '203.0.113.7, 198.51.100.9', { presets })).toBe('203.0.113.7');
    expect(trustProxy('cdn', { presets })).toEqual(presets.cdn);
    expect(() => trustProxy('cdn')).toThrow('got "cdn"');
    expect(() => trustProxy('cdn', { presets: { cdn: ['x'] } })).toThrow('trustProxy: "presets.cdn" must be');
  });

  it.each<[unknown, string]>([
    [true, '(it would trust everybody)'],
    ['true', 'got "true"'],
    ['', 'got ""'],
    [[], 'got an array'],
    [[7], 'got an array'],
    [undefined, 'got undefined'],
    [null, 'got null'],
    [{}, 'got an object'],
    [() => true, 'got a function'],
    [0, 'got 0 (none is "off")'],
    ['0', 'got 0'],
    [-1, 'got -1'],
    [1.5, 'got 1.5'],
    [33, 'got 33'],
    [Number.NaN, 'got NaN'],
    [Infinity, 'got Infinity'],
    ['loopbak', 'got "loopbak"'],
    ['constructor', 'got "constructor"'],
    ['proxy.example.com', 'got "proxy.example.com"'],
    ['loopback,', 'got ""'],
    ['10.0.0.0/33', 'got "10.0.0.0/33"'],
    ['10.0.0', 'got "10.0.0"'],
    ['fe80::1%eth0', 'got "fe80::1%eth0"'],
    ['0.0.0.0/0', 'would trust everybody'],
    ['::/0', 'would trust everybody'],
    ['::ffff:0:0/96', 'would trust everybody'],
    ['0.0.0.0/1, 128.0.0.0/1', 'would trust everybody'],
    ['2000::/3', 'would trust everybody'],
  ])('refuses %j', (trust, message) => {
    const build = (): unknown => trustProxy(trust as ProxyTrust);

    expect(build).toThrow(TypeError);
    expect(build).toThrow(/^trustProxy: /);
    expect(build).toThrow(message);
  });

  it('refuses options that it does not have', () => {
    expect(() => trustProxy(1, { preset: {} } as TrustProxyOptions)).toThrow('did you mean "presets"?');
  });
});
