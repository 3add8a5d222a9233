import { runInContext } from '@signalbox/context';
import type { RedisLink } from '@signalbox/redis';
import { signals } from '@signalbox/signals';
import { assertNeverHangs } from '@signalbox/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../test/support/eventually.js';
import { startFaultProxy, type FaultProxy } from '../../../test/support/fault-proxy.js';
import { heard, heardFeature } from '../../../test/support/heard.js';
import { startRedis, type RedisServer } from '../../../test/support/redis.js';
import type { EmitReceipt, ExternalEmitter } from '../src/index.js';
import { emitterOn, linkTo } from './fleet.js';
import { startNode, visit, type NodeOptions, type Visitor } from './nodes.js';

interface Stage {
  redis: RedisServer;
  /** Between emitters and Redis; the servers are connected directly. */
  proxy: FaultProxy;
  /** In the room `r`, one on each of two servers. */
  visitors: readonly [Visitor, Visitor];
}

async function stage(options: NodeOptions = {}): Promise<Stage> {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const proxy = await startFaultProxy({ to: redis.port });
  onTestFinished(() => proxy.stop());
  const nodes = await Promise.all([startNode(redis.port, options), startNode(redis.port, options)]);
  for (const node of nodes) onTestFinished(() => node.close());
  const [one, two] = await Promise.all(nodes.map((node) => visit(node, { rooms: ['r'] })));
  if (one === undefined || two === undefined) throw new Error('two servers were started');
  return { redis, proxy, visitors: [one, two] };
}

/** An emitter that has been connected, and is not any more. */
async function cutOff(
  proxy: FaultProxy,
  queue: object,
): Promise<{ link: RedisLink; emitter: ExternalEmitter }> {
  // Patient: who finds the first one late, since the machine is busy, puts it into the queue.
  const link = linkTo(proxy, 2_000);
  const emitter = emitterOn(link, { queue });
  expect(await emitter.emit('r', 'n', 0)).toEqual({ outcome: 'ok', servers: 2 });
  await proxy.refuse();
  await eventually(() => link.state === 'down');
  return { link, emitter };
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_each, index) => index);

