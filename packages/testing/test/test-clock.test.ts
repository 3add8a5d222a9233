import { describe, expect, it } from 'vitest';
import { testClock } from '../src/index.js';

describe('testClock', () => {
  it('stands still until it is moved', () => {
    const { now, advance } = testClock(1_000);

    expect(now()).toBe(1_000);
    advance(250);
    expect(now()).toBe(1_250);
  });

  it('calls timers in the order of their time, each at its time', () => {
    const clock = testClock();
    const calls: string[] = [];
    clock.setTimeout(() => calls.push(`late at ${clock.now()}`), 200);
    clock.setTimeout(() => calls.push(`early at ${clock.now()}`), 100);
    clock.setTimeout(() => calls.push('never'), 1_000);

    clock.advance(500);

    expect(calls).toEqual(['early at 100', 'late at 200']);
    expect(clock.now()).toBe(500);
    expect(clock.pending).toBe(1);
  });

  it('calls timers of one time in the order in which they were set', () => {
    const clock = testClock();
    const calls: number[] = [];
    for (const n of [1, 2, 3]) clock.setTimeout(() => calls.push(n), 10);

    clock.advance(10);

    expect(calls).toEqual([1, 2, 3]);
  });

  it('calls a timer that another timer sets within the time', () => {
    const clock = testClock();
    const calls: number[] = [];
    const again = (): void => {
      calls.push(clock.now());
      clock.setTimeout(again, 100);
    };
    clock.setTimeout(again, 100);

    clock.advance(350);

    expect(calls).toEqual([100, 200, 300]);
  });

  it('repeats an interval until it is cleared', () => {
    const clock = testClock();
    let calls = 0;
    const interval = clock.setInterval(() => calls++, 100);

    clock.advance(350);
    clock.clearInterval(interval);
    clock.advance(1_000);

    expect(calls).toBe(3);
    expect(clock.pending).toBe(0);
  });

  it('never calls a cleared timer, and clears nothing for undefined', () => {
    const clock = testClock();
    const calls: string[] = [];
    clock.clearTimeout(clock.setTimeout(() => calls.push('cleared'), 1));
    clock.setTimeout(() => calls.push('closed'), 1).close();
    clock.clearTimeout(undefined);

    clock.advance(10);

    expect(calls).toEqual([]);
  });

  it('starts a wait again on refresh', () => {
    const clock = testClock();
    const calls: number[] = [];
    const timer = clock.setTimeout(() => calls.push(clock.now()), 100);

    clock.advance(60);
    timer.refresh();
    clock.advance(60);
    expect(calls).toEqual([]);

    clock.advance(40);
    expect(calls).toEqual([160]);
  });

  it('begins no timer again that was cleared, as Node', () => {
    const clock = testClock();
    const calls: number[] = [];
    const timer = clock.setTimeout(() => calls.push(clock.now()), 100);

    clock.clearTimeout(timer);
    timer.refresh();
    clock.advance(1_000);
    expect(calls).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it('gives timers that take ref and unref', () => {
    const timer = testClock().setTimeout(() => undefined, 1);

    expect(timer.unref().hasRef()).toBe(false);
    expect(timer.ref().hasRef()).toBe(true);
  });

  it('lets promises settle between timers', async () => {
    const clock = testClock();
    const calls: number[] = [];
    const sleep = (ms: number): Promise<void> => new Promise((resolve) => clock.setTimeout(resolve, ms));
    const done = (async () => {
      for (let i = 0; i < 3; i++) {
        await sleep(100);
        calls.push(clock.now());
      }
    })();

    await clock.advanceAsync(300);

    await done;
    expect(calls).toEqual([100, 200, 300]);
  });

  it.each([-1, Number.NaN, Infinity])('refuses to advance by %s', async (ms) => {
    const clock = testClock();

    expect(() => clock.advance(ms)).toThrow('testClock: "ms" must be a number of at least 0');
    await expect(clock.advanceAsync(ms)).rejects.toThrow('testClock: "ms" must be a number of at least 0');
  });

  it.each([Number.NaN, Infinity])('refuses to start at %s', (startMs) => {
    expect(() => testClock(startMs)).toThrow('testClock: "startMs" must be a finite number');
  });
});
