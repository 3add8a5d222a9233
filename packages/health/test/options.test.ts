import { describe, expect, it } from 'vitest';
import {
  certificateCheck,
  check,
  diskCheck,
  eventLoopDelayCheck,
  health,
  httpCheck,
  memoryCheck,
  postgresCheck,
  redisCheck,
  s3Check,
} from '../src/index.js';

/** What a program without types could pass: assignable to anything. */
function untyped(value: unknown): never {
  return value as never;
}

const base = { service: 'search', version: '1.0.0' };
const run = (): void => undefined;

describe('health', () => {
  it.each<[unknown, string]>([
    [undefined, 'health: "options" must be an object, got undefined'],
    [{ version: '1' }, 'health: "service" must be a non-empty string, got undefined'],
    [{ service: 's' }, 'health: "version" must be a non-empty string, got undefined'],
    [{ ...base, version: 1 }, 'health: "version" must be a non-empty string, got 1'],
    [{ ...base, environment: '' }, 'health: "environment" must be a non-empty string, got ""'],
    [{ ...base, check: [] }, 'health: "check" is not an option; did you mean "checks"?'],
    [{ ...base, timeout: 5 }, 'health: "timeout" is not an option; there are service, version'],
    [{ ...base, checks: {} }, 'health: "checks" must be an array, got an object'],
    [{ ...base, checks: [run] }, 'health: "checks" must hold what check() returns, got '],
    [{ ...base, checks: [null] }, 'health: "checks" must hold what check() returns, got null'],
    [{ ...base, checks: [check('a', run), check('a', run)] }, 'must have names of their own, got "a" twice'],
    [{ ...base, deployment: { message_queue: 'redis' } }, 'did you mean "messageQueue"?'],
    [{ ...base, deployment: { mode: 1 } }, 'health: "deployment.mode" must be a non-empty string, got 1'],
    [{ ...base, access: '127.0.0.1' }, 'health: "access" must be an array of addresses or a function'],
    [{ ...base, access: ['localhost'] }, 'must be a list of addresses and networks, got "localhost"'],
    [{ ...base, access: ['10.0.0.0/33'] }, 'got "10.0.0.0/33"'],
    [{ ...base, access: ['::1/129'] }, 'got "::1/129"'],
    [{ ...base, access: ['10.0.0.0/8/8'] }, 'got "10.0.0.0/8/8"'],
    [{ ...base, access: ['10.0.0.0/'] }, 'got "10.0.0.0/"'],
    [{ ...base, access: [7] }, 'got 7'],
    [{ ...base, paths: { live: '/x' } }, 'health: "paths": "live" is not an option; did you mean "livez"?'],
    [{ ...base, paths: { livez: 'x' } }, 'health: "paths.livez" must be a path such as "/livez"'],
    [{ ...base, paths: { livez: '/x/' } }, 'without a slash at its end, got "/x/"'],
    [{ ...base, paths: { livez: '/health' } }, 'must differ from the other paths, got "/health" twice'],
  ])('refuses %j', (options, message) => {
    expect(() => health(untyped(options))).toThrow(TypeError);
    expect(() => health(untyped(options))).toThrow(message);
  });
});

describe('check', () => {
  it.each<[unknown[], string]>([
    [['', run], 'check: "name" must be a non-empty string, got ""'],
    [['a', 'b'], 'check: "run" must be a function, got "b"'],
    [['a', run, { timeoutMS: 5 }], 'check: "timeoutMS" is not an option; did you mean "timeoutMs"?'],
    [['a', run, { timeoutMs: 0 }], 'check: "timeoutMs" must be an integer from 1 to 2147483647, got 0'],
    [['a', run, { everyMs: 1.5 }], 'check: "everyMs" must be an integer from 1 to 2147483647, got 1.5'],
    [
      ['a', run, { everyMs: 2 ** 31 }],
      'check: "everyMs" must be an integer from 1 to 2147483647, got 2147483648',
    ],
    [['a', run, { failuresToFall: 0 }], 'check: "failuresToFall" must be an integer of at least 1, got 0'],
    [
      ['a', run, { successesToRise: '1' }],
      'check: "successesToRise" must be an integer of at least 1, got "1"',
    ],
    [['a', run, { critical: 'yes' }], 'check: "critical" must be true or false, got "yes"'],
  ])('refuses %j', (args, message) => {
    expect(() => check(...(args as Parameters<typeof check>))).toThrow(message);
  });

  it('has the documented defaults', () => {
    expect(check('redis', run)).toEqual({
      name: 'redis',
      run,
      critical: false,
      timeoutMs: 1_000,
      everyMs: 5_000,
      failuresToFall: 2,
      successesToRise: 1,
    });
  });
});

