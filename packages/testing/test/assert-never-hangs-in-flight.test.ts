import { describe, expect, it } from 'vitest';
import { assertNeverHangs, listen } from '../src/index.js';

function never(): Promise<never> {
  return new Promise(() => undefined);
}

/** `/ok` answers, `/reset` is cut off, `/silent` never answers, `/endless` never ends its body. */
function moody(): Promise<string> {
  return listen((req, res) => {
    if (req.url === '/ok') res.end('fine');
    if (req.url === '/reset') req.socket.destroy();
    if (req.url === '/endless') res.write('begun');
  });
}

describe('assertNeverHangs with what is in flight', () => {
  it('waits for a promise, and returns or passes on what becomes of it', async () => {
    await expect(assertNeverHangs(Promise.resolve(7))).resolves.toBe(7);
    await expect(assertNeverHangs(Promise.reject(new Error('refused')))).rejects.toThrow('refused');
    await expect(assertNeverHangs(never(), { withinMs: 20, name: 'the save' })).rejects.toThrow(
      'the save did not finish within 20 ms',
    );
  });

  it('returns the outcomes of a list, failures too, since a failure is no hang', async () => {
    const url = await moody();
    const outcomes = await assertNeverHangs([fetch(`${url}/ok`), fetch(`${url}/reset`)]);

    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(outcomes[0]?.status === 'fulfilled' && (await outcomes[0].value.text())).toBe('fine');
  });

  it('says how many of them hung, and which', async () => {
    const url = await moody();
    const inFlight = ['/ok', '/silent', '/reset', '/endless'].map((path) => fetch(url + path));

    await expect(assertNeverHangs(inFlight, { withinMs: 200, name: 'requests' })).rejects.toThrow(
      '2 of 4 requests did not finish within 200 ms: #2, #4 (answered 200, body open)',
    );
  });

  it('names no more than ten of many', async () => {
    const many = Array.from({ length: 12 }, never);

    await expect(assertNeverHangs(many, { withinMs: 20 })).rejects.toThrow(
      '12 of 12 promises did not finish within 20 ms: #1, #2, #3, #4, #5, #6, #7, #8, #9, #10, …',
    );
  });

  it('is content with an empty list', async () => {
    await expect(assertNeverHangs([])).resolves.toEqual([]);
  });

  it('does not call it a hang when the event loop was blocked while the answer arrived', async () => {
    const url = await moody();
    const answer = assertNeverHangs(`${url}/ok`, { withinMs: 50 });
    const blockedUntil = performance.now() + 200;
    while (performance.now() < blockedUntil);

    expect((await answer).status).toBe(200);
  });
});
