import { setTimeout as pause } from 'node:timers/promises';
import type { RequestHandler, Response } from 'express';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.js';
import { send } from '../../../test/support/send.js';
import { cache } from '../src/index.js';
import { clock, counting, get, serving } from './support.js';

type Method = 'write' | 'end' | 'writeHead';

function methodsOf(res: Response): Record<Method, unknown> {
  return {
    write: Reflect.get(res, 'write'),
    end: Reflect.get(res, 'end'),
    writeHead: Reflect.get(res, 'writeHead'),
  };
}

/** Calls by the name, as `res.end(…)` does. */
function callByName(res: Response, name: Method, args: unknown[]): unknown {
  return Reflect.apply(Reflect.get(res, name) as () => unknown, res, args);
}

/** Looks at the first call of one of these alone, and puts back then what it found in the places of others. */
function lookingOnce(names: readonly Method[], others: readonly Method[]): RequestHandler {
  return (_req, res, next) => {
    const found = methodsOf(res);
    for (const name of names) {
      Reflect.set(res, name, (...args: unknown[]) => {
        for (const other of others) Reflect.set(res, other, found[other]);
        return callByName(res, name, args);
      });
    }
    next();
  };
}

describe.each([
  ['as express-winston and express-mung do', lookingOnce(['end'], ['end'])],
  ['as what waits for the first byte does', lookingOnce(['write'], ['write'])],
  ['as connect-livereload does', lookingOnce(['write', 'end'], ['write', 'end', 'writeHead'])],
])('where a middleware above puts back the methods that it found, %s', (_which, above) => {
  it('an answer in pieces is kept whole, by each of two caches', async () => {
    const [outer, inner] = [cache({ ttlMs: 60_000 }), cache({ ttlMs: 60_000 })];
    const handler = counting((_req, res) => {
      res.write('one ');
      setImmediate(() => {
        res.write('two ');
        res.end('three');
      });
    });
    const url = await serving(above, outer, inner, handler);
    for (let time = 0; time < 2; time += 1) expect((await get(url)).text).toBe('one two three');
    expect([outer.report().stored, inner.report().stored, handler.calls()]).toEqual([1, 1, 1]);
  });

  it('an unsafe method forgets what is kept for its URL', async () => {
    const handler = counting();
    const url = await serving(above, cache({ ttlMs: 60_000 }), handler);
    await get(url);
    expect((await send(url, { method: 'POST' })).text).toBe('answer 2');
    expect((await get(url)).text).toBe('answer 3');
  });

  it('a new answer that takes too long is kept when it comes', async () => {
    const { now, pass } = clock();
    const handler = counting(async (_req, res) => {
      const number = handler.calls();
      if (number > 1) await pause(40);
      res.write('answer ');
      res.end(String(number));
    });
    const route = cache({ now, ttlMs: 10_000, staleIfErrorMs: 60_000, softTimeoutMs: 20 });
    const url = await serving(above, route, handler);
    await get(url);
    pass(11);
    expect((await get(url)).headers['cache-status']).toContain('soft-timeout');
    await eventually(() => route.report().stored === 2);
    expect((await get(url)).text).toBe('answer 2');
    expect(handler.calls()).toBe(2);
  });
});

it('a middleware above may write the head by name, though it is on its way', async () => {
  const above: RequestHandler = (_req, res, next) => {
    const { end } = methodsOf(res);
    Reflect.set(res, 'end', (...args: unknown[]) => {
      callByName(res, 'writeHead', [res.statusCode]);
      return Reflect.apply(end as () => unknown, res, args);
    });
    next();
  };
  const handler = counting((_req, res) => {
    res.write('answer ');
    res.end('in pieces');
  });
  const url = await serving(above, cache({ ttlMs: 60_000 }), handler);
  for (let time = 0; time < 2; time += 1) expect((await get(url)).text).toBe('answer in pieces');
  expect(handler.calls()).toBe(1);
});

describe('where a middleware above writes what it is given to end with', () => {
  it.each([
    ['in the place of an error', {}],
    ['since the new one takes too long', { softTimeoutMs: 20 }],
  ])('an older answer leaves whole %s', async (_why, options) => {
    const { now, pass } = clock();
    const above: RequestHandler = (_req, res, next) => {
      const { end } = methodsOf(res);
      Reflect.set(res, 'end', (chunk: unknown) => {
        if (chunk !== undefined) callByName(res, 'write', [chunk]);
        return Reflect.apply(end as () => unknown, res, []);
      });
      next();
    };
    const handler = counting(async (_req, res, next) => {
      if (handler.calls() > 1) {
        await pause(40);
        res.status(503);
      }
      next();
    });
    const route = cache({ now, ttlMs: 10_000, staleIfErrorMs: 60_000, ...options });
    const url = await serving(above, route, handler);
    await get(url);
    pass(11);
    expect(await get(url)).toMatchObject({ status: 200, text: 'answer 1' });
  });
});
