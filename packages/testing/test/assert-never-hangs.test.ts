import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { assertNeverHangs, listen } from '../src/index.js';

function readForEver(): Promise<never> {
  return new Promise(() => undefined);
}

describe('assertNeverHangs', () => {
  it('returns what the function returns', async () => {
    await expect(assertNeverHangs(() => 7)).resolves.toBe(7);
    await expect(assertNeverHangs(async () => 'later')).resolves.toBe('later');
  });

  it('passes on what the function fails with', async () => {
    await expect(assertNeverHangs(() => Promise.reject(new Error('refused')))).rejects.toThrow('refused');
    await expect(
      assertNeverHangs(() => {
        throw new Error('at once');
      }),
    ).rejects.toThrow('at once');
  });

  it('names the function that hung', async () => {
    await expect(assertNeverHangs(readForEver, { withinMs: 20 })).rejects.toThrow(
      'readForEver did not finish within 20 ms',
    );
    await expect(
      assertNeverHangs(readForEver, { withinMs: 20, name: 'GET against a dead Redis' }),
    ).rejects.toThrow('GET against a dead Redis did not finish within 20 ms');
  });

  it('aborts the signal that it gave to the function, and reports the hang all the same', async () => {
    let seen: AbortSignal | undefined;
    const hang = async (signal: AbortSignal): Promise<never> => {
      seen = signal;
      await once(signal, 'abort');
      throw new Error('aborted');
    };

    await expect(assertNeverHangs(hang, { withinMs: 20 })).rejects.toThrow('hang did not finish');
    expect(seen?.aborted).toBe(true);
  });

  it('returns the response of a URL with its body', async () => {
    const url = await listen((_req, res) => res.writeHead(503).end('no'));
    const response = await assertNeverHangs(url);

    expect(response.status).toBe(503);
    expect(await response.text()).toBe('no');
  });

  it('names the URL that never answered', async () => {
    const url = await listen(() => undefined);

    await expect(assertNeverHangs(new URL('/x', url), { withinMs: 50 })).rejects.toThrow(
      `GET ${url}/x did not finish within 50 ms`,
    );
  });

  it('tells a body that never ends', async () => {
    const url = await listen((_req, res) => void res.write('begun'));

    await expect(assertNeverHangs(url, { withinMs: 200 })).rejects.toThrow(
      `GET ${url} did not finish within 200 ms: it answered 200, but its body did not end`,
    );
  });

  it.each([0, -1, Number.NaN, Infinity])('refuses %s as withinMs', async (withinMs) => {
    await expect(assertNeverHangs(() => 1, { withinMs })).rejects.toThrow(
      'assertNeverHangs: "withinMs" must be a number above 0',
    );
  });
});
