import { fileURLToPath } from 'node:url';
import { createLogger } from '@signalbox/logging';
import { afterAll, describe, expect, it } from 'vitest';
// The compiled one: a thread runs no TypeScript.
import { embeddedSearch } from '../dist/search/embedded-search.js';

const engine = embeddedSearch(
  fileURLToPath(new URL('../../../docs', import.meta.url)),
  createLogger({ level: 'silent' }),
);
afterAll(() => engine.close());

const never = new AbortController().signal;
const wanting = (q: string) => ({ q, offset: 0, size: 2, docsUrl: 'https://signalbox.example/docs' });

describe('the embedded engine', () => {
  it('finds real documents, this project’s own where they are served', async () => {
    const { results, total } = await engine.search(wanting('rolling reload workers'), never);
    expect(results).toHaveLength(2);
    expect(total).toBeGreaterThan(2);
    expect(results[0]).toMatchObject({ engine: 'embedded', title: expect.stringMatching(/\w/) as string });
    const { results: own } = await engine.search(
      { ...wanting('signalbox troubleshooting'), size: 50 },
      never,
    );
    expect(own.map(({ url }) => url)).toContain('https://signalbox.example/docs/guide/troubleshooting.md');
  });

  it('holds up nobody while it searches', async () => {
    let turns = 0;
    const counting = setInterval(() => (turns += 1), 1);
    await Promise.all(
      Array.from({ length: 10 }, () => engine.search(wanting('how do sessions stay'), never)),
    );
    clearInterval(counting);
    expect(turns).toBeGreaterThan(10);
  });

  it('refuses who would wait for too long, and has forgotten who has left', async () => {
    const leaving = new AbortController();
    const first = engine.search(wanting('a'), never);
    const left = engine.search(wanting('a'), leaving.signal);
    const rest = Array.from({ length: 198 }, () => engine.search(wanting('a'), never));
    leaving.abort(new Error('left'));
    expect(() => engine.search(wanting('a'), never)).toThrow(
      expect.objectContaining({ status: 503, code: 'overloaded', retryAfterSeconds: 1 }),
    );
    await expect(left).rejects.toThrow('left');
    for (const found of await Promise.all([first, ...rest])) expect(found.isComplete).toBe(true);
  });
});
