import { describe, expect, it } from 'vitest';
import { createLogger, logPerformance } from '../src/index.js';
import { recorder } from './recorder.js';

function logged() {
  const log = recorder();
  return { log, logger: createLogger({ destination: log, level: 'debug' }) };
}

describe('logPerformance', () => {
  it('logs the time of a call at debug, and passes arguments, result and this through', () => {
    const { log, logger } = logged();
    const scale = {
      factor: 3,
      apply: logPerformance(
        'scale',
        function (this: { factor: number }, a: number, b: number): number {
          return this.factor * (a + b);
        },
        { logger },
      ),
    };

    expect(scale.apply(1, 2)).toBe(9);
    expect(log.lines).toMatchObject([
      { level: 'debug', operation: 'scale', durationMs: expect.any(Number) as number, outcome: 'ok' },
    ]);
    expect(log.lines[0]?.['msg']).toMatch(/^scale took \d+ms$/);
  });

  it('times a promise until it settles, and warns when that was slow', async () => {
    const { log, logger } = logged();
    const wait = logPerformance(
      'wait',
      (ms: number) => new Promise((resolve) => setTimeout(resolve, ms, 'done')),
      {
        slowMs: 20,
        logger,
      },
    );

    expect(await wait(40)).toBe('done');
    expect(log.lines).toMatchObject([{ level: 'warn', operation: 'wait' }]);
    expect(Number(log.lines[0]?.['durationMs'])).toBeGreaterThan(30);
    expect(log.lines[0]?.['msg']).toMatch(/^Slow: wait took \d+ms$/);
  });

  it('passes errors on, thrown or rejected, and notes that there was one', async () => {
    const { log, logger } = logged();
    const error = new Error('no');
    const throws = logPerformance(
      'throws',
      () => {
        throw error;
      },
      { logger },
    );
    const rejects = logPerformance(
      'rejects',
      async () => {
        throw error;
      },
      { logger },
    );

    expect(() => throws()).toThrow(error);
    await expect(rejects()).rejects.toBe(error);
    expect(log.lines).toMatchObject([
      { operation: 'throws', outcome: 'error' },
      { operation: 'rejects', outcome: 'error' },
    ]);
  });

  it('does not start a thenable that is lazy', () => {
    const { logger } = logged();
    let started = false;
    const query = {
      // oxlint-disable-next-line unicorn/no-thenable -- query builders are what this is about
      then: () => {
        started = true;
      },
    };
    expect(logPerformance('query', () => query, { logger })()).toBe(query);
    expect(started).toBe(false);
  });

  it('keeps name and length', () => {
    function ranked(a: string, b: string): string {
      return a + b;
    }
    const timed = logPerformance('rank', ranked);
    expect(timed.name).toBe('ranked');
    expect(timed).toHaveLength(2);
  });

  it('refuses what it cannot work with', () => {
    expect(() => logPerformance('', () => 1)).toThrow(
      'logPerformance: "name" must be a non-empty string, got ""',
    );
    const five: unknown = 5;
    expect(() => logPerformance('x', five as () => void)).toThrow('"fn" must be a function, got 5');
    expect(() => logPerformance('x', () => 1, { slowMs: -1 })).toThrow('"slowMs" must be a number');
    expect(() => logPerformance('x', () => 1, { slow: 1 } as object)).toThrow(
      'logPerformance: "slow" is not an option; did you mean "slowMs"?',
    );
  });
});
