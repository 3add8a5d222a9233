import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../test/support/eventually.js';
import { startRedis } from '../../../test/support/redis.js';
import { startNode } from './nodes.js';
import { ask, clientOf, enter, heard } from './stage.js';

describe('several processes', () => {
  it('finish what nobody watches, too', async () => {
    const redis = await startRedis();
    onTestFinished(() => redis.stop());
    const env = { REDIS_URL: redis.url, STAGE_MS: '200' };
    const [one, two] = await Promise.all([startNode(env), startNode(env)]);
    const socket = await enter(one.url, { auth: { token: 'ada' } });
    const { id } = await ask<{ id: string }>(socket, 'search');
    await one.program.kill();
    await eventually(
      async () => (await two.ask<{ state: string }>(`/jobs?id=${id}&owner=ada`)).state === 'complete',
    );
  });

  it('lose no search while they are killed one after the other', { timeout: 120_000 }, async () => {
    const redis = await startRedis();
    onTestFinished(() => redis.stop());
    const env = { REDIS_URL: redis.url, STAGE_MS: '400' };
    const nodes = await Promise.all([startNode(env), startNode(env)]);
    for (let round = 0; round < 10; round += 1) {
      const [from, to] = round % 2 === 0 ? [nodes[0], nodes[1]] : [nodes[1], nodes[0]];
      if (from === undefined || to === undefined) throw new Error('there are two');
      const numbers: number[] = [];
      const isOver = (): boolean => numbers.at(-1) === 6;
      const listen = (client: ReturnType<typeof clientOf>): void => {
        client.onAny((event: string, payload: { seq: number }) => {
          if (event.startsWith('search_')) numbers.push(payload.seq);
        });
      };
      const first = await enter(from.url, { auth: { token: 'ada' } });
      listen(first);
      const { id } = await ask<{ id: string }>(first, 'search');
      await eventually(() => numbers.length > round % 4);
      await from.program.kill();

      const second = clientOf(to.url, { auth: { token: 'ada' } });
      listen(second);
      await heard(second, 'connected');
      await ask(second, 'resume', { id, after: numbers.at(-1) ?? 0 });
      await eventually(isOver, 15_000);
      expect(numbers).toEqual([1, 2, 3, 4, 5, 6]);
      nodes[round % 2] = await startNode(env);
    }
  });
});
