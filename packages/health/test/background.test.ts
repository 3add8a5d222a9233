import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { signals } from '@signalbox/signals';
import { listen } from '@signalbox/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { health } from '../src/index.js';
import { appWith, opened, quick, until } from './support.js';

const fails = (): never => {
  throw new Error('no');
};

describe('checks in the background', () => {
  it('run whether anybody probes or not, and no probe makes one run', async () => {
    let runs = 0;
    const handle = opened({ checks: [quick('it', () => void (runs += 1), { everyMs: 60_000 })] });
    const url = await listen(appWith(handle));
    await until(() => runs === 1);

    const paths = ['/health', '/health/detailed', '/readyz', '/status', '/livez'];
    await Promise.all(Array.from({ length: 100 }, (_, i) => fetch(`${url}${paths[i % 5]}`)));
    expect(runs).toBe(1);
  });

  it('run again and again, one run at a time', async () => {
    let runs = 0;
    let running = 0;
    let most = 0;
    const run = async (): Promise<void> => {
      most = Math.max(most, (running += 1));
      // Longer than everyMs.
      await new Promise((resolve) => setTimeout(resolve, 3));
      running -= 1;
      runs += 1;
    };
    opened({ checks: [quick('it', run, { everyMs: 1 })] });
    await until(() => runs >= 10);
    expect(most).toBe(1);
  });

  it('fall after two failures in a row and rise after one success, by default', async () => {
    const results = [true, false, true, false, false, true];
    const seen: unknown[] = [];
    const run = (): boolean => {
      seen.push(handle.report().services['it']?.status);
      return results.shift() ?? true;
    };
    const handle = opened({ checks: [quick('it', run, { everyMs: 2, failuresToFall: 2 })] });
    await until(() => seen.length >= 7);
    expect(seen.slice(0, 7)).toEqual([
      'unknown',
      'healthy',
      'healthy',
      'healthy',
      'healthy',
      'unhealthy',
      'healthy',
    ]);
  });

  it('rise after as many successes as they are told', async () => {
    const results = [false, true, true, false, true, true, true];
    const seen: unknown[] = [];
    const run = (): boolean => {
      seen.push(handle.report().services['it']?.status);
      return results.shift() ?? true;
    };
    const handle = opened({ checks: [quick('it', run, { everyMs: 2, successesToRise: 3 })] });
    await until(() => seen.length >= 8);
    expect(seen.slice(0, 8)).toEqual(['unknown', ...Array.from({ length: 6 }, () => 'unhealthy'), 'healthy']);
  });

  it('ask again sooner while the last result disagrees with the status', async () => {
    const startedAt = performance.now();
    const handle = opened({ checks: [quick('it', fails, { everyMs: 1_000, failuresToFall: 2 })] });
    await until(() => handle.report().services['it']?.consecutive_failures === 1);
    expect(handle.report().services['it']?.status).toBe('unknown');

    await until(() => handle.report().services['it']?.status === 'unhealthy');
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(180);
    expect(handle.report().services['it']?.consecutive_failures).toBe(2);
  });

  it('are aborted when their time is up, and a heeded signal lets the next run begin', async () => {
    const reasons: unknown[] = [];
    const heeds = (signal: AbortSignal): Promise<never> =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          reasons.push(signal.reason);
          reject(new Error('too late to be the result'));
        });
      });
    const handle = opened({ checks: [quick('it', heeds, { timeoutMs: 20 })] });
    await until(() => reasons.length >= 2);

    expect(reasons[0]).toMatchObject({ name: 'TimeoutError', message: 'timed out after 20 ms' });
    expect(handle.report().services['it']).toMatchObject({
      status: 'unhealthy',
      last_error: { message: 'timed out after 20 ms' },
    });
  });

  it('are not started again while they ignore the signal, and count as failing until they settle', async () => {
    let runs = 0;
    let settle = (): void => undefined;
    const ignores = (): unknown => {
      runs += 1;
      return runs > 1 ? 'PONG' : new Promise<void>((resolve) => (settle = resolve));
    };
    const handle = opened({ checks: [quick('it', ignores, { timeoutMs: 5, failuresToFall: 3 })] });
    await until(() => (handle.report().services['it']?.consecutive_failures ?? 0) >= 5);
    expect(runs).toBe(1);
    expect(handle.report().services['it']?.status).toBe('unhealthy');
    expect(handle.report().services['it']?.last_error?.message).toMatch(/^has not answered for \d+ ms$/);

    settle();
    await until(() => handle.report().services['it']?.status === 'healthy');
    expect(runs).toBeGreaterThan(1);
  });

  it('may throw at once, and reject with anything or nothing', async () => {
    const handle = opened({
      checks: [
        quick('throws', fails),
        quick('rejects', () => Promise.reject('just words')),
        quick('undefined', () => Promise.reject()),
      ],
    });
    await until(() => Object.values(handle.report().services).every(({ status }) => status === 'unhealthy'));
    const messages = Object.values(handle.report().services).map((each) => each.last_error?.message);
    expect(messages).toEqual(['no', 'just words', 'failed without a message']);
  });

  it.each([
    ['healthy', undefined],
    ['healthy', 'PONG'],
    ['healthy', true],
    ['healthy', { rows: [1] }],
    ['healthy', { status: 'healthy' }],
    ['degraded', 'degraded'],
    ['degraded', { status: 'degraded', reason: 'replica lags' }],
    ['unhealthy', 'unhealthy'],
    ['unhealthy', { status: 'unhealthy' }],
    ['unhealthy', false],
    ['unhealthy', new Response(null, { status: 503 })],
  ])('are %s when they return %o', async (status, result) => {
    const handle = opened({ checks: [quick('it', () => result)] });
    await until(() => handle.report().services['it']?.status !== 'unknown');
    expect(handle.report().services['it']?.status).toBe(status);
  });

  it('show the reason of a verdict, and bound what they show of details', async () => {
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    const handle = opened({
      checks: [
        quick('reason', () => ({ status: 'degraded', reason: 'replica lags', details: { lag_ms: 900 } })),
        quick('big', () => ({ details: { text: 'x'.repeat(5_000) } })),
        quick('circle', () => ({ details: circle })),
      ],
    });
    await until(() => Object.values(handle.report().services).every(({ status }) => status !== 'unknown'));
    const { reason, big, circle: shown } = handle.report().services;
    expect(reason).toMatchObject({ last_error: { message: 'replica lags' }, details: { lag_ms: 900 } });
    expect(big?.details).toEqual({ omitted: '5011 characters of details' });
    expect(JSON.stringify(shown?.details)).toContain('circular');
  });

  it('publish a signal for every change, with the error itself', async () => {
    const heard: unknown[] = [];
    onTestFinished(signals.healthChanged.subscribe((change) => heard.push(change)));
    const error = new Error('no');
    let isBroken = false;
    const run = (): void => {
      if (isBroken) throw error;
    };
    opened({ checks: [quick('key', run, { critical: true })] });
    await until(() => heard.length === 1);
    isBroken = true;
    await until(() => heard.length === 2);
    isBroken = false;
    await until(() => heard.length === 3);

    const common = { check: 'key', critical: true };
    expect(heard).toEqual([
      { ...common, status: 'healthy', previous: 'unknown', error: undefined },
      { ...common, status: 'unhealthy', previous: 'healthy', error },
      { ...common, status: 'healthy', previous: 'unhealthy', error: undefined },
    ]);
  });

  it('end with close(), which aborts what runs and may be called again', async () => {
    let signal: AbortSignal | undefined;
    let closed = 0;
    const run = Object.assign(
      (given: AbortSignal) => {
        signal = given;
        return new Promise(() => undefined);
      },
      { close: () => void (closed += 1) },
    );
    const handle = opened({ checks: [quick('it', run)] });
    await until(() => signal !== undefined);

    handle.close();
    handle.close();
    expect(signal?.aborted).toBe(true);
    expect(closed).toBe(1);
    expect(handle.report().services['it']?.status).toBe('unknown');

    signals.featureState.publish({ feature: 'cache', degraded: true, policy: 'open', reason: '' });
    expect(handle.report().features).toEqual({});
  });

  it('fail where what they return throws when it is read', async () => {
    const lazy = (): object => ({
      get status() {
        return fails();
      },
    });
    const handle = opened({ checks: [quick('it', lazy)] });
    await until(() => handle.report().services['it']?.status === 'unhealthy');
    expect(handle.report().services['it']?.last_error?.message).toBe('no');
  });

  it('all end with close(), also where one of them fails to', async () => {
    let aborted = 0;
    const failing = Object.assign(() => true, { close: fails });
    const hanging = (signal: AbortSignal): Promise<void> =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => {
          aborted += 1;
          resolve();
        });
      });
    const handle = health({
      service: 'search',
      version: '1.4.0',
      checks: [quick('failing', failing), quick('hanging', hanging, { timeoutMs: 60_000 })],
    });
    await until(() => handle.report().services['failing']?.status === 'healthy');

    expect(() => handle.close()).toThrow('Some health checks failed to close');
    expect(aborted).toBe(1);
  });

  it('never begin when the handle is closed in the same turn', async () => {
    let runs = 0;
    const handle = health({
      service: 's',
      version: '1',
      checks: [quick('it', () => void (runs += 1), { everyMs: 1 })],
    });
    handle.close();
    let others = 0;
    opened({ checks: [quick('it', () => void (others += 1), { everyMs: 1 })] });
    await until(() => others >= 3);
    expect(runs).toBe(0);
  });

  it('keep no process alive', async () => {
    const program = fileURLToPath(new URL('programs/ends-by-itself.mjs', import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [program], { timeout: 5_000 });
    expect(stdout).toBe('checked\n');
  });
});

