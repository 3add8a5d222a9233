import express, { Router } from 'express';
import { describe, expect, it } from 'vitest';
import { deprecated, memoryUsageStore, redisUsageStore, usageReport, versions } from '../src/index.js';

const v1 = Router();
const v2 = Router();
const NAMES = 'versions: "versions" must have names of up to 32 letters, digits, ".", "_" and "-", got';

describe('versions refuses', () => {
  it.each<[unknown, unknown, string]>([
    [undefined, {}, 'versions: "versions" must be an object, got undefined'],
    [[v1], null, 'versions: "versions" must be an object, got an array'],
    [{}, {}, 'versions: "versions" must name one version or more, as { v1, v2 }, got none'],
    [{ 'v 1': v1 }, {}, `${NAMES} "v 1"`],
    [{ '': v1 }, {}, `${NAMES} ""`],
    [{ 'v/1': v1 }, {}, `${NAMES} "v/1"`],
    [{ ':v1': v1 }, {}, `${NAMES} ":v1"`],
    [{ ['v'.repeat(33)]: v1 }, {}, `${NAMES} "${'v'.repeat(33)}"`],
    [
      { v1, V1: v2 },
      {},
      'versions: "versions" must have names that differ in more than case, got "V1" twice',
    ],
    [{ v2, v1 }, {}, 'versions: "versions" must stand from the oldest to the newest, got v2 before v1'],
    [
      { v10: v1, v9: v2 },
      {},
      'versions: "versions" must stand from the oldest to the newest, got v10 before v9',
    ],
    [{ v1: 'x' }, {}, 'versions: "versions.v1" must be a function, got "x"'],
    [{ v1: [] }, {}, 'versions: "versions.v1" must be a router or a list of handlers, got an array'],
    [{ v1: [7] }, {}, 'versions: "versions.v1" must be a function, got 7'],
    [{ v1: express() }, {}, 'versions: "versions.v1" must be a Router rather than an app, got a function'],
    [{ v1, v2 }, null, 'versions: "options" must be an object, got null'],
    [
      { v1, v2 },
      { default: 'v3' },
      'versions: "default" must be one of the versions, got "v3"; did you mean "v1"?',
    ],
    [{ v1, v2 }, { defalt: 'v1' }, 'versions: "defalt" is not an option; did you mean "default"?'],
    [{ v1 }, { url: 'v1' }, 'versions: "url" must be true or false, got "v1"'],
    [{ v1 }, { header: true }, 'versions: "header" must be the name of a header field, or false, got true'],
    [{ v1 }, { header: 'a b' }, 'versions: "header" must be the name of a header field, or false, got "a b"'],
    [{ v1 }, { query: true }, 'versions: "query" must be a non-empty string, got true'],
    [
      { v1 },
      { mediaType: 'json' },
      'versions: "mediaType" must be a media type such as application/vnd.acme, got "json"',
    ],
    [
      { v1 },
      { mediaType: 'a/ b' },
      'versions: "mediaType" must be a media type such as application/vnd.acme, got " b"',
    ],
    [{ v1 }, { mediaType: 7 }, 'versions: "mediaType" must be an object, got 7'],
    [
      { v1 },
      { mediaType: { vender: 'a/b' } },
      'versions: mediaType: "vender" is not an option; did you mean "vendor"?',
    ],
    [
      { v1 },
      { mediaType: { parameter: '' } },
      'versions: "mediaType.parameter" must be the name of a parameter, got ""',
    ],
    [
      { v1 },
      { url: false, header: false },
      'versions: one of "url", "header", "mediaType" and "query" must name the version',
    ],
    [{ v1 }, { inherit: 'v1' }, 'versions: "inherit" must be an object, got "v1"'],
    [
      { v1, v2 },
      { inherit: { v3: 'v1' } },
      'versions: "inherit" must be one of the versions, got "v3"; did you mean "v1"?',
    ],
    [
      { v1, v2 },
      { inherit: { v2: 'v0' } },
      'versions: "inherit.v2" must be one of the versions, got "v0"; did you mean "v1"?',
    ],
    [{ v1, v2 }, { inherit: { v1: 'v2' } }, 'versions: "inherit" must not go in circles, got v1 → v2 → v1'],
    [{ v1 }, { neutral: 'status' }, 'versions: "neutral" must be a function, got "status"'],
  ])('%o with %o', (handlers, options, message) => {
    expect(() => versions(handlers as never, options as never)).toThrow(new TypeError(message));
  });
});

