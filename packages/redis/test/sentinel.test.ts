import { Redis as Redis5 } from 'ioredis-5';
import { describe, expect, it } from 'vitest';
import { redisCommand } from '../../../test/support/redis.js';
import { startSentinel } from '../../../test/support/redis-sentinel.js';
import { eventually } from '../../../test/support/eventually.js';
import { connectRedis } from '../src/index.js';
import { isIn, recovery, stageOf } from './stage.js';

describe('a link through Sentinel', () => {
  it.concurrent.for(['killed', 'stopped', 'demoted'] as const)(
    'follows the primary that takes the place of one that is %s',
    { timeout: 60_000 },
    async (how, context) => {
      const stage = stageOf(context);
      const group = await startSentinel();
      context.onTestFinished(() => group.stop());
      const link = stage.closing(connectRedis(group.url));
      await isIn(link, 'up');
      await link.command('set', 'before', '1');
      const heard: string[] = [];
      const gaps: number[] = [];
      link.subscribe('news', (message) => heard.push(message), { onGap: () => gaps.push(gaps.length) });

      const load = stage.load(link);
      const old = await group.primaryPort();
      const server = group.servers.find(({ port }) => port === old);
      context.onTestFinished(() => server?.resume());
      if (how === 'killed') await server?.kill();
      if (how === 'stopped') server?.pause();
      if (how === 'demoted') {
        await redisCommand(group.sentinels[0]?.port ?? 0, ['sentinel', 'failover', group.name]);
      }
      await eventually(async () => (await group.primaryPort()) !== old, 20_000);
      // Those that were connected to the old one are sent away by then.
      await eventually(() => gaps.length > 0, 20_000);
      expect(await recovery(link)).toBeLessThan(5_000);
      await isIn(link, 'up');
      await load.stop();

      expect(load.slowestMs).toBeLessThan(150 + 2 * load.slowestTickMs);
      expect(
        [...load.failures.keys()].filter((key) => !/^(down|timeout|breaker|readonly)$/.test(key)),
      ).toEqual([]);
      expect((await link.check()).details).toMatchObject({ role: 'master' });
      await eventually(async () => {
        await link.command('publish', 'news', 'hello').catch(() => undefined);
        return heard.includes('hello');
      });
    },
  );

  it.concurrent("follows it with a user's client, too", { timeout: 60_000 }, async (context) => {
    const stage = stageOf(context);
    const group = await startSentinel();
    context.onTestFinished(() => group.stop());
    const client = new Redis5({ sentinels: [...group.sentinels], name: group.name });
    const link = stage.closing(connectRedis(stage.ending(client)));
    await isIn(link, 'up');
    const load = stage.load(link);
    const [sentinel] = group.sentinels;
    await redisCommand(sentinel?.port ?? 0, ['sentinel', 'failover', group.name]);
    const isNew = async (): Promise<boolean> => {
      const { details } = await link.check();
      return details['role'] === 'master' && client.stream.remotePort === (await group.primaryPort());
    };
    await eventually(() => isNew(), 20_000);
    await group.failover();
    await recovery(link);
    await load.stop();
    expect(load.slowestMs).toBeLessThan(150 + 2 * load.slowestTickMs);
  });

  it('with every Sentinel and server dead at boot is down, and recovers by itself', async (context) => {
    const stage = stageOf(context);
    const group = await startSentinel({ sentinels: 1, replicas: 0 });
    context.onTestFinished(() => group.stop());
    const [dead] = await Promise.all([stage.redis(), group.servers[0]?.kill()]);
    await dead.kill();
    const sentinels = [`127.0.0.1:${dead.port}`, ...group.sentinels.map(({ port }) => `127.0.0.1:${port}`)];
    const link = stage.closing(connectRedis(`redis+sentinel://${sentinels.join(',')}/${group.name}`));
    await isIn(link, 'down');
    await group.servers[0]?.restart();
    await recovery(link);
    await isIn(link, 'up');
  });
});
