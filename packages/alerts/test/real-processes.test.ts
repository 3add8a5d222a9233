import { fileURLToPath } from 'node:url';
import { startProgram, type Program } from '@signalbox/testing';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../test/support/eventually.js';
import { sharedRedis } from '../../../test/support/shared-redis.js';
import { receiver, SECRET, told } from './support.js';

const redis = sharedRedis();
const program = fileURLToPath(new URL('programs/watches.mjs', import.meta.url));

beforeEach(() => redis.client.flushall());

function roleOf(program: Program): string | undefined {
  return [...program.output().matchAll(/role (\w+)/g)].at(-1)?.[1];
}

describe('three processes', () => {
  it('send one message though the one that sends is killed, and end by themselves when they are asked to', async () => {
    const inbox = await receiver();
    const env = { REDIS_URL: redis.server.url, HOOK_URL: inbox.url, HOOK_SECRET: SECRET };
    const processes: Program[] = [];
    for (let count = 0; count < 3; count += 1) {
      const started = await startProgram(process.execPath, [program], { env, ready: /role (lead|follow)/ });
      onTestFinished(() => started.kill().then(() => undefined));
      processes.push(started);
    }
    await eventually(() => told(inbox).length > 0);
    expect(told(inbox)).toEqual(['open x']);

    // Killed between sending and saying so, another would have to send it again.
    await eventually(async () => {
      const [board = ''] = await redis.client.keys('*:board');
      return (await redis.client.get(board))?.includes('"told":{"webhook"') === true;
    });
    const leader = processes.find((each) => roleOf(each) === 'lead');
    await leader?.kill();
    const rest = processes.filter((each) => each !== leader);
    await eventually(() => rest.some((each) => roleOf(each) === 'lead'));
    for (const each of rest) each.signal('SIGUSR2');
    await eventually(() => told(inbox).includes('over x'));
    expect(told(inbox)).toEqual(['open x', 'over x']);

    for (const each of rest) each.signal('SIGTERM');
    expect(await Promise.all(rest.map(({ exited }) => exited))).toEqual([
      { code: 0, signal: null },
      { code: 0, signal: null },
    ]);
  }, 60_000);
});
