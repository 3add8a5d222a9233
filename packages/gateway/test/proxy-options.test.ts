import { describe, expect, it } from 'vitest';
import { proxy, type ProxyOptions } from '@signalbox/gateway';

const TO = 'http://127.0.0.1:8080';

describe('options of a proxy', () => {
  it.each<[object, string]>([
    [{}, 'proxy: "to" must be'],
    [{ to: 'shop' }, 'proxy: "to" must be a URL, got "shop"'],
    [{ to: [TO, TO] }, 'proxy: "to[1]" is there twice'],
    [{ to: TO, target: TO }, 'proxy: "target" is not an option'],
    [{ to: TO, timeoutMS: 5 }, 'proxy: "timeoutMS" is not an option; did you mean "timeoutMs"?'],
    [{ to: TO, timeoutMs: 0 }, 'proxy: "timeoutMs" must be a number from 1 to'],
    [{ to: TO, idleTimeoutMs: '1s' }, 'proxy: "idleTimeoutMs" must be a number'],
    [{ to: TO, minBytesPerSecond: -1 }, 'proxy: "minBytesPerSecond" must be'],
    [{ to: TO, maxRequestBytes: Number.NaN }, 'proxy: "maxRequestBytes" must be'],
    [{ to: TO, maxHeaders: 0 }, 'proxy: "maxHeaders" must be an integer of at least 1'],
    [{ to: TO, maxHeaderBytes: 10 }, 'proxy: "maxHeaderBytes" must be an integer of at least 256'],
    [{ to: TO, forwarded: 'yes' }, 'proxy: "forwarded" must be true or false'],
    [{ to: TO, rewrite: { api: '/v2' } }, 'proxy: "rewrite" must be a function, or of paths'],
    [{ to: TO, rewrite: { '/api': 'v2' } }, 'proxy: "rewrite./api" must be a path'],
    [{ to: TO, cookies: { domian: 'x' } }, 'did you mean "domain"?'],
    [{ to: TO, cookies: { path: '/; Secure' } }, 'proxy: "cookies.path" must be text without ";"'],
    [{ to: TO, stripHeaders: ['a b'] }, 'proxy: "stripHeaders" must be a list of field names'],
    [{ to: TO, via: 'two words' }, 'proxy: "via" must be a token'],
    [{ to: TO, headers: { 'X-Key': 'from a file\n' } }, 'proxy: "headers.X-Key" must be one line'],
    [{ to: TO, route: 7 }, 'proxy: "route" must be a non-empty string'],
    [{ to: TO, name: '' }, 'proxy: "name" must be a non-empty string'],
    [{ to: TO, allow: 'public' }, 'proxy: "allow" is for a function as "to"'],
    [{ to: () => TO }, 'proxy: "allow" must be a list of origins or "public"'],
    [{ to: () => TO, allow: ['example.org'] }, 'proxy: "allow" must be a list of origins such as'],
    [{ to: () => TO, allow: ['https://a.*.org'] }, 'proxy: "allow" must be a list of origins such as'],
    [{ to: () => TO, allow: 'public', health: {} }, 'proxy: "health" needs fixed targets'],
    [{ to: TO, breaker: { failures: 0 } }, 'proxy: "breaker.failures" must be'],
    [{ to: TO, mode: 'random' }, 'proxy: "mode" must be'],
  ])('are refused at construction: %j', (options, message) => {
    expect(() => proxy(options as ProxyOptions)).toThrow(message);
  });

  it('are shown in no message with their passwords', () => {
    expect(() => proxy({ to: 'http://user:secret@host/?x=1' })).toThrow(/^(?!.*secret)/);
  });
});