describe('with a queue, while Redis is gone', { timeout: 60_000 }, () => {
  it('events wait without keeping anybody waiting, and are delivered in order on its return', async () => {
    const { proxy, visitors } = await stage();
    const emitted = heard(signals.emitted);
    const features = heardFeature('emitter');
    const { emitter } = await cutOff(proxy, {});

    const calls = upTo(500)
      .slice(1)
      .map((n) => emitter.emit('r', 'n', n));
    const receipts = await assertNeverHangs(calls, { withinMs: 500 });
    expect(new Set(receipts.map((each) => each.status === 'fulfilled' && each.value.outcome))).toEqual(
      new Set(['queued']),
    );
    expect(emitter.report()).toMatchObject({ state: 'down', queued: 499, sent: 1, dropped: 0 });
    expect(features).toEqual([
      { feature: 'emitter', degraded: true, policy: 'local', reason: 'Redis does not take events' },
    ]);

    await proxy.pass();
    expect(await emitter.flush(10_000)).toBe(true);
    expect(await emitter.emit('r', 'n', 500)).toEqual({ outcome: 'ok', servers: 2 });
    for (const visitor of visitors) expect(await visitor.hears(501)).toEqual(upTo(501));
    expect(emitter.report()).toMatchObject({ state: 'up', queued: 0, queuedBytes: 0, sent: 501, dropped: 0 });
    expect(features.map(({ degraded }) => degraded)).toEqual([true, false]);
    expect(emitted.map(({ outcome }) => outcome)).toEqual([
      'ok',
      ...Array.from({ length: 499 }, () => 'queued'),
      ...Array.from({ length: 500 }, () => 'ok'),
    ]);
  });

  it('what is more than it may hold is refused, and what it holds is kept', async () => {
    const { proxy, visitors } = await stage();
    const emitted = heard(signals.emitted);
    const { emitter } = await cutOff(proxy, { maxEvents: 3 });
    for (const n of [1, 2, 3]) await emitter.emit('r', 'n', n);
    await expect(emitter.emit('r', 'n', 4)).rejects.toMatchObject({
      name: 'EmitterQueueFullError',
      code: 'emitter_queue_full',
      status: 503,
      queued: 3,
      message: 'emit: 3 events wait for Redis already',
    });
    expect(emitted.at(-1)).toEqual({ event: 'n', outcome: 'dropped' });
    await proxy.pass();
    expect(await visitors[0].hears(4)).toEqual([0, 1, 2, 3]);

    const { emitter: small } = await cutOff(proxy, { maxBytes: 2_000 });
    expect(await small.emit('r', 'n', 'x'.repeat(1_500))).toMatchObject({ outcome: 'queued' });
    expect(small.report()).toMatchObject({ queued: 1, queuedBytes: expect.closeTo(1_600, -2) as number });
    await expect(small.emit('r', 'n', 'x'.repeat(500))).rejects.toMatchObject({ code: 'emitter_queue_full' });
  });

  it('calls other than events keep their place among them', async () => {
    const { proxy, visitors } = await stage();
    const { emitter } = await cutOff(proxy, {});
    await emitter.joinSockets(visitors[0].id, 'later');
    await emitter.emit('later', 'n', 1);
    await emitter.leaveSockets('later', 'later');
    await emitter.emit('later', 'n', 2);
    await emitter.emit('r', 'n', 3);
    await proxy.pass();
    expect(await visitors[0].hears(3)).toEqual([0, 1, 3]);
    expect(await visitors[1].hears(2)).toEqual([0, 3]);
  });

  it('what has waited too long is dropped', async () => {
    const { proxy, visitors } = await stage();
    const emitted = heard(signals.emitted);
    const { emitter } = await cutOff(proxy, { maxAgeMs: 200 });
    const startedAt = performance.now();
    await emitter.emit('r', 'old');
    await eventually(() => performance.now() - startedAt > 200);
    await emitter.emit('r', 'young');
    expect(emitter.report()).toMatchObject({ queued: 1, dropped: 1 });
    expect(emitted.slice(1)).toEqual([
      { event: 'old', outcome: 'queued' },
      { event: 'old', outcome: 'dropped' },
      { event: 'young', outcome: 'queued' },
    ]);
    // It may have become old as well until Redis was back.
    await proxy.pass();
    await emitter.flush(10_000);
    await emitter.emit('r', 'end');
    await eventually(() => visitors[0].heard.at(-1)?.[0] === 'end');
    expect(visitors[0].heard.map(([event]) => event)).not.toContain('old');
  });

  it('a server that comes back later than the emitter misses nothing', async () => {
    const { redis, proxy, visitors } = await stage({ retryMs: 1_000 });
    const { emitter } = await cutOff(proxy, {});
    // The servers lose their connections, too, and connect again after the emitter.
    await redis.kill();
    for (const n of [1, 2, 3]) await emitter.emit('r', 'n', n);
    await redis.restart();
    await proxy.pass();
    for (const visitor of visitors) expect(await visitor.hears(4)).toEqual([0, 1, 2, 3]);
  });

  it('waits only so long for servers that do not come back', async () => {
    const { redis, proxy } = await stage();
    const link = linkTo(proxy);
    const emitter = emitterOn(link, { queue: { settleMs: 300 } }).of('/nobody');
    await proxy.refuse();
    await eventually(() => link.state === 'down');
    await emitter.emit('r', 'n', 1);
    const published = redis.command('info', 'commandstats');
    expect(await published).not.toContain('cmdstat_publish');
    await proxy.pass();
    await eventually(async () => (await redis.command('info', 'commandstats')).includes('cmdstat_publish'));
  });

  it('close() drops what cannot be delivered, within its deadline', async () => {
    const { proxy, visitors } = await stage();
    const emitted = heard(signals.emitted);
    const link = linkTo(proxy);
    const emitter = emitterOn(link, { queue: {}, deadlineMs: 200 });
    await emitter.emit('r', 'first');
    await proxy.refuse();
    await eventually(() => link.state === 'down');
    await emitter.emit('r', 'lost');
    expect(await emitter.flush(50)).toBe(false);
    await assertNeverHangs(() => emitter.close(), { withinMs: 1_000 });
    expect(emitted.map(({ outcome }) => outcome)).toEqual(['ok', 'queued', 'dropped']);
    await expect(emitter.emit('r', 'after')).rejects.toMatchObject({ reason: 'closed' });

    await proxy.pass();
    const last = emitterOn(link);
    await eventually(() => link.state === 'up');
    await last.emit('r', 'end');
    await eventually(() => visitors[0].heard.at(-1)?.[0] === 'end');
    expect(visitors[0].heard.map(([event]) => event)).toEqual(['first', 'end']);
  });

  it('close() delivers what can be delivered', async () => {
    const { proxy, visitors } = await stage();
    await proxy.delay(20);
    const emitter = emitterOn(linkTo(proxy, 5_000), { queue: {}, deadlineMs: 10_000 });
    const calls = upTo(300).map((n) => emitter.emit('r', 'n', n));
    await emitter.close();
    const receipts: EmitReceipt[] = await Promise.all(calls);
    expect(receipts.every(({ outcome }) => outcome === 'ok')).toBe(true);
    expect(await visitors[1].hears(300)).toEqual(upTo(300));
  });
});

