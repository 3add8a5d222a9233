import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { eventually } from '../../../test/support/eventually.js';
import { type JobContext, jobs, type JobsOptions } from '../src/index.js';
import { ask, byName, clientOf, enter, everything, heard, open, refused } from './stage.js';

/** A server with a search that goes on when it is told to. */
async function openSearch(options: Partial<JobsOptions<{ search: { q: string } }>> = {}) {
  const running: { context: JobContext; finish: (results: string[]) => void }[] = [];
  const searches = jobs({
    ...options,
    kinds: {
      search: ({ q }: { q: string }, context: JobContext) =>
        new Promise((resolve) => {
          running.push({ context, finish: (results) => resolve({ query: q, results }) });
        }),
    },
  });
  onTestFinished(() => searches.close({ budgetMs: 0 }));
  const { url, live } = await open({
    authenticate: byName,
    jobs: searches,
    events: {
      search: {
        schema: z.object({ q: z.string() }),
        async handler({ q }, { principal, follow }) {
          const { id } = await searches.start(
            'search',
            { q },
            { owner: principal.subject, about: { query: q } },
          );
          await follow(id);
          return { id };
        },
      },
    },
  });
  return { url, live, searches, running };
}

const tellNumbers = (events: { event: string; payload: unknown }[]): string[] =>
  events
    .filter(({ event }) => event.startsWith('search_'))
    .map(({ event, payload }) => `${(payload as { seq: number }).seq} ${event}`);

describe('a search over a socket', () => {
  it('shows its stages live, with numbers', async () => {
    const { url, running } = await openSearch();
    const socket = await enter(url, { auth: { token: 'ada' } });
    const events = everything(socket);
    const { id } = await ask<{ id: string }>(socket, 'search', { q: 'signals' });
    await eventually(() => running.length === 1);
    running[0]?.context.progress({ progress: 0.5, stage: 'ranking' });
    running[0]?.finish(['a']);
    await eventually(() => events.length === 3);
    expect(events).toEqual([
      { event: 'search_started', payload: { id, seq: 1, query: 'signals' } },
      { event: 'search_progress', payload: { id, seq: 2, progress: 0.5, stage: 'ranking' } },
      { event: 'search_complete', payload: { id, seq: 3, query: 'signals', results: ['a'] } },
    ]);
  });

  it('is not followed for a client that has gone before it began', async () => {
    const { url, live, searches, running } = await openSearch();
    const socket = await enter(url, { auth: { token: 'ada' } });
    socket.emit('search', { q: 'signals' });
    socket.disconnect();
    await eventually(() => running.length === 1 && live.report().sockets === 0);
    await eventually(() => searches.report().following === 0);
  });

  it('goes on where the client was when it comes back, and only for who began it', async () => {
    const { url, running, searches } = await openSearch();
    const first = await enter(url, { auth: { token: 'ada' } });
    const { id } = await ask<{ id: string }>(first, 'search', { q: 'signals' });
    const events = everything(first);
    await eventually(() => running.length === 1);
    running[0]?.context.progress({ progress: 0.2 });
    await eventually(() => events.length > 0);
    first.disconnect();
    running[0]?.context.progress({ progress: 0.4 });
    await eventually(() => searches.report().following === 0);

    const second = clientOf(url, { auth: { token: 'ada' } });
    second.onAny((event: string, payload: unknown) => events.push({ event, payload }));
    await heard(second, 'connected');
    expect(await ask(second, 'resume', { id, after: 2 })).toEqual({ id });
    // Asked twice, it is told once.
    expect(await ask(second, 'resume', { id, after: 3 })).toEqual({ id });
    running[0]?.finish(['a']);
    await eventually(() => events.at(-1)?.event === 'search_complete');
    expect(tellNumbers(events).slice(-3)).toEqual([
      '2 search_progress',
      '3 search_progress',
      '4 search_complete',
    ]);

    const eve = await enter(url, { auth: { token: 'eve' } });
    expect(await refused(eve, 'resume', { id, after: 0 })).toMatchObject({
      code: 404,
      type: 'job_not_found',
    });
    for (const payload of [undefined, {}, { id: 7 }, { id, after: -1 }, { id, after: 'x' }]) {
      expect((await refused(second, 'resume', payload)).type).toBe('validation_failed');
    }
    // It is over: all of it is there to be read again.
    const warnings: Error[] = [];
    const warn = (warning: Error): void => void warnings.push(warning);
    process.on('warning', warn);
    onTestFinished(() => void process.off('warning', warn));
    expect(await ask(second, 'resume', { id })).toEqual({ id });
    await eventually(
      () =>
        tellNumbers(events).slice(-4).join() ===
        '1 search_started,2 search_progress,3 search_progress,4 search_complete',
    );
    expect(warnings).toEqual([]);
  });

  it('follows so many at a time, and none once the socket is gone', async () => {
    const { url, running, searches } = await openSearch({ maxRunningPerOwner: 100 });
    const socket = await enter(url, { auth: { token: 'ada' } });
    const answers = await Promise.all(
      Array.from({ length: 40 }, () => ask<{ error?: { type: string } }>(socket, 'search', { q: 'a' })),
    );
    const types = answers.map(({ error }) => error?.type);
    expect(types.filter((type) => type === undefined).length).toBeLessThanOrEqual(32);
    for (const type of types) expect([undefined, 'too_many_in_flight', 'too_many_jobs']).toContain(type);
    await eventually(() => searches.report().following > 0 && running.length > 0);
    socket.disconnect();
    await eventually(() => searches.report().following === 0);
  });

  it('that is over is none of those that are followed, however often the client asks', async () => {
    const { url, searches, running } = await openSearch();
    const socket = await enter(url, { auth: { token: 'ada' } });
    const events = everything(socket);
    for (let count = 0; count < 33; count += 1) {
      const { id } = await searches.start('search', { q: 'a' }, { owner: 'ada' });
      await eventually(() => running.length === count + 1);
      running[count]?.finish([]);
      await eventually(async () => (await searches.result(id, 'ada')).state === 'complete');
      // The client knows the end, as where it comes back.
      expect(await ask(socket, 'resume', { id, after: 2 })).toEqual({ id });
    }
    expect(tellNumbers(events)).toEqual([]);
  });

  it('cannot be followed where there are no jobs', async () => {
    const errors: unknown[] = [];
    const { url } = await open({
      authenticate: byName,
      events: { search: { handler: (_payload, { follow }) => follow('x') } },
      log: { error: (fields) => errors.push(fields) },
    });
    const socket = await enter(url, { auth: { token: 'ada' } });
    expect((await refused(socket, 'search')).code).toBe(500);
    expect(String((errors[0] as { err: Error }).err)).toContain('"jobs" must be given');
    expect((await refused(socket, 'resume', { id: 'x' })).type).toBe('unknown_event');
  });
});
