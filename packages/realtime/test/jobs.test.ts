import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { currentRequest, runInContext } from '@signalbox/context';
import { BadRequestError } from '@signalbox/errors';
import { connectRedis } from '@signalbox/redis';
import { eventually } from '../../../test/support/eventually.js';
import { startFaultProxy } from '../../../test/support/fault-proxy.js';
import { heardFeature } from '../../../test/support/heard.js';
import { startRedis, type RedisServer } from '../../../test/support/redis.js';
import { type JobContext, type JobEvent, jobs, type Jobs, type JobsOptions } from '../src/index.js';

let redis: RedisServer;
let prefix = '';
let made = 0;

beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());
beforeEach(() => {
  made += 1;
  prefix = `jobs-${made}:`;
});

/** A job that waits to be told what to do. */
interface Puppet {
  readonly contexts: JobContext[];
  readonly kinds: { puppet: (input: unknown, context: JobContext) => Promise<object> };
  readonly finish: (result?: object) => void;
}

function puppet(): Puppet {
  const contexts: JobContext[] = [];
  let resolveLast: ((result: object) => void) | undefined;
  return {
    contexts,
    kinds: {
      puppet(_input, context) {
        contexts.push(context);
        return new Promise((resolve) => (resolveLast = resolve));
      },
    },
    finish: (result = { done: true }) => resolveLast?.(result),
  };
}

function openJobs<Inputs extends object>(options: JobsOptions<Inputs>): Jobs<Inputs> {
  const opened = jobs(options);
  onTestFinished(() => opened.close({ budgetMs: 0 }));
  return opened;
}

/** Jobs of a process of their own, on the same Redis. */
async function openShared<Inputs extends object>(options: JobsOptions<Inputs>): Promise<Jobs<Inputs>> {
  const link = connectRedis(redis.url, { deadlineMs: 1_000 });
  onTestFinished(() => link.close());
  await eventually(() => link.state === 'up');
  return openJobs({ redis: link, prefix, leaseMs: 400, ...options });
}

async function follow(from: Jobs<object>, id: string, owner: string | null, after = 0): Promise<JobEvent[]> {
  const events: JobEvent[] = [];
  await from.follow(id, { owner, after }, (event) => events.push(event));
  return events;
}

const summary = (events: readonly JobEvent[]): string[] => events.map(({ seq, type }) => `${seq} ${type}`);