describe('what is shown of an error', () => {
  it.each([
    ['connect redis://app:p@ss/word@10.0.0.7:6379 failed', 'connect redis://***@10.0.0.7:6379 failed'],
    ['GET https://api.example/v1?key=123&q=x failed', 'GET https://api.example/v1?*** failed'],
    ['password=hunter2 refused', 'password=*** refused'],
    ['{"apiKey":"k-123","host":"h"}', '{"apiKey":***,"host":"h"}'],
    ['Authorization: Bearer abcdefghijkl', 'Authorization: ***'],
    ['sent Bearer abcdefghijkl in vain', 'sent Bearer *** in vain'],
    ['two\nlines\u001b[31m', 'two lines [31m'],
    ['x'.repeat(400), `${'x'.repeat(299)}…`],
    [`${'word '.repeat(399)}redis://app:hunter2@h`, `${'word '.repeat(59)}word…`],
    ['', 'Error'],
  ])('is %j without secrets', async (message, shown) => {
    const run = (): never => {
      throw new Error(message);
    };
    const handle = opened({ checks: [quick('it', run)] });
    await until(() => handle.report().services['it']?.status === 'unhealthy');
    expect(handle.report().services['it']?.last_error?.message).toBe(shown);
  });

  it('is the words of its causes too, and of a connection refused on every address', async () => {
    const cause = new AggregateError([new Error('ECONNREFUSED ::1'), new Error('ECONNREFUSED 127.0.0.1')]);
    const run = (): never => {
      throw new Error('fetch failed', { cause });
    };
    const handle = opened({ checks: [quick('it', run)] });
    await until(() => handle.report().services['it']?.status === 'unhealthy');
    expect(handle.report().services['it']?.last_error?.message).toBe(
      'fetch failed: ECONNREFUSED ::1, ECONNREFUSED 127.0.0.1',
    );
  });
});
