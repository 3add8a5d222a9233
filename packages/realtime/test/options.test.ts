import { createServer } from 'node:http';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { realtime, type RealtimeOptions } from '../src/index.js';
import { Bucket, Buckets } from '../src/buckets.js';
import { readRate } from '../src/rate.js';

const wrong =
  (options: object): (() => unknown) =>
  () =>
    realtime(createServer(), options as RealtimeOptions);
const anonymous = true;
const handler = (): void => undefined;

describe('realtime()', () => {
  it.for([
    [{}, '"authenticate" must be a function unless "anonymous" is true, got undefined'],
    [{ anonymous: 'yes' }, '"anonymous" must be true or false, got "yes"'],
    [{ authenticate: {} }, '"authenticate" must be a function, got an object'],
    [{ anonymous, path: 'socket.io' }, '"path" must be a path such as /socket.io, got "socket.io"'],
    [{ anonymous, path: '/a?b' }, '"path" must be a path such as /socket.io'],
    [{ anonymous, transports: ['websocket'] }, '"transports" must be "sticky" or "websocket", got an array'],
    [{ anonymous, pingIntervalMs: 0 }, '"pingIntervalMs" must be an integer from 1 to'],
    [{ anonymous, pingInterval: 5 }, '"pingInterval" is not an option; did you mean "pingIntervalMs"?'],
    [{ anonymous, maxPayloadBytes: 1.5 }, '"maxPayloadBytes" must be an integer of at least 1, got 1.5'],
    [{ anonymous, flood: 'fast' }, '"flood" must be a rate such as 5/s, 5/s burst 10 or 100/15m, got "fast"'],
    [{ anonymous, origins: 'https://a.example' }, '"origins" must be a list of origins'],
    [
      { anonymous, origins: ['*'] },
      '"origins" must be origins such as https://app.example.com; "*" is allowed only',
    ],
    [{ anonymous, origins: ['null'] }, '"null" is any sandboxed page, of whomever'],
    [{ anonymous, origins: ['https://a.example/'] }, 'ends in a slash'],
    [{ anonymous, origins: ['http://a.example'], production: true }, 'is not https'],
    [{ anonymous, rooms: true }, '"rooms" must be a function, got true'],
    [{ anonymous, limit: {} }, '"limit" must be a function'],
    [{ anonymous, revoked: {} }, '"revoked" must be a function'],
    [{ anonymous, jobs: {} }, '"jobs" must be what jobs() returned'],
    [{ anonymous, namespaces: ['custom'] }, '"namespaces" must be names that begin with a slash'],
    [{ anonymous, greeting: 1 }, '"greeting" must be true or false, got 1'],
    [{ anonymous, log: {} }, '"log.error" must be a function, got undefined'],
    [
      { anonymous, redis: 'redis://:secret@h' },
      'must be a RedisLink or an ioredis client, got text of 17 characters',
    ],
    [{ anonymous, events: { join: { handler } } }, '"events.join" cannot be declared'],
    [{ anonymous, events: { disconnect: { handler } } }, '"events.disconnect" cannot be declared'],
    [{ anonymous, events: { a: handler } }, '"events.a" must be an object, got a function'],
    [{ anonymous, events: { a: {} } }, '"events.a.handler" must be a function, got undefined'],
    [
      { anonymous, events: { a: { handler, limits: '5/s' } } },
      '"limits" is not an option; did you mean "limit"?',
    ],
    [{ anonymous, events: { a: { handler, limit: '5' } } }, '"events.a.limit" must be a rate'],
    [{ anonymous, events: { a: { handler, schema: {} } } }, '"events.a.schema" must be a Standard Schema'],
    [{ anonymous, events: { a: { handler, timeoutMs: -1 } } }, '"events.a.timeoutMs" must be an integer'],
  ] as const)('refuses %j', ([options, message]) => {
    expect(wrong(options)).toThrow(TypeError);
    expect(wrong(options)).toThrow(message);
    expect(wrong(options)).not.toThrow('secret');
  });

  it('refuses what is no server', () => {
    expect(() => realtime({} as ReturnType<typeof createServer>, { anonymous })).toThrow(
      'realtime: "server" must be an http.Server or https.Server, got an object',
    );
  });

  it('knows the types of payloads and principals', async () => {
    const server = createServer();
    const live = realtime(server, {
      authenticate: () => ({ subject: 'ada', plan: 'gold' as const }),
      rooms: (_room, { plan }) => plan === 'gold',
      events: {
        search: {
          schema: z.object({ q: z.string(), page: z.coerce.number() }),
          handler({ q, page }, { principal }) {
            const text: string = q;
            const number: number = page;
            return `${text}${number}${principal.plan}`;
          },
        },
        none: {
          handler(payload) {
            const nothing: undefined = payload;
            return nothing;
          },
        },
        wrong: {
          schema: z.number(),
          handler(payload) {
            // @ts-expect-error -- it is a number
            const text: string = payload;
            return text;
          },
        },
      },
    });
    await live.close();
    const open = realtime(server, {
      anonymous: true,
      events: {
        who: {
          // @ts-expect-error -- it may be nobody
          handler: (_payload, { principal }) => principal.subject,
        },
      },
    });
    await open.close();
  });
});

describe('a rate', () => {
  it.for([
    ['5/s', { limit: 5, windowMs: 1_000, burst: 4 }],
    ['5/s burst 10', { limit: 5, windowMs: 1_000, burst: 10 }],
    ['100/15m', { limit: 100, windowMs: 900_000, burst: 99 }],
    [
      { limit: 1, windowMs: 50, burst: 0 },
      { limit: 1, windowMs: 50, burst: 0 },
    ],
    [
      { limit: 3, windowMs: 50 },
      { limit: 3, windowMs: 50, burst: 2 },
    ],
  ] as const)('is read: %j', ([text, rate]) => {
    expect(readRate('x', 'rate', text)).toEqual(rate);
  });

  it.for([
    '',
    '5',
    '0/s',
    '5/0s',
    '-1/s',
    '5/s burst',
    '5 per s',
    '05/s',
    '1/y',
    '9'.repeat(20),
    null,
    5,
    {},
    { limit: 1 },
    { limit: 0, windowMs: 1 },
  ])('is none: %j', (value) => {
    expect(() => readRate('x', 'rate', value)).toThrow(TypeError);
  });

  it('lets so many through at once, and then evenly', () => {
    const bucket = new Bucket();
    const rate = readRate('x', 'rate', '10/s burst 2');
    expect([0, 0, 0].map(() => bucket.take(rate, 1_000))).toEqual([0, 0, 0]);
    expect(bucket.take(rate, 1_000)).toBeCloseTo(100);
    expect(bucket.take(rate, 1_050)).toBeCloseTo(50);
    expect(bucket.take(rate, 1_100)).toBe(0);
    expect(bucket.take(rate, 60_000)).toBe(0);
  });

  it('forgets those who have not come for longest, and no others', () => {
    const buckets = new Buckets(readRate('x', 'rate', '1/h'), 10);
    expect(buckets.take('a', 0)).toBe(0);
    for (let index = 0; index < 4; index += 1) buckets.take(`other ${index}`, 0);
    expect(buckets.take('a', 1)).toBeGreaterThan(0);
    for (let index = 0; index < 100; index += 1) buckets.take(`flood ${index}`, 2);
    expect(buckets.take('a', 3)).toBe(0);
  });
});
