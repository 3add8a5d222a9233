import { setTimeout as sleep } from 'node:timers/promises';
import { Emitter } from '@socket.io/redis-emitter';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { runInContext } from '@signalbox/context';
import { connectRedis } from '@signalbox/redis';
import { eventually } from '../../../test/support/eventually.js';
import { startFaultProxy } from '../../../test/support/fault-proxy.js';
import { heardFeature } from '../../../test/support/heard.js';
import { startRedis, type RedisServer } from '../../../test/support/redis.js';
import type { FoundSockets, RealtimeOptions } from '../src/index.js';
import { type Node, startNode, startNodeForAll } from './nodes.js';
import { ask, byName, clientOf, enter, everything, heard, open, type Options, refused } from './stage.js';

let redis: RedisServer;
let one: Node;
let two: Node;

beforeAll(async () => {
  redis = await startRedis();
  const env = { REDIS_URL: redis.url };
  [one, two] = await Promise.all([startNodeForAll(env), startNodeForAll(env)]);
});
afterAll(async () => {
  await Promise.all([one, two].map(({ program }) => program.kill()));
  await redis.stop();
});

const as = (token: string, options: Options = {}): Options => ({ auth: { token }, ...options });

describe('two processes', () => {
  it('share rooms, also with emitters that are not ours', async () => {
    const [ada, bob] = [await enter(one.url, as('ada')), await enter(two.url, as('bob'))];
    expect(await ask(ada, 'where')).not.toBe(await ask(bob, 'where'));
    await Promise.all([ada, bob].map((socket) => ask(socket, 'join', { room: 'news' })));

    const told = [ada, bob].map((socket) => heard(socket, 'hello'));
    await one.ask('/emit?room=news&event=hello');
    expect(await Promise.all(told)).toEqual([{ from: one.pid }, { from: one.pid }]);

    const client = new Redis(redis.port);
    onTestFinished(() => client.disconnect());
    const again = [ada, bob].map((socket) => heard(socket, 'bytes'));
    new Emitter(client).to('news').emit('bytes', Buffer.from([0, 255]));
    for (const bytes of await Promise.all(again)) expect(bytes).toEqual(Buffer.from([0, 255]));

    const gone = [ada, bob].map((socket) => heard(socket, 'disconnect'));
    new Emitter(client).in('news').disconnectSockets(true);
    await Promise.all(gone);
  });

  it('are told also what is said after the deadline of the request that says it', async () => {
    const link = connectRedis(redis.url);
    onTestFinished(() => link.close());
    await eventually(() => link.state === 'up');
    const { live } = await open({ redis: link, authenticate: byName });
    const bob = await enter(two.url, as('bob'));
    const told = heard(bob, 'later');
    await runInContext({ deadline: performance.now() + 10 }, async () => {
      await sleep(20);
      live.toSubject('bob').emit('later', { isLate: true });
    });
    expect(await told).toEqual({ isLate: true });
    expect(live.report().degraded).toBe(false);
  });

  it('keep to each socket what is said to it alone, whatever rooms are open', async () => {
    const [ada, eve] = [await enter(one.url, as('ada')), await enter(two.url, as('eve'))];
    expect(await refused(eve, 'join', { room: ada.id })).toMatchObject({ type: 'room_forbidden' });
    const toEve = everything(eve);
    const told = heard(ada, 'secret');
    await two.ask(`/emit?room=${ada.id}&event=secret`);
    await told;
    await two.ask(`/emit?room=${eve.id}&event=done`);
    await eventually(() => toEve.length > 0);
    expect(toEve.map(({ event }) => event)).toEqual(['done']);
  });

  it('end the sockets of who signs out, on both, within a second', async () => {
    const sockets = await Promise.all([one, two].map(({ url }) => enter(url, as('ada'))));
    const other = await enter(two.url, as('bob'));
    const gone = sockets.map((socket) => heard(socket, 'disconnect'));
    const start = performance.now();
    await redis.command('publish', 'sign-outs', 'ada');
    expect(await Promise.all(gone)).toEqual(['io server disconnect', 'io server disconnect']);
    expect(performance.now() - start).toBeLessThan(1_000);
    expect(other.connected).toBe(true);
  });

  it('find the sockets of both, and say when one does not answer', async () => {
    const ada = await enter(one.url, as('ada'));
    const bob = await enter(two.url, as('bob'));
    await ask(bob, 'join', { room: 'news' });
    const all = await one.ask<FoundSockets>('/sockets');
    expect(all).toMatchObject({ partial: false, nodes: 2 });
    expect(new Map(all.sockets.map(({ id, subject, rooms }) => [id, [subject, rooms]]))).toEqual(
      new Map([
        [ada.id, ['ada', []]],
        [bob.id, ['bob', ['news']]],
      ]),
    );
    const inRoom = await one.ask<FoundSockets>('/sockets?room=news');
    expect(inRoom.sockets.map(({ subject }) => subject)).toEqual(['bob']);

    two.program.signal('SIGSTOP');
    const some = await one.ask<FoundSockets>('/sockets');
    two.program.signal('SIGCONT');
    expect(some).toMatchObject({ partial: true, nodes: 1 });
    expect(some.sockets.map(({ subject }) => subject)).toEqual(['ada']);
  });

  it.for(['SIGKILL', 'SIGTERM'] as const)(
    'lose no search: after %s in the middle of it the other goes on, each event once and in order',
    async (signal) => {
      // A database of their own: the two others would go on with their jobs, too.
      // A job that Redis did not take in time is told of here all the same, and dies with its process.
      const patient = { STAGE_MS: '300', REDIS_DEADLINE_MS: '5000' };
      const env = { REDIS_URL: `${redis.url}/${signal === 'SIGKILL' ? 1 : 2}`, ...patient };
      const [one, two] = await Promise.all([startNode(env), startNode(env)]);
      const first = await enter(one.url, as('ada'));
      const events = everything(first);
      const { id, pid } = await ask<{ id: string; pid: number }>(first, 'search');
      expect(pid).toBe(one.pid);
      await eventually(() => events.some(({ event }) => event === 'search_progress'));
      const gone = heard(first, 'disconnect');
      one.program.signal(signal);
      await gone;

      const second = clientOf(two.url, as('ada'));
      second.onAny((event: string, payload: unknown) => events.push({ event, payload }));
      await heard(second, 'connected');
      const last = events.findLast(({ event }) => event.startsWith('search_'));
      expect(await ask(second, 'resume', { id, after: seqOf(last) })).toEqual({ id });
      await eventually(() => events.at(-1)?.event === 'search_complete');

      const told = events.filter(({ event }) => event.startsWith('search_'));
      expect(told.map(({ event, payload }) => [event, (payload as { seq: number }).seq])).toEqual([
        ['search_started', 1],
        ['search_progress', 2],
        ['search_progress', 3],
        ['search_progress', 4],
        ['search_progress', 5],
        ['search_complete', 6],
      ]);
      expect(told.slice(1, 5).map(({ payload }) => (payload as { stage: string }).stage)).toEqual([
        'asking',
        'reading',
        'ranking',
        'showing',
      ]);
      expect(told[5]?.payload).toMatchObject({ id, query: 'signal boxes', pid: two.pid });
      expect(await two.ask(`/jobs?id=${id}&owner=ada`)).toMatchObject({
        state: 'complete',
        result: { pid: two.pid },
      });
      // One that was told to end does so by itself.
      if (signal === 'SIGTERM') expect(await one.program.exited).toEqual({ code: 0, signal: null });
      await expect(two.ask(`/jobs?id=${id}&owner=eve`)).rejects.toThrow('404');
      expect(await ask(await enter(two.url, as('eve')), 'resume', { id, after: 0 })).toMatchObject({
        error: { code: 404, type: 'job_not_found' },
      });
    },
  );
});