describe.for(['memory', 'redis'] as const)('jobs in %s', (where) => {
  const openHere = async <Inputs extends object>(options: JobsOptions<Inputs>): Promise<Jobs<Inputs>> =>
    where === 'memory' ? openJobs({ leaseMs: 400, ...options }) : openShared(options);

  it('tell what they do, with numbers, and have a result', async () => {
    const { kinds, contexts, finish } = puppet();
    const live = await openHere({ kinds });
    const { id } = await live.start('puppet', { q: 'a' }, { owner: 'ada', about: { query: 'a' } });
    const events = await follow(live, id, 'ada');
    await eventually(() => contexts.length === 1);
    contexts[0]?.progress({ progress: 0.5, stage: 'half' });
    await eventually(() => events.length === 2);
    expect(await live.result(id, 'ada')).toMatchObject({
      state: 'running',
      seq: 2,
      progress: { progress: 0.5, stage: 'half' },
    });
    finish({ results: ['x'] });
    await eventually(() => events.length === 3);
    expect(events).toEqual([
      { id, kind: 'puppet', seq: 1, type: 'started', data: { query: 'a' } },
      { id, kind: 'puppet', seq: 2, type: 'progress', data: { progress: 0.5, stage: 'half' } },
      { id, kind: 'puppet', seq: 3, type: 'complete', data: { results: ['x'] } },
    ]);
    expect(await live.result(id, 'ada')).toEqual({
      id,
      kind: 'puppet',
      state: 'complete',
      seq: 3,
      result: { results: ['x'] },
    });
    expect(await live.replay(id, 1, 'ada')).toEqual(events.slice(1));
    expect(await follow(live, id, 'ada', 2)).toEqual(events.slice(2));
    expect(await follow(live, id, 'ada', 3)).toEqual([]);
    expect(live.report()).toEqual({ running: 0, following: 0, shared: where === 'redis' });
  });

  it('belong to their owner', async () => {
    const { kinds, finish } = puppet();
    const live = await openHere({ kinds });
    const { id } = await live.start('puppet', {}, { owner: 'ada' });
    for (const owner of ['eve', null]) {
      await expect(live.result(id, owner)).rejects.toMatchObject({ status: 404, code: 'job_not_found' });
      await expect(live.replay(id, 0, owner)).rejects.toMatchObject({ code: 'job_not_found' });
      await expect(follow(live, id, owner)).rejects.toMatchObject({ code: 'job_not_found' });
      await expect(live.cancel(id, owner)).rejects.toMatchObject({ code: 'job_not_found' });
    }
    for (const wrong of ['', 'x', `${id}x`, '../../etc', 'x'.repeat(22), '{a}:b'.padEnd(22)]) {
      await expect(live.result(wrong, 'ada')).rejects.toMatchObject({ code: 'job_not_found' });
    }
    const shared = await live.start('puppet', {}, { owner: null });
    expect(await live.result(shared.id, 'anybody')).toMatchObject({ state: 'running' });
    finish();
  });

  it('that fail say so as over HTTP, and keep what is nobody else’s business', async () => {
    const logged: object[] = [];
    const live = await openHere({
      kinds: {
        refuses: () => Promise.reject(new BadRequestError('Ask something', { code: 'invalid_query' })),
        breaks: () => Promise.reject(new Error('the password is hunter2')),
        slow: { run: () => new Promise(() => undefined), timeoutMs: 50 },
      },
      log: { error: (fields) => logged.push(fields) },
    });
    const outcome = async (kind: 'refuses' | 'breaks' | 'slow') => {
      const { id } = await live.start(kind, undefined, { owner: 'ada' });
      await eventually(async () => (await live.result(id, 'ada')).state === 'failed');
      return (await live.result(id, 'ada')).error;
    };
    expect(await outcome('refuses')).toMatchObject({
      code: 400,
      type: 'invalid_query',
      message: 'Ask something',
    });
    expect(logged).toEqual([]);
    expect(await outcome('breaks')).toMatchObject({ code: 500, message: 'Internal Server Error' });
    expect(await outcome('slow')).toMatchObject({ code: 504, type: 'deadline_exceeded' });
    expect(logged).toHaveLength(2);
  });

  it('that cannot be told what was wrong, or what they begin with, fail all the same', async () => {
    const live = await openHere({
      kinds: {
        wrong: () => Promise.reject(new BadRequestError('Ask something', { details: { id: 17n } })),
      },
      log: { error: () => undefined },
    });
    const { id } = await live.start('wrong', undefined, { owner: 'ada' });
    await eventually(async () => (await live.result(id, 'ada')).state === 'failed');
    expect((await live.result(id, 'ada')).error).toMatchObject({ code: 500 });
    const started = live.start('wrong', undefined, { owner: 'ada', about: { id: 17n } });
    await expect(started).rejects.toThrow(TypeError);
    expect(live.report().running).toBe(0);
  });

  it('can be cancelled', async () => {
    const { kinds, contexts } = puppet();
    const live = await openHere({ kinds });
    const { id } = await live.start('puppet', {}, { owner: 'ada' });
    const events = await follow(live, id, 'ada');
    await live.cancel(id, 'ada');
    await eventually(() => events.at(-1)?.type === 'failed');
    expect(events.at(-1)?.data['error']).toMatchObject({ code: 409, type: 'job_cancelled' });
    expect(contexts[0]?.signal.aborted).toBe(true);
    // What it still says reaches nobody.
    contexts[0]?.progress({ late: true });
    await sleep(50);
    expect(summary(events)).toEqual(['1 started', '2 failed']);
  });

  it('are so many, for each owner and in all', async () => {
    const { kinds, finish } = puppet();
    const live = await openHere({ kinds, maxRunning: 3, maxRunningPerOwner: 2 });
    const start = (owner: string) => live.start('puppet', {}, { owner });
    await start('ada');
    await start('ada');
    await expect(start('ada')).rejects.toMatchObject({ status: 429, code: 'too_many_jobs' });
    await start('bob');
    await expect(start('eve')).rejects.toMatchObject({
      status: 503,
      code: 'too_many_jobs',
      retryAfterSeconds: 1,
    });
    finish();
    await eventually(() => live.report().running === 2);
    await start('eve');
  });

  it('tell so much, and no more', async () => {
    const { kinds, contexts, finish } = puppet();
    const live = await openHere({
      kinds,
      maxEvents: 5,
      maxEventBytes: 100,
      maxResultBytes: 1_000,
      log: { error: () => undefined },
    });
    const { id } = await live.start('puppet', {}, { owner: 'ada' });
    const events = await follow(live, id, 'ada');
    await eventually(() => contexts.length === 1);
    expect(() => contexts[0]?.progress({ text: 'x'.repeat(200) })).toThrow(
      'progress: an event must be at most 100 bytes',
    );
    expect(() => contexts[0]?.progress({ big: 1n })).toThrow(TypeError);
    for (let index = 0; index < 10; index += 1) contexts[0]?.progress({ index });
    finish({ text: 'x'.repeat(2_000) });
    await eventually(() => events.at(-1)?.type === 'failed');
    expect(summary(events)).toEqual(['1 started', '2 progress', '3 progress', '4 progress', '5 failed']);
    expect(events.at(-1)?.data['error']).toMatchObject({ code: 500, type: 'result_too_large' });
  });

  it('run in the trace that they were started in, with an id of their own', async () => {
    let seen: unknown;
    const live = await openHere({
      kinds: {
        async look() {
          const scope = currentRequest();
          seen = { id: scope?.id, trace: scope?.trace.traceId, user: scope?.facts.userId };
        },
      },
    });
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const { id } = await runInContext({ traceparent }, () => live.start('look', undefined, { owner: 'ada' }));
    await eventually(async () => (await live.result(id, 'ada')).state === 'complete');
    expect(seen).toEqual({ id, trace: '0af7651916cd43dd8448eb211c80319c', user: 'ada' });
    expect((await live.result(id, 'ada')).result).toEqual({});
  });

  it('get what JSON makes of their input, wherever they run', async () => {
    const live = await openHere({ kinds: { echo: (input: { at: Date; no?: undefined }) => ({ input }) } });
    const { id } = await live.start('echo', { at: new Date(0), no: undefined }, { owner: 'ada' });
    await eventually(async () => (await live.result(id, 'ada')).state === 'complete');
    expect((await live.result(id, 'ada')).result).toEqual({ input: { at: '1970-01-01T00:00:00.000Z' } });
  });

  it('begin no more once they are closed, and those that run may end', async () => {
    const { kinds, contexts, finish } = puppet();
    const live = await openHere({ kinds });
    const { id } = await live.start('puppet', {}, { owner: 'ada' });
    await eventually(() => contexts.length === 1);
    const closing = live.close({ budgetMs: 5_000 });
    await expect(live.start('puppet', {}, { owner: 'ada' })).rejects.toMatchObject({ status: 503 });
    finish();
    await closing;
    await live.close();
    expect(await live.result(id, 'ada')).toMatchObject({ state: 'complete' });
  });
});

