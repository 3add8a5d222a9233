import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.js';
import { memoize, memoryStore } from '../src/index.js';
import { clock } from './support.js';

describe('memoize', () => {
  it('keeps what a function returned, by its arguments, for so long', async () => {
    const { now, pass } = clock();
    let calls = 0;
    const double = memoize(
      (value: number) => {
        calls += 1;
        return value * 2;
      },
      { ttlMs: 10_000, jitter: 0, name: 'double', now },
    );
    expect([await double(2), await double(2), await double(3)]).toEqual([4, 4, 6]);
    expect(calls).toBe(2);
    pass(10);
    expect(await double(2)).toBe(4);
    expect(calls).toBe(3);
    expect(double.report()).toMatchObject({ name: 'double', hit: 1, miss: 3, stored: 3 });
  });

  it('tells apart all arguments of which a function can make different things', async () => {
    const shown = memoize((...args: unknown[]) => args.map(String), { ttlMs: 10_000, name: 'shown' });
    for (const args of [[undefined], [null], [Number.NaN], [Infinity], [-Infinity], ['null'], [], [[null]]]) {
      expect(await shown(...args)).toEqual(args.map(String));
    }
    expect(shown.report()).toMatchObject({ miss: 8 });
  });

  it('takes what JSON tells as it is: instances, bytes, dates, and what has nothing in it', async () => {
    class Query {
      constructor(readonly q: string) {}
    }
    const shown = memoize((each: unknown) => JSON.stringify(each), { ttlMs: 10_000, name: 'shown' });
    const bare: unknown = Object.create(null);
    for (const each of [
      new Query('a'),
      new Query('b'),
      new Uint8Array(),
      Buffer.from('a'),
      new Date(0),
      [],
      {},
      bare,
    ])
      expect(await shown(each)).toBe(JSON.stringify(each));
  });

  class Amount {
    readonly #cents = 100;
    toString(): string {
      return String(this.#cents);
    }
  }

  it.each([
    [new Map([[1, 2]])],
    [new Set(['a'])],
    [new URLSearchParams('q=1')],
    [/a/],
    [() => 1],
    [1n],
    [new ArrayBuffer(1)],
    [new DataView(new ArrayBuffer(1))],
    [new Amount()],
    [{ of: [new Amount()] }],
  ])('wants a key where JSON has nothing to say of an argument: %o', async (argument) => {
    const shown = memoize((each: unknown) => String(each), { ttlMs: 10_000, name: 'shown' });
    await expect(shown(argument)).rejects.toThrow('memoize: "key" of shown is wanted');
    const keyed = memoize(shown, { ttlMs: 10_000, name: 'keyed', key: String });
    await expect(keyed('as text')).resolves.toBe('as text');
  });

  it('gives each caller a value of his own, the first time as the second', async () => {
    const made = memoize(() => ({ list: [1], at: new Date(0) }), { ttlMs: 10_000, name: 'made' });
    const first = await made();
    first.list.push(2);
    const second = await made();
    expect(second).toEqual({ list: [1], at: '1970-01-01T00:00:00.000Z' });
    expect(first.at).toBe('1970-01-01T00:00:00.000Z');
  });

  it('is one call for many, who share its error, and no error is kept', async () => {
    let calls = 0;
    const failing = memoize(
      async () => {
        calls += 1;
        await pause(20);
        if (calls === 1) throw new Error('no');
        return 'yes';
      },
      { ttlMs: 10_000, name: 'failing' },
    );
    const outcomes = await Promise.allSettled(Array.from({ length: 1_000 }, () => failing()));
    expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(['rejected']));
    expect(calls).toBe(1);
    expect(await failing()).toBe('yes');
  });

  it('returns undefined as it is, and does not keep it', async () => {
    let calls = 0;
    const nothing = memoize(() => void (calls += 1), { ttlMs: 10_000, name: 'nothing' });
    expect([await nothing(), await nothing()]).toEqual([undefined, undefined]);
    expect(calls).toBe(2);
  });

  it('keeps only what it is told to', async () => {
    let calls = 0;
    const some = memoize(() => (calls += 1), { ttlMs: 10_000, name: 'some', isKept: (value) => value > 1 });
    expect([await some(), await some(), await some()]).toEqual([1, 2, 2]);
  });

  it('forgets by arguments, tag and name', async () => {
    let calls = 0;
    const store = memoryStore();
    const user = memoize((id: number) => ({ id, call: (calls += 1) }), {
      ttlMs: 10_000,
      name: 'user',
      store,
      tags: ({ id }) => [`user:${id}`],
    });
    await user(1);
    await user(2);
    await user.forget(1);
    expect((await user(1)).call).toBe(3);
    await user.invalidate({ tag: 'user:2' });
    expect((await user(2)).call).toBe(4);
    await user.invalidate({ prefix: 'user' });
    expect([(await user(1)).call, (await user(2)).call]).toEqual([5, 6]);
    await user.invalidate({ key: 'user' });
    expect([(await user(1)).call, (await user(2)).call]).toEqual([7, 8]);
  });

  it('returns what is stale while a new one is made, or where that fails or takes too long', async () => {
    const { now, pass } = clock();
    let calls = 0;
    let fails = false;
    let tookMs = 0;
    const value = memoize(
      async () => {
        calls += 1;
        const call = calls;
        await pause(tookMs);
        if (fails) throw new Error('down');
        return call;
      },
      {
        ttlMs: 10_000,
        jitter: 0,
        name: 'value',
        staleWhileRevalidateMs: 10_000,
        staleIfErrorMs: 100_000,
        softTimeoutMs: 20,
        now,
      },
    );
    expect(await value()).toBe(1);
    pass(11);
    expect(await value()).toBe(1);
    await eventually(async () => (await value()) === 2);
    pass(21);
    fails = true;
    expect(await value()).toBe(2);
    fails = false;
    tookMs = 60;
    expect(await value()).toBe(2);
    await eventually(async () => (await value()) === 4);
  });

  it('gives up after the hard timeout with 504, and keeps the result all the same', async () => {
    const slow = memoize(() => pause(60).then(() => 'there'), {
      ttlMs: 10_000,
      name: 'slow',
      hardTimeoutMs: 20,
    });
    await expect(slow()).rejects.toMatchObject({ status: 504, code: 'cache_timeout' });
    await eventually(async () => (await slow().catch(() => 'late')) === 'there');
  });

  it.each([
    ['here', {}],
    // As Redis has it.
    ['among processes', { claim: () => Promise.resolve({ isMine: true, release: () => undefined }) }],
  ])('is called shortly before its result is stale, where that is wanted, %s', async (_where, more) => {
    const { now, pass } = clock();
    let calls = 0;
    const slow = memoize(() => pause(20).then(() => (calls += 1)), {
      ttlMs: 10_000,
      jitter: 0,
      name: 'slow',
      earlyRefresh: true,
      store: { ...memoryStore(), stamp: 0, ...more },
      now,
    });
    await slow();
    pass(9.999);
    await eventually(async () => (await slow()) === 2);
  });

  it('is called again where a call hangs, and what that brings in the end takes no newer result’s place', async () => {
    let calls = 0;
    let finish = (_value: string): void => undefined;
    const hanging = memoize(
      () => {
        calls += 1;
        return calls > 1 ? 'newer' : new Promise<string>((resolve) => (finish = resolve));
      },
      { ttlMs: 10_000, name: 'hanging', waitMs: 20 },
    );
    const first = hanging();
    await eventually(() => calls === 1);
    await pause(40);
    expect(await hanging()).toBe('newer');
    finish('older');
    expect(await first).toBe('older');
    expect(await hanging()).toBe('newer');
    expect(calls).toBe(2);
  });

  it('gives up after the hard timeout also where it waits for several things', async () => {
    const slow = memoize(() => pause(60).then(() => 'there'), {
      ttlMs: 10_000,
      name: 'slow',
      hardTimeoutMs: 80,
    });
    void slow().catch(() => undefined);
    // What is made now is forgotten, and who comes after that waits for it and for the next.
    await slow.forget();
    await expect(slow()).rejects.toMatchObject({ status: 504, code: 'cache_timeout' });

    const store = memoryStore();
    const far = memoize(() => 'there', {
      ttlMs: 10_000,
      name: 'far',
      store: { ...store, stamp: 0, read: (key) => pause(200).then(() => store.read(key)) },
      hardTimeoutMs: 20,
    });
    await expect(far()).rejects.toMatchObject({ status: 504, code: 'cache_timeout' });
  });

  it.each([
    [{}, 'memoize: "ttlMs" must be an integer from 1 to 604800000, got undefined'],
    [{ ttlMs: 1, name: '' }, 'memoize: "name" must be a non-empty string, got ""'],
    [{ ttlMs: 1, name: 'x', keys: 1 }, 'memoize: "keys" is not an option; did you mean "key"?'],
    [{ ttlMs: 1, name: 'x', tags: 'a' }, 'memoize: "tags" must be a list of non-empty strings, got "a"'],
    [
      { ttlMs: 1, name: 'x', softTimeoutMs: 0 },
      'memoize: "softTimeoutMs" must be an integer from 1 to 2147483647, got 0',
    ],
  ])('refuses %o', (options, message) => {
    expect(() => memoize(() => 1, options as never)).toThrow(new TypeError(message));
  });
});