describe('with a queue, an event is delivered once', { timeout: 60_000 }, () => {
  it('although its answer never came, and it is sent again', async () => {
    const { proxy, visitors } = await stage();
    const link = linkTo(proxy);
    const emitter = emitterOn(link, { queue: {} });
    await emitter.emit('r', 'n', 0);
    let next = 1;
    for (let round = 0; round < 3; round += 1) {
      // What is sent now arrives when the partition is over, beside its repetition on another connection.
      await proxy.partition();
      for (let i = 0; i < 20; i += 1) void emitter.emit('r', 'n', next++);
      await eventually(() => link.state === 'down');
      for (let i = 0; i < 20; i += 1) void emitter.emit('r', 'n', next++);
      await proxy.pass();
      await eventually(() => emitter.report().queued === 0);
    }
    for (const visitor of visitors) expect(await visitor.hears(next)).toEqual(upTo(next));
  });

  it('whatever happens to the connection meanwhile', async () => {
    const { redis, proxy, visitors } = await stage();
    onTestFinished(() => redis.resume());
    const link = linkTo(proxy);
    const emitter = emitterOn(link, { queue: { maxEvents: 100_000 } });
    await emitter.emit('r', 'n', 0);
    const pause = async (): Promise<void> => redis.pause();
    const faults = [
      proxy.reset,
      proxy.partition,
      proxy.blackhole,
      pause,
      () => proxy.delay(60),
      proxy.refuse,
    ];
    let next = 1;
    for (const fault of faults) {
      for (let i = 0; i < 30; i += 1) void emitter.emit('r', 'n', next++);
      await fault();
      for (let i = 0; i < 30; i += 1) void emitter.emit('r', 'n', next++);
      await eventually(() => link.state === 'down' || emitter.report().queued === 0);
      redis.resume();
      await proxy.pass();
      for (let i = 0; i < 30; i += 1) await emitter.emit('r', 'n', next++);
      await eventually(() => link.state === 'up' && emitter.report().queued === 0);
    }
    expect(await emitter.flush(20_000)).toBe(true);
    for (const visitor of visitors) expect(await visitor.hears(next)).toEqual(upTo(next));
  });

  it('although it takes longer than the deadline of the link to get through', async () => {
    const { proxy, visitors } = await stage();
    const emitter = emitterOn(linkTo(proxy, 400), { queue: {} });
    await emitter.emit('r', 'n', 0);
    await proxy.throttle(700_000);
    await emitter.emit('r', 'n', 'x'.repeat(500_000));
    await emitter.emit('r', 'n', 2);
    expect(await emitter.flush(20_000)).toBe(true);
    const payloads = await visitors[0].hears(3);
    expect(payloads.map((each) => (typeof each === 'string' ? each.length : each))).toEqual([0, 500_000, 2]);
    await proxy.pass();
  });

  it('by a Redis that refuses to write, once that takes writes again', async () => {
    const { redis, proxy, visitors } = await stage();
    const features = heardFeature('emitter');
    const emitter = emitterOn(linkTo(proxy), { queue: {} });
    await emitter.emit('r', 'n', 0);
    await redis.command('replicaof', '127.0.0.1', '1');
    expect(await emitter.emit('r', 'n', 1)).toMatchObject({ outcome: 'queued' });
    expect(await emitter.emit('r', 'n', 2)).toMatchObject({ outcome: 'queued' });
    expect(features.at(-1)).toMatchObject({ degraded: true, policy: 'local' });
    await redis.command('replicaof', 'no', 'one');
    await emitter.flush(10_000);
    expect(await visitors[0].hears(3)).toEqual([0, 1, 2]);
    expect(features.at(-1)).toMatchObject({ degraded: false });
  });
});