describe('jobs that are shared', () => {
  it('are followed from every process, and from any number at once', async () => {
    const { kinds, contexts, finish } = puppet();
    const [one, two] = [await openShared({ kinds }), await openShared({ kinds })];
    const { id } = await one.start('puppet', {}, { owner: 'ada' });
    const followers = await Promise.all([one, one, two, two].map((live) => follow(live, id, 'ada')));
    await eventually(() => contexts.length === 1);
    for (let index = 0; index < 50; index += 1) {
      contexts[0]?.progress({ index });
      if (index % 10 === 0) await sleep(1);
    }
    const late = await follow(two, id, 'ada', 20);
    finish();
    await eventually(() => [...followers, late].every((events) => events.at(-1)?.type === 'complete'));
    const numbers = Array.from({ length: 52 }, (_, index) => index + 1);
    for (const events of followers) expect(events.map(({ seq }) => seq)).toEqual(numbers);
    expect(late.map(({ seq }) => seq)).toEqual(numbers.slice(20));
  });

  it('are cancelled from every process', async () => {
    const { kinds, contexts } = puppet();
    const [one, two] = [await openShared({ kinds }), await openShared({ kinds })];
    const { id } = await one.start('puppet', {}, { owner: 'ada' });
    const events = await follow(two, id, 'ada');
    await two.cancel(id, 'ada');
    await eventually(() => events.at(-1)?.type === 'failed', 3_000);
    expect(contexts[0]?.signal.aborted).toBe(true);
  });

  it('are cancelled by a process that does not know yet that it has lost them', async () => {
    const proxy = await startFaultProxy({ to: redis.port });
    onTestFinished(() => proxy.stop());
    const link = connectRedis(`redis://${proxy.address}`);
    onTestFinished(() => link.close());
    await eventually(() => link.state === 'up');
    const first = puppet();
    const second = puppet();
    const one = openJobs({ redis: link, prefix, leaseMs: 400, kinds: first.kinds });
    const two = await openShared({ kinds: second.kinds });
    const { id } = await one.start('puppet', {}, { owner: 'ada' });
    await proxy.partition();
    await eventually(() => second.contexts.length === 1);
    await proxy.pass();
    await eventually(() => link.state === 'up');
    await one.cancel(id, 'ada');
    await eventually(() => second.contexts[0]?.signal.aborted ?? false);
    await eventually(async () => (await two.result(id, 'ada')).error?.type === 'job_cancelled');
  });

  it('are handed over by a process that ends, at once', async () => {
    const first = puppet();
    const second = puppet();
    // The other one would otherwise find out only by the lease.
    const one = await openShared({ kinds: first.kinds, leaseMs: 60_000 });
    const two = await openShared({ kinds: second.kinds, leaseMs: 60_000 });
    const { id } = await one.start('puppet', {}, { owner: 'ada' });
    const events = await follow(two, id, 'ada');
    await eventually(() => first.contexts.length === 1);
    first.contexts[0]?.progress({ progress: 0.5 });
    await one.close({ budgetMs: 10 });
    expect(first.contexts[0]?.signal.aborted).toBe(true);
    await eventually(() => second.contexts.length === 1, 3_000);
    // What the first has told is not told again.
    second.contexts[0]?.progress({ progress: 0.2 });
    second.contexts[0]?.progress({ progress: 0.5 });
    second.contexts[0]?.progress({ progress: 0.8 });
    second.finish({ by: 'the second' });
    await eventually(() => events.at(-1)?.type === 'complete');
    expect(summary(events)).toEqual(['1 started', '2 progress', '3 progress', '4 complete']);
    expect(events[2]?.data).toEqual({ progress: 0.8 });
    expect(events[3]?.data).toEqual({ by: 'the second' });
  });

  it('that must not be begun twice are not handed over by a process that ends, either', async () => {
    const first = puppet();
    const second = puppet();
    const kindsOf = ({ kinds }: Puppet) => ({ puppet: { run: kinds.puppet, maxAttempts: 1 } });
    const one = await openShared({ kinds: kindsOf(first) });
    const two = await openShared({ kinds: kindsOf(second) });
    const { id } = await one.start('puppet', {}, { owner: 'ada' });
    const events = await follow(two, id, 'ada');
    await eventually(() => first.contexts.length === 1);
    await one.close({ budgetMs: 0 });
    await eventually(() => events.at(-1)?.type === 'failed', 3_000);
    expect(events.at(-1)?.data).toMatchObject({ error: { type: 'job_abandoned' } });
    expect(second.contexts).toEqual([]);
  });

  it('that were cancelled while nobody had them are not begun again', async () => {
    const first = puppet();
    const second = puppet();
    const one = await openShared({ kinds: first.kinds });
    const other = await openShared({ kinds: { another: () => ({}) } });
    const { id } = await one.start('puppet', {}, { owner: 'ada' });
    const events = await follow(other, id, 'ada');
    await one.close({ budgetMs: 0 });
    await other.cancel(id, 'ada');
    await openShared({ kinds: second.kinds });
    await eventually(() => events.at(-1)?.type === 'failed', 3_000);
    expect(events.at(-1)?.data).toMatchObject({ error: { type: 'job_cancelled' } });
    expect(second.contexts).toEqual([]);
  });

  it('are gone on with where they are known, though many follow and look where they are not', async () => {
    const first = puppet();
    const second = puppet();
    const one = await openShared({ kinds: first.kinds });
    const { id } = await one.start('puppet', {}, { owner: 'ada' });
    const others = await Promise.all(
      Array.from({ length: 6 }, () => openShared({ kinds: { another: () => ({}) } })),
    );
    for (const other of others) await follow(other, id, 'ada');
    await one.close({ budgetMs: 0 });
    await openShared({ kinds: second.kinds });
    // It looks every 200 ms.
    await eventually(() => second.contexts.length === 1, 2_000);
  });

  it('are gone on with by a process only as far as it has room', async () => {
    const one = await openShared({ kinds: puppet().kinds });
    for (let index = 0; index < 5; index += 1) await one.start('puppet', {}, { owner: null });
    const { kinds, contexts, finish } = puppet();
    const two = await openShared({ kinds, maxRunning: 2 });
    await one.close({ budgetMs: 0 });
    await eventually(() => contexts.length === 2);
    await sleep(300);
    expect(two.report().running).toBe(2);
    finish();
    await eventually(() => contexts.length === 3);
  });

  it('last longer than the request that began them, and than one that follows them, may', async () => {
    const { kinds, contexts, finish } = puppet();
    const live = await openShared({ kinds });
    const other = await openShared({ kinds });
    const deadline = performance.now() + 300;
    const events: JobEvent[] = [];
    const id = await runInContext({ deadline }, async () => {
      const begun = await live.start('puppet', {}, { owner: 'ada' });
      await other.follow(begun.id, { owner: 'ada' }, (event) => events.push(event));
      return begun.id;
    });
    // Longer than it is held without a word.
    await sleep(1_000);
    contexts[0]?.progress({ progress: 0.5 });
    finish();
    await eventually(() => events.length === 3);
    expect(contexts).toHaveLength(1);
    expect(await other.result(id, 'ada')).toMatchObject({ state: 'complete' });
  });

  it('that are lost are told to who follows longer than the request for it had time', async () => {
    const link = connectRedis(redis.url);
    await eventually(() => link.state === 'up');
    const one = openJobs({ redis: link, prefix, kinds: puppet().kinds });
    const other = await openShared({ kinds: { another: () => ({}) } });
    const { id } = await one.start('puppet', {}, { owner: 'ada' });
    const deadline = performance.now() + 200;
    const events = await runInContext({ deadline }, () => follow(other, id, 'ada'));
    await sleep(200);
    await link.close();
    await redis.command('del', `${prefix}{${id}}`, `${prefix}{${id}}:events`);
    await eventually(() => events.at(-1)?.type === 'failed', 3_000);
    expect(events.at(-1)?.data).toMatchObject({ error: { type: 'job_lost' } });
  });

  it('are handed over, unless told otherwise, within the 5 s that a server that stops has for them', async () => {
    const { kinds, contexts } = puppet();
    const [one, two] = [await openShared({ kinds }), await openShared({ kinds })];
    const { id } = await one.start('puppet', {}, { owner: 'ada' });
    await eventually(() => contexts.length === 1);
    const start = performance.now();
    await one.close();
    expect(performance.now() - start).toBeLessThan(4_800);
    await eventually(() => contexts.length === 2);
    // That is no attempt of the first, which is not to blame.
    expect(contexts[1]).toMatchObject({ id, attempt: 1 });
    await two.close({ budgetMs: 0 });
  });

  it('without a number are told again only where they differ', async () => {
    const first = puppet();
    const second = puppet();
    const one = await openShared({ kinds: first.kinds });
    const two = await openShared({ kinds: second.kinds });
    const { id } = await one.start('puppet', {}, { owner: null });
    const events = await follow(two, id, null);
    await eventually(() => first.contexts.length === 1);
    first.contexts[0]?.progress({ stage: 'asking' });
    first.contexts[0]?.progress({ stage: 'ranking' });
    await one.close({ budgetMs: 0 });
    await eventually(() => second.contexts.length === 1);
    expect(second.contexts[0]?.attempt).toBe(1);
    for (const stage of ['asking', 'ranking', 'showing']) second.contexts[0]?.progress({ stage });
    second.finish();
    await eventually(() => events.length === 5);
    expect(events.map(({ data }) => data['stage'])).toEqual([
      undefined,
      'asking',
      'ranking',
      'showing',
      undefined,
    ]);
  });
});