describe('deprecated refuses', () => {
  const since = '2026-01-31';
  const DATE = 'a Date or text such as 2026-01-31';
  it.each<[unknown, string]>([
    [undefined, 'deprecated: "options" must be an object, got undefined'],
    [{}, `deprecated: "since" must be ${DATE}, got undefined`],
    [{ since: 'soon' }, `deprecated: "since" must be ${DATE}, got "soon"`],
    [{ since: '1/2/2026' }, `deprecated: "since" must be ${DATE}, got "1/2/2026"`],
    [{ since: '2026-02-30' }, `deprecated: "since" must be ${DATE}, got "2026-02-30"`],
    [{ since: '2026-02-30T00:00:00Z' }, `deprecated: "since" must be ${DATE}, got "2026-02-30T00:00:00Z"`],
    [{ since: 1_769_817_600 }, `deprecated: "since" must be ${DATE}, got 1769817600`],
    [{ since: new Date('never') }, `deprecated: "since" must be ${DATE}, got an object`],
    [
      { since, sunset: '2026-01-30' },
      'deprecated: "sunset" must not be before "since", got 2026-01-30T00:00:00.000Z and 2026-01-31T00:00:00.000Z',
    ],
    [{ since, sunSet: '2026-12-31' }, 'deprecated: "sunSet" is not an option; did you mean "sunset"?'],
    [{ since, link: 7 }, 'deprecated: "link" must be an object, got 7'],
    [{ since, link: '<x>' }, 'deprecated: "link" must be a URL or a path, got "<x>"'],
    [{ since, link: '' }, 'deprecated: "link" must be a URL or a path, got ""'],
    [{ since, link: { sunset: 'a b' } }, 'deprecated: "link.sunset" must be a URL or a path, got "a b"'],
    [
      { since, link: { docs: '/x' } },
      'deprecated: link: "docs" is not an option; there are deprecation, sunset',
    ],
    [
      { since, successor: '/v2\r\nX: y' },
      'deprecated: "successor" must be a URL or a path, got "/v2\\r\\nX: y"',
    ],
    [{ since, message: 'a\nb' }, 'deprecated: "message" must be a line of ASCII text, got "a\\nb"'],
    [{ since, message: 'über' }, 'deprecated: "message" must be a line of ASCII text, got "über"'],
    [{ since, afterSunset: 'stop' }, 'deprecated: "afterSunset" must be "serve" or "gone", got "stop"'],
    [{ since, afterSunset: 'gone' }, 'deprecated: "afterSunset" is "gone", which needs a "sunset"'],
    [{ since, version: ' ' }, 'deprecated: "version" must be a non-empty string, got " "'],
    [{ since, consumer: 'ann' }, 'deprecated: "consumer" must be a function, got "ann"'],
    [{ since, now: 7 }, 'deprecated: "now" must be a function, got 7'],
  ])('%o', (options, message) => {
    expect(() => deprecated(options as never)).toThrow(new TypeError(message));
  });
});

describe('usageReport refuses', () => {
  const STORE = 'usageReport: "store" must be memoryUsageStore() or redisUsageStore(), got';
  it.each<[unknown, string]>([
    [null, 'usageReport: "options" must be an object, got null'],
    [{ flushMS: 1 }, 'usageReport: "flushMS" is not an option; did you mean "flushMs"?'],
    [{ store: {} }, `${STORE} an object`],
    [{ store: memoryUsageStore }, `${STORE} a function`],
    [{ store: { sendCommand() {} } }, `${STORE} an object: wrap the Redis client in redisUsageStore()`],
    [{ consumer: 'ann' }, 'usageReport: "consumer" must be a function, got "ann"'],
    [{ flushMs: 0 }, 'usageReport: "flushMs" must be an integer from 1 to 2147483647, got 0'],
    [{ maxPending: 0 }, 'usageReport: "maxPending" must be an integer from 1 to 100000, got 0'],
    [{ now: 7 }, 'usageReport: "now" must be a function, got 7'],
  ])('%o', (options, message) => {
    expect(() => usageReport(options as never)).toThrow(new TypeError(message));
  });

  it('what its stores refuse', () => {
    expect(() => memoryUsageStore({ retentionDays: 0 })).toThrow(
      'memoryUsageStore: "retentionDays" must be an integer from 1 to 3650, got 0',
    );
    expect(() => memoryUsageStore({ maxRow: 1 } as never)).toThrow(
      'memoryUsageStore: "maxRow" is not an option; did you mean "maxRows"?',
    );
    expect(() => redisUsageStore('redis://127.0.0.1' as never)).toThrow(
      'redisLink: "source" must be a RedisLink or an ioredis client',
    );
  });
});