describe('ready-made checks', () => {
  const s3 = { endpoint: 'http://s3.test', bucket: 'b', accessKeyId: 'id', secretAccessKey: 'hunter2' };

  it.each<[() => unknown, string]>([
    [
      () => redisCheck(untyped({})),
      'redisCheck: "client" must be an object with check() or ping(), or a function, got an object',
    ],
    [
      () => redisCheck(untyped(null)),
      'redisCheck: "client" must be an object with check() or ping(), or a function, got null',
    ],
    [
      () => postgresCheck(untyped('pg://')),
      'postgresCheck: "pool" must be an object with query(), got text of 5 characters',
    ],
    [() => httpCheck('searxng:8080'), 'httpCheck: "url" must be an http(s) URL, got "searxng:8080"'],
    [
      () => httpCheck('http://h', untyped({ method: 'POST' })),
      'httpCheck: "method" must be "GET" or "HEAD", got "POST"',
    ],
    [
      () => httpCheck('http://h', untyped({ expect: [200] })),
      'httpCheck: "expect" is not an option; did you mean "expectStatus"?',
    ],
    [
      () => httpCheck('http://h', { expectStatus: [20] }),
      '"expectStatus" must be an integer of at least 100, got 20',
    ],
    [() => s3Check({ ...s3, endpoint: 's3' }), 's3Check: "endpoint" must be an http(s) URL, got "s3"'],
    [() => s3Check({ ...s3, bucket: '' }), 's3Check: "bucket" must be a non-empty string, got ""'],
    [
      () => s3Check(untyped({ ...s3, secretAccessKey: ['hunter2'] })),
      's3Check: "secretAccessKey" must be a non-empty string, got an array',
    ],
    [() => s3Check(untyped({ ...s3, accessKeyID: 'x' })), 'did you mean "accessKeyId"?'],
    [() => diskCheck(untyped({})), 'diskCheck: "path" must be a non-empty string, got undefined'],
    [
      () => diskCheck({ path: '/', minFreeBytes: -1 }),
      'diskCheck: "minFreeBytes" must be a finite number above 0, got -1',
    ],
    [() => diskCheck({ path: '/', minFreePercent: 101 }), 'a number above 0 and at most 100, got 101'],
    [
      () => memoryCheck({ maxHeapPercent: 0 }),
      'memoryCheck: "maxHeapPercent" must be a number above 0 and at most 100',
    ],
    [
      () => memoryCheck({ maxRssBytes: Number.NaN }),
      'memoryCheck: "maxRssBytes" must be a finite number above 0, got NaN',
    ],
    [
      () => eventLoopDelayCheck({ maxDelayMs: Infinity }),
      'eventLoopDelayCheck: "maxDelayMs" must be a finite number above 0, got Infinity',
    ],
    [
      () => eventLoopDelayCheck({ percentile: 200 }),
      'eventLoopDelayCheck: "percentile" must be a number above 0',
    ],
    [() => certificateCheck({}), 'certificateCheck: give either "host" or "file"'],
    [() => certificateCheck({ host: 'h', file: 'f' }), 'certificateCheck: give either "host" or "file"'],
    [
      () => certificateCheck({ host: 'h', warnDays: -1 }),
      '"warnDays" must be an integer of at least 0, got -1',
    ],
    [
      () => certificateCheck(untyped({ hostname: 'h' })),
      'certificateCheck: "hostname" is not an option; did you mean "host"?',
    ],
  ])('refuse wrong options: %s', (make, message) => {
    expect(make).toThrow(TypeError);
    expect(make).toThrow(message);
  });

  it('never show a secret that was given the wrong way', () => {
    expect(() => s3Check(untyped({ ...s3, secretAccessKey: { hunter2: 1 } }))).not.toThrow('hunter2');
  });
});
