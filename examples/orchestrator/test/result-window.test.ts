import type { SearchResult, SearchResults } from '@signalbox/gateway';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readWindow, type ReadPage } from '../src/search/result-window.js';

function result(n: number): SearchResult {
  return {
    title: `Result ${n}`,
    url: `https://example.org/${n}`,
    content: '',
    engine: 'test',
    engines: ['test'],
    score: 1,
    category: undefined,
    publishedDate: undefined,
  };
}

function answer(results: SearchResult[], total = 0): SearchResults {
  return { results, total, suggestions: [], corrections: [], answers: [], unresponsiveEngines: [] };
}

/** A source whose pages have these lengths, and how often it was asked. */
function source(lengths: readonly number[], stated = 0): { read: ReadPage; asked: () => number } {
  let asked = 0;
  let next = 0;
  const pages = lengths.map((length) => Array.from({ length }, () => result((next += 1))));
  return {
    read: async (page) => {
      asked += 1;
      return answer(pages[page - 1] ?? [], stated);
    },
    asked: () => asked,
  };
}

describe('readWindow', () => {
  it('asks for one page where that holds the window and one result more', async () => {
    const { read, asked } = source([11, 10]);

    const window = await readWindow(read, 0, 10);

    expect(window.results.map(({ url }) => url)).toEqual(
      Array.from({ length: 10 }, (_, n) => `https://example.org/${n + 1}`),
    );
    expect(window.total).toBe(11);
    expect(asked()).toBe(1);
  });

  it('skips no result and repeats none, whatever the lengths of the pages', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 20 }),
        async (lengths, size) => {
          const all = lengths.reduce((sum, length) => sum + length, 0);
          const got: string[] = [];
          for (let offset = 0; offset < all; offset += size) {
            const { results } = await readWindow(source(lengths).read, offset, size);
            got.push(...results.map(({ url }) => url));
          }
          expect(got).toEqual(Array.from({ length: all }, (_, n) => `https://example.org/${n + 1}`));
        },
      ),
      { numRuns: 100 },
    );
  });

  it('stops at an empty page, and at one that only repeats', async () => {
    const empty = source([3, 0, 5]);
    await readWindow(empty.read, 0, 10);
    expect(empty.asked()).toBe(2);

    let asked = 0;
    const { total } = await readWindow(
      async () => {
        asked += 1;
        return answer([result(1)]);
      },
      0,
      10,
    );
    expect({ asked, total }).toEqual({ asked: 2, total: 1 });
  });

  it('makes do with the first page when a later one fails, but not without the first', async () => {
    const failsFrom = (broken: number): ReadPage => {
      return async (page) => {
        if (page >= broken) throw new Error(`page ${page}`);
        return answer([result(page)]);
      };
    };

    expect((await readWindow(failsFrom(2), 0, 10)).results).toEqual([result(1)]);
    await expect(readWindow(failsFrom(1), 0, 10)).rejects.toThrow('page 1');
    // Nothing of the window is there: whether there is something is not known.
    await expect(readWindow(failsFrom(2), 1, 10)).rejects.toThrow('page 2');
  });

  it('believes the total of a source that states one', async () => {
    expect((await readWindow(source([10], 4_200).read, 0, 5)).total).toBe(4_200);
  });

  it('states no more than can be had where the source has come to its end, or it is too deep', async () => {
    const ended = await readWindow(source([10, 10, 10], 4_200).read, 30, 10);
    expect([ended.results.length, ended.total]).toEqual([0, 30]);
    const endless = Array.from({ length: 20 }, () => 10);
    const last = await readWindow(source(endless, 4_200).read, 40, 10);
    expect([last.results.length, last.total]).toEqual([10, 50]);
    const beyond = await readWindow(source(endless, 4_200).read, 50, 10);
    expect([beyond.results.length, beyond.total]).toEqual([0, 50]);
  });

  it('goes five pages deep at most', async () => {
    const { read, asked } = source(Array.from({ length: 20 }, () => 1));
    await readWindow(read, 50, 10);
    expect(asked()).toBe(5);
  });
});