describe('with a queue', { timeout: 60_000 }, () => {
  it('an event outlives the deadline of the request that emitted it, and so do those of others', async () => {
    const { redis, visitors } = await stage();
    const emitter = emitterOn(linkTo(redis), { queue: {} });
    await emitter.emit('r', 'n', 0);
    const hurried = runInContext({ deadline: performance.now() - 1 }, () => emitter.emit('r', 'n', 1));
    const other = emitter.emit('r', 'n', 2);
    expect([await hurried, await other]).toEqual([
      { outcome: 'ok', servers: 2 },
      { outcome: 'ok', servers: 2 },
    ]);
    expect(await visitors[0].hears(3)).toEqual([0, 1, 2]);
  });

  it('leaves one key in Redis, which expires, and no event', async () => {
    const { redis } = await stage();
    const emitter = emitterOn(linkTo(redis), { queue: {}, prefix: 'mine:' });
    for (let n = 0; n < 5; n += 1) await emitter.emit('r', 'n', 'secret');
    const key = await redis.command('keys', '*');
    expect(key).toMatch(/^mine:\{[\da-f-]{36}\}$/);
    expect(await redis.command('get', key)).toBe('5');
    expect(Number(await redis.command('pttl', key))).toBeGreaterThan(1_000_000);
  });

  it('what this user may not publish is refused alone; what goes with it arrives', async () => {
    const { redis, visitors } = await stage();
    const channels = ['&socket.io#/#*', '&socket.io-request#/#'];
    await redis.command(
      'acl',
      'setuser',
      'mailer',
      'on',
      '>secret',
      '~*',
      '+@all',
      'resetchannels',
      ...channels,
    );
    const link = linkTo({ url: `redis://mailer:secret@127.0.0.1:${redis.port}` });
    const emitter = emitterOn(link, { queue: {} });
    const admin = emitter.of('/admin');
    await emitter.emit('r', 'n', 0);
    // Of one turn: but for the first, they go together.
    const settled = await Promise.allSettled([
      emitter.emit('r', 'n', 1),
      emitter.emit('r', 'n', 2),
      admin.emit('r', 'n', 3),
      emitter.emit('r', 'n', 4),
    ]);
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
    expect(settled[2]).toMatchObject({ reason: { name: 'RedisReplyError', code: 'redis_error' } });
    expect(await visitors[0].hears(4)).toEqual([0, 1, 2, 4]);
    expect(emitter.report()).toMatchObject({ queued: 0, sent: 4, dropped: 1 });
  });
});
