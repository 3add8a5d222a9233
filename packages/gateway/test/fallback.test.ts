import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { BadRequestError, NotFoundError } from '@signalbox/errors';
import { runInContext } from '@signalbox/context';
import { signals, type UpstreamFallback } from '@signalbox/signals';
import { assertNeverHangs } from '@signalbox/testing';
import { fallback, FallbackFailedError, UpstreamTimeoutError, type FallbackStep } from '@signalbox/gateway';
import { heardFeature } from '../../../test/support/heard.js';
import {
  closedPort,
  errorOf,
  failingServer,
  hangingServer,
  sendJson,
  until,
  upstream,
  upstreamServer,
} from './upstream-server.js';

type Step = FallbackStep<string, string>;

const answers = (name: string, value: string = `${name}!`): Step => ({ name, run: () => value });
const fails = (name: string, error: unknown = new Error(`${name} is broken`)): Step => ({
  name,
  run: () => Promise.reject(error),
});
const hangs = (name: string): Step => ({ name, run: () => new Promise<never>(() => undefined) });
const empty = (name: string): Step => ({ name, run: () => undefined });

describe('fallback', () => {
  it('answers from the first step that has an answer', async () => {
    const chain = fallback([answers('a'), fails('b')], { name: 'search' });
    expect(await chain('q')).toEqual({
      value: 'a!',
      source: 'a',
      attempts: [{ name: 'a', outcome: 'ok', durationMs: expect.any(Number) as number, code: undefined }],
      degraded: false,
    });
  });

  it('goes on to the next one, and tells what became of each', async () => {
    const chain = fallback(
      [
        fails('a', new UpstreamTimeoutError('too late', { upstream: 'a' })),
        empty('b'),
        {
          name: 'c',
          run: () => {
            throw new NotFoundError();
          },
        },
        { name: 'd', run: async (input: string) => `found ${input}` },
        fails('e'),
      ],
      { name: 'search' },
    );
    expect(await chain('it')).toMatchObject({
      value: 'found it',
      source: 'd',
      degraded: true,
      attempts: [
        { name: 'a', outcome: 'timeout', code: 'upstream_timeout' },
        { name: 'b', outcome: 'empty' },
        { name: 'c', outcome: 'error', code: 'not_found' },
        { name: 'd', outcome: 'ok' },
      ],
    });
  });

  it('leaves time for the rest when a step hangs', async () => {
    const chain = fallback([hangs('a'), hangs('b'), answers('c')], { name: 'search', deadlineMs: 400 });
    const result = await assertNeverHangs(() => chain('q'));
    expect(result).toMatchObject({
      source: 'c',
      attempts: [{ outcome: 'timeout' }, { outcome: 'timeout' }, {}],
    });
    expect(result.attempts[0]?.durationMs).toBeGreaterThanOrEqual(190);
  });

  it('gives a step no more than its share and its own timeout', async () => {
    const given: number[] = [];
    const step = (name: string, more: Partial<Step>): Step => ({
      name,
      run: (_input, { deadlineMs }) => void given.push(deadlineMs),
      ...more,
    });
    const steps = [step('a', { share: 0.9 }), step('b', { timeoutMs: 10 }), step('c', {}), step('d', {})];
    await errorOf(fallback(steps, { name: 'search', deadlineMs: 1_000 })('q'));

    const [a = 0, b, c = 0, d = 0] = given;
    expect(a).toBeGreaterThan(850);
    expect(b).toBe(10);
    expect(c / d).toBeCloseTo(0.5, 1);
  });

  it('ends the work of a step whose time is up', async () => {
    const { url } = await hangingServer();
    const service = upstream({ urls: url, timeoutMs: 10_000 });
    const chain = fallback<string, unknown>(
      [
        { name: 'service', run: (_input, context) => service.json({ ...context }) },
        { name: 'embedded', run: () => 'here' },
      ],
      { name: 'search', deadlineMs: 300 },
    );
    expect(await chain('q')).toMatchObject({ source: 'embedded', attempts: [{ outcome: 'timeout' }, {}] });
    await until(() => service.state().inFlight === 0);
  });

  it('uses what is not enough only when nothing better comes', async () => {
    const isEnough = (value: string): boolean => value.length > 2;
    const short: Step = { ...answers('short', 'ab'), isEnough };
    const long = fallback([short, answers('long')], { name: 'search' });
    expect(await long('q')).toMatchObject({
      value: 'long!',
      attempts: [{ outcome: 'empty' }, { outcome: 'ok' }],
    });

    const none = fallback([fails('first'), short, fails('last')], { name: 'search' });
    expect(await none('q')).toMatchObject({ value: 'ab', source: 'short', degraded: true });
  });

  it('stops when the input is at fault', async () => {
    const fault = new BadRequestError('no such language');
    const chain = fallback([fails('a', fault), answers('b')], { name: 'search' });
    expect(await errorOf(chain('q'))).toBe(fault);
  });

  it('says which values are second best, as the steps do', async () => {
    const mirror = { ...answers('mirror'), degraded: false };
    expect(await fallback([fails('a'), mirror], { name: 'search' })('q')).toMatchObject({ degraded: false });
  });

  it('ignores what a step does after its time', async () => {
    let fail: (error: Error) => void = () => undefined;
    const late: Step = {
      name: 'late',
      run: () =>
        new Promise((_resolve, reject) => {
          fail = reject;
        }),
    };
    const chain = fallback([late, answers('b')], { name: 'search', deadlineMs: 50 });
    expect(await chain('q')).toMatchObject({ source: 'b' });
    fail(new Error('too late to matter'));
    // A rejection that nobody handles is reported before the next turn, and fails the run.
    await nextTurn();
  });

  it('ends with its caller, with the reason of the caller, and asks nobody else', async () => {
    const control = new AbortController();
    let asked = false;
    const chain = fallback<string, string>(
      [
        hangs('a'),
        {
          name: 'b',
          run: () => {
            asked = true;
            return 'b';
          },
        },
      ],
      { name: 'search' },
    );
    const problem = errorOf(chain('q', { signal: control.signal }));
    const reason = new Error('gone');
    control.abort(reason);
    expect(await problem).toBe(reason);
    expect(await errorOf(chain('q', { signal: control.signal }))).toBe(reason);
    expect(asked).toBe(false);
  });

  it('keeps within the deadline of the running request', async () => {
    const chain = fallback([hangs('a'), hangs('b')], { name: 'search', deadlineMs: 60_000 });
    const running = { deadline: performance.now() + 100 };
    const problem = await errorOf(
      assertNeverHangs(() => runInContext(running, () => chain('q')), { withinMs: 10_000 }),
    );
    expect(problem).toMatchObject({ status: 504 });
  });
});

