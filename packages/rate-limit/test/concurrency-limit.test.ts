import { once } from 'node:events';
import { connect } from 'node:net';
import type { Response } from 'express';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.js';
import { byHeader, concurrencyLimit } from '../src/index.js';
import { get, serving } from './support.js';

/** A handler that answers when it is told to. */
function held(): {
  handler: (req: unknown, res: Response) => void;
  waiting: Response[];
  release: () => void;
} {
  const waiting: Response[] = [];
  return {
    waiting,
    handler: (_req, res) => void waiting.push(res),
    release: () => waiting.splice(0).forEach((res) => res.end('done')),
  };
}

describe('concurrencyLimit', () => {
  it('refuses what is too many at once, by caller, and takes more when some are done', async () => {
    const { handler, waiting, release } = held();
    const url = await serving(concurrencyLimit({ limit: 2, key: byHeader('x-user') }), handler);
    const as = (user: string): ReturnType<typeof get> => get(url, { 'x-user': user });

    const first = [as('a'), as('a'), as('b')];
    await eventually(() => waiting.length === 3);
    const refused = await as('a');
    expect(refused.status).toBe(429);
    expect(refused.headers['retry-after']).toBe('1');
    expect(refused.body.error).toMatchObject({
      type: 'rate_limited',
      message: 'Too many requests at once: the limit is 2. Try again when one of them is done.',
      details: { zone: 'concurrency', limit: 2 },
    });
    release();
    expect((await Promise.all(first)).map(({ status }) => status)).toEqual([200, 200, 200]);

    const next = as('a');
    await eventually(() => waiting.length === 1);
    release();
    expect((await next).status).toBe(200);
  });

  it('forgets requests whose clients hang up, pipelined ones too', async () => {
    const { handler, waiting } = held();
    const url = await serving(concurrencyLimit({ limit: 4 }), handler);
    for (let round = 0; round < 3; round++) {
      waiting.length = 0;
      const socket = connect(Number(new URL(url).port), '127.0.0.1');
      await once(socket, 'connect');
      socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(4));
      await eventually(() => waiting.length === 4);
      expect((await get(url)).status).toBe(429);
      socket.destroy();
      await eventually(() => waiting.every((res) => res.req.socket.destroyed));
    }
    const last = get(url);
    await eventually(() => waiting.length === 5 || waiting.length === 1);
    waiting.at(-1)?.end();
    expect((await last).status).toBe(200);
  });

  it('refuses nobody in shadow mode, and leaves out who is allowed, skipped or has no key', async () => {
    for (const options of [
      { shadow: true },
      { allow: ['127.0.0.1'] },
      { skip: () => true },
      { key: () => undefined },
    ]) {
      const { handler, waiting, release } = held();
      const url = await serving(concurrencyLimit({ limit: 1, ...options }), handler);
      const both = [get(url), get(url)];
      await eventually(() => waiting.length === 2);
      release();
      expect((await Promise.all(both)).map(({ status }) => status)).toEqual([200, 200]);
    }
    const denied = await serving(concurrencyLimit({ limit: 1, deny: ['127.0.0.1'] }));
    expect((await get(denied)).status).toBe(403);
  });

  it.each([
    [{ limit: 0 }, 'concurrencyLimit: "limit" must be an integer of at least 1, got 0'],
    [{}, 'concurrencyLimit: "limit" must be an integer of at least 1, got undefined'],
    [{ limit: 1, key: 'ip' }, 'concurrencyLimit: "key" must be a function, got "ip"'],
    [
      { limit: 1, retryAfterSeconds: 0.5 },
      'concurrencyLimit: "retryAfterSeconds" must be an integer of at least 1, got 0.5',
    ],
    [{ limit: 1, shadow: 'yes' }, 'concurrencyLimit: "shadow" must be true or false, got "yes"'],
    [{ limit: 1, name: 'a"b' }, 'concurrencyLimit: "name" must be a name of up to 64 letters'],
    [{ limit: 1, deny: ['300.1.1.1'] }, 'concurrencyLimit: "deny" must be a list of addresses and networks'],
    [{ limits: 1 }, 'concurrencyLimit: "limits" is not an option; did you mean "limit"?'],
  ])('refuses %o', (options, message) => {
    expect(() => concurrencyLimit(options as never)).toThrow(message);
    expect(() => concurrencyLimit(options as never)).toThrow(TypeError);
  });
});