describe('a node whose Redis is gone', () => {
  const options: RealtimeOptions = {
    authenticate: byName,
    rooms: () => true,
    nodeTimeoutMs: 300,
  };

  it('goes on with its own sockets, hangs nowhere, and reaches the others again afterwards', async () => {
    const states = heardFeature('realtime');
    const proxy = await startFaultProxy({ to: redis.port });
    onTestFinished(() => proxy.stop());
    const links = [
      connectRedis(`redis://127.0.0.1:${proxy.port}`),
      connectRedis(redis.url, { name: 'other' }),
    ];
    onTestFinished(() => Promise.all(links.map((link) => link.close())).then(() => undefined));
    const [here, there] = [
      await open({ ...options, redis: links[0] }),
      await open({ ...options, redis: links[1] }),
    ];
    const [ada, bob] = [await enter(here.url, as('ada')), await enter(there.url, as('bob'))];
    await Promise.all([ada, bob].map((socket) => ask(socket, 'join', { room: 'news' })));
    const [toAda, toBob] = [everything(ada), everything(bob)];
    await eventually(() => {
      here.live.to('news').emit('before', {});
      return toBob.length > 0;
    });
    expect(here.live.report()).toMatchObject({ adapter: 'redis', degraded: false });

    states.length = 0;
    await proxy.refuse();
    await proxy.reset();
    await eventually(() => here.live.report().degraded);
    toAda.length = 0;
    toBob.length = 0;
    const start = performance.now();
    for (let index = 0; index < 1_000; index += 1) here.live.to('news').emit('meanwhile', { index });
    await eventually(() => toAda.length === 1_000);
    const told = (): string[] => toBob.map(({ event }) => event).filter((event) => event !== 'before');
    expect(told()).toEqual([]);
    // New ones are let in, too, and enter rooms.
    await ask(await enter(here.url, as('eve')), 'join', { room: 'news' });
    expect(await here.live.fetchSockets()).toMatchObject({ partial: true, nodes: 1 });
    expect(performance.now() - start).toBeLessThan(5_000);
    expect(states).toMatchObject([{ degraded: true }]);

    await proxy.pass();
    await eventually(() => !here.live.report().degraded);
    await eventually(() => {
      here.live.to('news').emit('after', {});
      return told().length > 0;
    });
    // What was said meanwhile is gone: it was not kept.
    expect(told()[0]).toBe('after');
    await eventually(() => states.length === 2);
    expect(states).toMatchObject([{ degraded: true }, { degraded: false }]);
  });

  it('starts all the same', async () => {
    const link = connectRedis('redis://127.0.0.1:1');
    onTestFinished(() => link.close());
    const { url, live } = await open({ ...options, redis: link });
    const socket = await enter(url, as('ada'));
    const told = heard(socket, 'hello');
    live.toSubject('ada').emit('hello', {});
    await told;
    expect(live.report()).toMatchObject({ sockets: 1, degraded: true });
    await live.close();
  });

  it('takes garbage from other nodes for what it is', async () => {
    const link = connectRedis(redis.url);
    onTestFinished(() => link.close());
    const { url, live } = await open({ ...options, redis: link });
    const socket = await enter(url, as('ada'));
    await eventually(async () => (await redis.command('pubsub', 'numpat')) !== '0');
    const warnings: string[] = [];
    const hear = ({ message }: Error): void => void warnings.push(message);
    process.on('warning', hear);
    onTestFinished(() => void process.off('warning', hear));

    const channels = ['socket.io#/#', 'socket.io#/#news#', 'socket.io-request#/#', 'socket.io-response#/#'];
    const garbage = [
      '',
      'text',
      'null',
      '{}',
      '[]',
      '{"type":6,"data":7}',
      '{"type":6,"requestId":"a","data":["error"]}',
    ];
    garbage.push(
      '{"type":2,"opts":{"rooms":7}}',
      '\u0093\u00a1a',
      '{"requestId":"x","type":5}',
      '{"type":6,"data":["connection"]}',
    );
    for (const channel of channels) {
      for (const text of garbage) await link.command('publish', channel, Buffer.from(text, 'latin1'));
    }
    await eventually(() => warnings.some((text) => text.includes('cannot be read')));
    const told = heard(socket, 'hello');
    live.emit('hello', {});
    await told;
    expect(warnings.filter((text) => text.includes('cannot be read'))).toHaveLength(1);
  });
});

/** The number of an event of a job. */
function seqOf(event: { payload: unknown } | undefined): number {
  if (event === undefined) throw new Error('nothing was told');
  return (event.payload as { seq: number }).seq;
}