describe('a chain without an answer', () => {
  it('fails with what tells most, and with every cause', async () => {
    const [refusing, hanging, dead] = [await failingServer(500), await hangingServer(), await closedPort()];
    const steps = [dead, hanging.url, refusing.url].map((url, index): FallbackStep<string, unknown> => {
      const service = upstream({ urls: url, timeoutMs: url === hanging.url ? 100 : 10_000, retries: 0 });
      return { name: `step-${index}`, run: (_input, context) => service.json({ ...context }) };
    });
    const problem = await errorOf(fallback(steps, { name: 'search' })('q'));

    expect(problem).toBeInstanceOf(FallbackFailedError);
    expect(problem).toMatchObject({
      name: 'FallbackFailedError',
      status: 502,
      code: 'upstream_error',
      chain: 'search',
    });
    expect(problem['attempts']).toMatchObject([
      { code: 'upstream_unreachable' },
      { code: 'upstream_timeout' },
      { code: 'upstream_error' },
    ]);
    expect(problem.message).toContain('chain "search": no source had an answer: upstream "service": ');
    expect((problem.cause as AggregateError).errors).toHaveLength(3);
  });

  it('passes on when another try makes sense', async () => {
    const { url } = await failingServer(503, { 'retry-after': '7' });
    const service = upstream({ urls: url, retries: 0 });
    const chain = fallback(
      [{ name: 'a', run: () => service.json({}) }, empty('b')] as FallbackStep<string, unknown>[],
      {
        name: 'search',
      },
    );
    expect(await errorOf(chain('q'))).toMatchObject({ headers: { 'Retry-After': '7' }, status: 502 });
  });

  it('is a 502 for errors that say nothing, and a 503 when all were empty', async () => {
    const broken = fallback([fails('a'), fails('b', 'a string'), fails('c', null)], { name: 'search' });
    expect(await errorOf(broken('q'))).toMatchObject({ status: 502, code: 'upstream_error' });
    const nothing = fallback([empty('a')], { name: 'search' });
    expect(await errorOf(nothing('q'))).toMatchObject({
      status: 503,
      code: 'upstream_unavailable',
      message: 'chain "search": no source had an answer: every source was empty',
    });
  });
});

