import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.js';
import { writeEvent } from '../src/job-events.js';
import { createFeeds, type FeedSource } from '../src/job-feed.js';
import type { JobReading } from '../src/job-store.js';
import type { JobEvent } from '../src/job-types.js';

/** A log that grows, and its reader. */
function logOf(events: string[] = []): {
  events: string[];
  source: FeedSource;
  readonly reads: () => number;
} {
  let reads = 0;
  const read = async (_id: string, after: number): Promise<JobReading> => {
    reads += 1;
    await new Promise(setImmediate);
    const isOver = events.at(-1)?.includes('"complete"') === true;
    return {
      kind: 'search',
      owner: null,
      state: isOver ? 'complete' : 'running',
      length: events.length,
      events: events.slice(after),
      leaseLeftMs: 1_000,
    };
  };
  return { events, source: { read, abandoned: () => undefined, isHere: () => false }, reads: () => reads };
}

const progress = (index: number): string => writeEvent('progress', { index });
const nothing = (): void => undefined;

describe('a feed', () => {
  it('tells each event once and in order, however messages are lost, doubled or late', async () => {
    const message = fc.record({
      first: fc.integer({ min: 0, max: 12 }),
      many: fc.integer({ min: 0, max: 4 }),
      yields: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 12 }),
        fc.array(message, { maxLength: 20 }),
        fc.integer({ min: 0, max: 12 }),
        async (length, messages, after) => {
          const { events, source } = logOf();
          const feeds = createFeeds(source, 30);
          const all = Array.from({ length }, (_, index) =>
            index === length - 1 ? writeEvent('complete', {}) : progress(index + 1),
          );
          const got: JobEvent[] = [];
          const following = feeds.follow('id', Math.min(after, length), nothing, (event) => got.push(event));
          for (const { first, many, yields } of messages) {
            // What is announced is in the log by then.
            const until = Math.min(first + many, length);
            while (events.length < until) events.push(all[events.length] ?? '');
            feeds.offer('id', first + 1, all.slice(first, until));
            if (yields) await new Promise(setImmediate);
          }
          while (events.length < length) events.push(all[events.length] ?? '');
          feeds.gap();
          await following;
          const expected = Array.from({ length }, (_, index) => index + 1).slice(Math.min(after, length));
          await eventually(() => got.length === expected.length && feeds.size === 0, 2_000);
          expect(got.map(({ seq }) => seq)).toEqual(expected);
          expect(got.every(({ seq, data, type }) => type === 'complete' || data['index'] === seq)).toBe(true);
          feeds.close();
        },
      ),
      { numRuns: 100 },
    );
  });

  it('asks the store only where something is missing', async () => {
    const { events, source, reads } = logOf([progress(1)]);
    const feeds = createFeeds(source, 60_000);
    const got: number[] = [];
    await feeds.follow('id', 0, nothing, ({ seq }) => got.push(seq));
    expect(reads()).toBe(1);
    for (let index = 2; index <= 20; index += 1) {
      events.push(progress(index));
      feeds.offer('id', index, [progress(index)]);
    }
    expect(got).toHaveLength(20);
    expect(reads()).toBe(1);
    events.push(progress(21), progress(22));
    feeds.offer('id', 22, [progress(22)]);
    await eventually(() => got.length === 22);
    expect(reads()).toBe(2);
    feeds.close();
  });

  it('tells nobody before it is known who asks', async () => {
    const { events, source } = logOf([progress(1)]);
    const feeds = createFeeds(source, 1_000);
    const got: number[] = [];
    const refuse = (): never => {
      throw new Error('not yours');
    };
    const following = feeds.follow('id', 0, refuse, ({ seq }) => got.push(seq));
    events.push(progress(2));
    feeds.offer('id', 1, [progress(1), progress(2)]);
    await expect(following).rejects.toThrow('not yours');
    expect(got).toEqual([]);
    expect(feeds.size).toBe(0);
  });

  it('goes on for others when one of them ends it twice', async () => {
    const { events, source } = logOf([progress(1)]);
    const feeds = createFeeds(source, 60_000);
    const stop = await feeds.follow('id', 1, nothing, nothing);
    stop?.();
    const got: number[] = [];
    await feeds.follow('id', 1, nothing, ({ seq }) => got.push(seq));
    stop?.();
    events.push(progress(2));
    feeds.offer('id', 2, [progress(2)]);
    expect(got).toEqual([2]);
    feeds.close();
  });

  it('tells the end also where another run of the job has told less than was heard of the one before', async () => {
    const { events, source } = logOf([progress(1)]);
    const feeds = createFeeds(source, 30);
    const got: JobEvent[] = [];
    await feeds.follow('id', 0, nothing, (event) => got.push(event));
    // Of the process that was cut off from the store; these are never kept.
    feeds.offer('id', 2, [progress(2), progress(3), progress(4)]);
    events.push(writeEvent('complete', {}));
    await eventually(() => feeds.size === 0);
    expect(got.map(({ seq, type }) => `${seq} ${type}`)).toEqual([
      '1 progress',
      '2 progress',
      '3 progress',
      '4 progress',
      '5 complete',
    ]);

    // Nor waits who has heard so and comes back.
    got.splice(0);
    await feeds.follow('id', 4, nothing, (event) => got.push(event));
    expect(got.map(({ seq, type }) => `${seq} ${type}`)).toEqual(['5 complete']);
    // Who knows the end is told nothing.
    await feeds.follow('id', 2, nothing, (event) => got.push(event));
    expect(got).toHaveLength(1);
    expect(feeds.size).toBe(0);
    feeds.close();
  });

  it('ends where a listener says so, also from inside', async () => {
    const { events, source } = logOf([progress(1)]);
    const feeds = createFeeds(source, 1_000);
    const got: number[] = [];
    const stop = await feeds.follow('id', 1, nothing, ({ seq }) => {
      got.push(seq);
      stop?.();
    });
    events.push(progress(2), progress(3));
    feeds.offer('id', 2, [progress(2), progress(3)]);
    expect(got).toEqual([2]);
    expect(feeds.size).toBe(0);
  });

  it('survives what is no event', async () => {
    const { events, source } = logOf([progress(1)]);
    const feeds = createFeeds(source, 50);
    const got: number[] = [];
    await feeds.follow('id', 0, nothing, ({ seq }) => got.push(seq));
    events.push('no JSON');
    expect(() => feeds.offer('id', 2, ['no JSON'])).toThrow(SyntaxError);
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
    feeds.gap();
    expect((await warned).name).toBe('SyntaxError');
    events[1] = progress(2);
    await eventually(() => got.length === 2);
    feeds.close();
  });

  it('looks whether a silent job still has somebody who runs it, and tells when it is gone', async () => {
    let leaseLeftMs = 100;
    let isGone = false;
    const abandoned: string[] = [];
    const { source } = logOf([progress(1)]);
    const feeds = createFeeds(
      {
        async read(id, after) {
          const reading = await source.read(id, after);
          return isGone || reading === undefined ? undefined : { ...reading, leaseLeftMs };
        },
        abandoned: ({ id }) => void abandoned.push(id),
        isHere: () => false,
      },
      100,
    );
    const got: JobEvent[] = [];
    await feeds.follow('id', 0, nothing, (event) => got.push(event));
    leaseLeftMs = -1;
    await eventually(() => abandoned.length > 0);
    isGone = true;
    await eventually(() => got.length === 2);
    expect(got[1]).toMatchObject({
      seq: 2,
      type: 'failed',
      data: { error: { code: 410, type: 'job_lost' } },
    });
    expect(feeds.size).toBe(0);
  });
});