describe('jobs without Redis for a while', () => {
  it('go on, tell those who follow here, and are in Redis afterwards', async () => {
    const own = await startRedis();
    onTestFinished(() => own.stop());
    const link = connectRedis(own.url);
    onTestFinished(() => link.close());
    const states = heardFeature('jobs');
    const { kinds, contexts, finish } = puppet();
    const live = openJobs({ redis: link, kinds, leaseMs: 400 });
    await eventually(() => link.state === 'up');
    const { id } = await live.start('puppet', {}, { owner: 'ada' });
    const events = await follow(live, id, 'ada');
    contexts[0]?.progress({ progress: 0.1 });
    await eventually(() => events.length === 2);

    await own.kill();
    contexts[0]?.progress({ progress: 0.2 });
    await eventually(() => events.length === 3, 2_000);
    contexts[0]?.progress({ progress: 0.3 });
    await eventually(() => events.length === 4, 2_000);
    expect(states).toMatchObject([{ degraded: true }]);
    // Who comes now is served, too, also with a new one.
    expect(summary(await follow(live, id, 'ada', 2))).toEqual(['3 progress', '4 progress']);
    expect(await live.result(id, 'ada')).toMatchObject({ state: 'running', seq: 4 });
    const second = await live.start('puppet', {}, { owner: 'ada' });
    expect(summary(await follow(live, second.id, 'ada'))).toEqual(['1 started']);

    // It comes back, and has lost everything.
    await own.restart();
    await eventually(() => states.length === 2);
    await eventually(async () => {
      const keys = await own.command('keys', 'signalbox:realtime:job:{*}:events');
      return keys.includes(id) && keys.includes(second.id);
    });
    expect(await own.command('llen', `signalbox:realtime:job:{${id}}:events`)).toBe('4');
    finish();
    await eventually(async () => (await live.result(second.id, 'ada')).state === 'complete');
    expect(events.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
  });

  it('are kept when it is back though their own time is up', async () => {
    const own = await startRedis();
    onTestFinished(() => own.stop());
    const link = connectRedis(own.url);
    onTestFinished(() => link.close());
    await eventually(() => link.state === 'up');
    let tell = (): void => undefined;
    let isOver = false;
    const run = async (_input: unknown, { progress, signal }: JobContext): Promise<void> => {
      await new Promise<void>((resolve) => (tell = resolve));
      progress({ progress: 0.5 });
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      isOver = true;
    };
    const log = { error: () => undefined };
    const live = openJobs({ redis: link, kinds: { slow: { run, timeoutMs: 300 } }, log });
    const { id } = await live.start('slow', {}, { owner: 'ada' });
    await own.kill();
    tell();
    await eventually(() => isOver);
    await own.restart();
    await eventually(
      async () => (await own.command('hget', `signalbox:realtime:job:{${id}}`, 'state')) === 'failed',
    );
  });

  it('are kept though what they tell takes longer than a command may', async () => {
    const proxy = await startFaultProxy({ to: redis.port });
    onTestFinished(() => proxy.stop());
    const link = connectRedis(`redis://${proxy.address}`);
    onTestFinished(() => link.close());
    await eventually(() => link.state === 'up');
    const kinds = {
      talk(_input: unknown, { progress }: JobContext) {
        for (let index = 0; index < 150; index += 1) progress({ index, text: 'x'.repeat(16_000) });
        return { text: 'x'.repeat(900_000) };
      },
    };
    const live = openJobs({ redis: link, prefix, kinds });
    await proxy.throttle(8_000_000);
    const { id } = await live.start('talk', {}, { owner: 'ada' });
    const key = `${prefix}{${id}}`;
    await eventually(async () => (await redis.command('hget', key, 'state')) === 'complete', 5_000);
    expect(await redis.command('llen', `${key}:events`)).toBe('152');
    // That is known here, too: nothing is sent again.
    const start = performance.now();
    await live.close({ budgetMs: 5_000 });
    expect(performance.now() - start).toBeLessThan(3_000);
  });

  it('that were refused do not begin later, also where Redis had got them and was only late', async () => {
    const own = await startRedis();
    onTestFinished(() => own.stop());
    const link = connectRedis(own.url);
    onTestFinished(() => link.close());
    await eventually(() => link.state === 'up');
    const { kinds, contexts, finish } = puppet();
    const closed = openJobs({ redis: link, kinds, onStoreDown: 'closed', leaseMs: 600 });
    const { id } = await closed.start('puppet', {}, { owner: 'ada' });
    finish();
    await eventually(async () => (await closed.result(id, 'ada')).state === 'complete');

    own.pause();
    await expect(closed.start('puppet', {}, { owner: 'ada' })).rejects.toMatchObject({ status: 503 });
    own.resume();
    // Others take over what is silent for as long as the lease, and look twice in that time.
    await sleep(1_000);
    expect(contexts.length).toBe(1);
    const keys = (await own.command('keys', 'signalbox:realtime:job:{*}')).trim();
    expect(keys).toBe(`signalbox:realtime:job:{${id}}`);
  });

  it('are refused where that is asked for', async () => {
    const link = connectRedis('redis://127.0.0.1:1');
    onTestFinished(() => link.close());
    const { kinds, contexts } = puppet();
    const closed = openJobs({ redis: link, kinds, onStoreDown: 'closed' });
    await expect(closed.start('puppet', {}, { owner: 'ada' })).rejects.toMatchObject({
      status: 503,
      code: 'redis_unavailable',
    });
    await expect(closed.result('x'.repeat(22), 'ada')).rejects.toMatchObject({ status: 503 });
    expect(closed.report().running).toBe(0);
    // Not even begun: whoever asked may do so again elsewhere.
    expect(contexts).toEqual([]);
    const open = await openShared({ kinds, onStoreDown: 'closed' });
    await open.start('puppet', {}, { owner: 'ada' });
    await eventually(() => contexts.length === 1);
  });
});

it('refuses bad options', () => {
  const kinds = { search: () => undefined };
  const wrong =
    (options: object): (() => unknown) =>
    () =>
      jobs(options as JobsOptions<{ search: unknown }>);
  expect(wrong({})).toThrow('jobs: "kinds" must be an object, got undefined');
  expect(wrong({ kinds: { search: 7 } })).toThrow('jobs: "kinds.search" must be an object, got 7');
  expect(wrong({ kinds: { 'a b': () => 1 } })).toThrow('jobs: "kinds.a b" must be named by letters');
  expect(wrong({ kinds: { search: { run: 7 } } })).toThrow(
    'jobs: "kinds.search.run" must be a function, got 7',
  );
  expect(wrong({ kinds: { search: { run: () => 1, timeout: 5 } } })).toThrow('did you mean "timeoutMs"?');
  expect(wrong({ kinds, ttl_ms: 5 })).toThrow('jobs: "ttl_ms" is not an option; did you mean "ttlMs"?');
  expect(wrong({ kinds, leaseMs: 10 })).toThrow('jobs: "leaseMs" must be an integer from 100');
  expect(wrong({ kinds, maxEvents: 1 })).toThrow(
    'jobs: "maxEvents" must be an integer from 2 to 100000, got 1',
  );
  expect(wrong({ kinds, onStoreDown: 'open' })).toThrow('jobs: "onStoreDown" must be "local" or "closed"');
  expect(wrong({ kinds, redis: 'redis://:secret@127.0.0.1' })).toThrow(/^(?!.*secret)/);
  const live = jobs({ kinds });
  onTestFinished(() => live.close());
  // @ts-expect-error -- what JavaScript may pass
  return expect(live.start('serach', 1, { owner: 'a' })).rejects.toThrow('did you mean "search"?');
});