describe('signals of a chain', () => {
  it('tell each step down', async () => {
    const heard: UpstreamFallback[] = [];
    onTestFinished(signals.upstreamFallback.subscribe((event) => void heard.push(event)));
    const error = new Error('broken');
    await errorOf(fallback([fails('a', error), empty('b')], { name: 'search' })('q'));
    expect(heard).toEqual([
      { chain: 'search', from: 'a', to: 'b', error },
      { chain: 'search', from: 'b', to: undefined, error: undefined },
    ]);
  });

  it('tell when the feature begins and ceases to run degraded, once each', async () => {
    const heard = heardFeature('search');
    let state: 'well' | 'ill' | 'dead' = 'well';
    const step = (name: string, needed: string[]): Step => ({
      name,
      run: () => {
        if (needed.includes(state)) return name;
        throw new Error(`${name} is down`);
      },
    });
    const chain = fallback([step('a', ['well']), step('b', ['well', 'ill'])], { name: 'search' });
    for (const next of ['well', 'ill', 'ill', 'dead', 'dead', 'ill', 'well', 'well'] as const) {
      state = next;
      await chain('q').catch(() => undefined);
    }
    expect(heard.map(({ degraded, policy, reason }) => [degraded, policy, reason])).toEqual([
      [true, 'fallback', 'answers come from "b": a is down'],
      [true, 'unavailable', 'chain "search": no source had an answer: a is down; b is down'],
      [true, 'fallback', 'answers come from "b": a is down'],
      [false, 'fallback', 'answers come from "a" again'],
    ]);
  });
});

describe('any chain', () => {
  it('answers from its first good step, within its deadline', async () => {
    const kinds = { answers, fails, hangs, empty } as const;
    const kind = fc.constantFrom<keyof typeof kinds>('answers', 'fails', 'empty', 'hangs');
    await fc.assert(
      fc.asyncProperty(fc.array(kind, { minLength: 1, maxLength: 5 }), async (chosen) => {
        const chain = fallback(
          chosen.map((each, index) => kinds[each](`step-${index}`)),
          { name: 'any', deadlineMs: 60 },
        );
        const good = chosen.indexOf('answers');
        const outcome = await assertNeverHangs(() => chain('q').catch((error: unknown) => error as Error));
        if (good === -1) expect(outcome).toBeInstanceOf(FallbackFailedError);
        else expect(outcome).toMatchObject({ source: `step-${good}`, degraded: good > 0 });
      }),
      { numRuns: 40 },
    );
  });
});

describe('a chain over two upstreams', () => {
  it('skips at once an upstream whose breaker is open', async () => {
    const bad = await failingServer(500);
    const good = await upstreamServer((_req, res) => sendJson(res, 'good'));
    const [first, second] = [upstream({ urls: bad.url, retries: 0 }), upstream({ urls: good.url })];
    const chain = fallback<string, unknown>(
      [
        { name: 'first', run: (_input, context) => first.json({ ...context }) },
        { name: 'second', run: (_input, context) => second.json({ ...context }) },
      ],
      { name: 'search' },
    );
    for (let call = 0; call < 8; call += 1) expect(await chain('q')).toMatchObject({ value: 'good' });
    expect(bad.seen).toHaveLength(5);
  });
});
