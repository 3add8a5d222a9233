import { RedisUnavailableError } from '@signalbox/redis';
import { signals } from '@signalbox/signals';
import { assertNeverHangs } from '@signalbox/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../test/support/eventually.js';
import { startFaultProxy, type FaultProxy } from '../../../test/support/fault-proxy.js';
import { heard, heardFeature } from '../../../test/support/heard.js';
import { startRedis, type RedisServer } from '../../../test/support/redis.js';
import { emitterOn, linkTo } from './fleet.js';
import { startNode, visit, type Visitor } from './nodes.js';

interface Stage {
  redis: RedisServer;
  /** Between emitters and Redis; the server is connected directly. */
  proxy: FaultProxy;
  visitor: Visitor;
}

/** A Redis of the test's own, a server, and a visitor in the room `r`. */
async function stage(): Promise<Stage> {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const proxy = await startFaultProxy({ to: redis.port });
  onTestFinished(() => proxy.stop());
  const node = await startNode(redis.port);
  onTestFinished(() => node.close());
  return { redis, proxy, visitor: await visit(node, { rooms: ['r'] }) };
}

const reasonOf = (error: unknown): string =>
  error instanceof RedisUnavailableError ? error.reason : String(error);

describe('without a queue, while Redis is gone', { timeout: 60_000 }, () => {
  it('an event is refused within the deadline, and the next is sent when Redis is back', async () => {
    const { proxy, visitor } = await stage();
    const emitted = heard(signals.emitted);
    const features = heardFeature('emitter');
    const link = linkTo(proxy);
    const emitter = emitterOn(link);
    await emitter.emit('r', 'n', 1);

    await proxy.refuse();
    await eventually(() => link.state === 'down');
    const refused = await assertNeverHangs(() => emitter.emit('r', 'n', 2).catch(reasonOf));
    expect(refused).toMatch(/down|breaker/);
    expect(features.at(-1)).toMatchObject({ feature: 'emitter', degraded: true, policy: 'unavailable' });
    expect(emitter.state).toBe('down');

    await proxy.pass();
    // Nobody has to emit to find out.
    await eventually(() => features.at(-1)?.degraded === false);
    await emitter.emit('r', 'n', 3);
    expect(await visitor.hears(2)).toEqual([1, 3]);
    expect(emitted.map(({ outcome }) => outcome)).toEqual(['ok', 'error', 'ok']);
    expect(emitter.report()).toEqual({ state: 'up', queued: 0, queuedBytes: 0, sent: 2, dropped: 1 });
  });

  it.each(['dead at boot', 'paused', 'silent', 'silent at boot'] as const)(
    'nothing hangs: %s',
    async (how) => {
      const { redis, proxy } = await stage();
      if (how === 'dead at boot') await proxy.refuse();
      if (how === 'silent at boot') await proxy.blackhole();
      const link = linkTo(proxy);
      const emitter = emitterOn(link, { deadlineMs: 300 });
      if (!how.endsWith('boot')) await emitter.emit('r', 'warm');
      if (how === 'silent') await proxy.blackhole();
      if (how === 'paused') redis.pause();
      onTestFinished(() => redis.resume());

      const calls = Array.from({ length: 50 }, (_each, index) => emitter.emit('r', 'n', index));
      calls.push(emitter.joinSockets('r', 'q'), emitter.emitSystemAlert('info', 'x'));
      const outcomes = await assertNeverHangs(calls, { withinMs: 1_000 });
      const reasons = outcomes.map((each) => (each.status === 'rejected' ? reasonOf(each.reason) : 'ok'));
      expect(reasons.filter((reason) => !/^(?:down|timeout|breaker)$/.test(reason))).toEqual([]);
      await assertNeverHangs(() => emitter.close(), { withinMs: 1_000 });
    },
  );

  it("a deadline that is shorter than the link's holds", async () => {
    const { proxy } = await stage();
    const emitter = emitterOn(linkTo(proxy, 20_000), { deadlineMs: 100 });
    await emitter.emit('r', 'warm');
    await proxy.delay(1_000);
    const late = emitter.emit('r', 'x');
    await expect(assertNeverHangs(late, { withinMs: 2_000 })).rejects.toThrow(
      'redis "redis": no answer to publish within 100 ms',
    );
  });

  it('waits for a connection that is slow to come, and no longer than its deadline', async () => {
    const { proxy, visitor } = await stage();
    await proxy.delay(350);
    const patient = emitterOn(linkTo(proxy, 5_000), { deadlineMs: 10_000 });
    const hasty = emitterOn(linkTo(proxy, 5_000), { deadlineMs: 50 });
    const sent = patient.emit('r', 'n', 1);
    await expect(hasty.emit('r', 'n', 2)).rejects.toThrow('redis "redis": no connection within 50 ms');
    expect(await sent).toEqual({ outcome: 'ok', servers: 1 });
    expect(await visitor.hears(1)).toEqual([1]);
  });

  it('only so many events wait for the first connection', async () => {
    const { proxy } = await stage();
    await proxy.partition();
    const emitter = emitterOn(linkTo(proxy, 5_000), { deadlineMs: 1_000 });
    const calls = Array.from({ length: 1_010 }, () => emitter.emit('r', 'x').catch((error: Error) => error));
    await expect(calls.at(-1)).resolves.toMatchObject({
      code: 'emitter_queue_full',
      status: 503,
      queued: 1_000,
    });
    await proxy.pass();
    const outcomes = await Promise.all(calls);
    expect(outcomes.filter((each) => each instanceof Error)).toHaveLength(10);
  });

  it('close() lets what is under way come to its end, and takes nothing more', async () => {
    const { proxy, visitor } = await stage();
    const emitter = emitterOn(linkTo(proxy, 5_000));
    await emitter.emit('r', 'n', 1);
    await proxy.delay(100);
    const last = emitter.emit('r', 'n', 2);
    const closing = emitter.close();
    expect(emitter.close()).toBe(closing);
    await expect(emitter.emit('r', 'n', 3)).rejects.toMatchObject({ reason: 'closed' });
    await closing;
    expect(await last).toEqual({ outcome: 'ok', servers: 1 });
    expect(emitter.state).toBe('closed');
    expect(await visitor.hears(2)).toEqual([1, 2]);
  });

  it('a link that is closed refuses at once', async () => {
    const { redis } = await stage();
    const link = linkTo(redis);
    for (const queue of [undefined, {}]) {
      const emitter = emitterOn(link, { queue });
      if (queue === undefined) await emitter.emit('r', 'warm');
      await link.close();
      await expect(emitter.emit('r', 'x')).rejects.toMatchObject({ reason: 'closed' });
    }
  });

  it('what Redis refuses is an error, with a queue, too', async () => {
    const { redis } = await stage();
    await redis.command('acl', 'setuser', 'mute', 'on', '>secret', '~*', '+@all', '-publish');
    const link = linkTo({ url: redis.url.replace('//', '//mute:secret@') });
    for (const queue of [undefined, {}]) {
      const emitter = emitterOn(link, { queue });
      await expect(emitter.emit('r', 'x')).rejects.toMatchObject({ code: 'redis_error' });
      expect(emitter.report()).toMatchObject({ queued: 0, sent: 0, dropped: 1 });
    }
  });
});
