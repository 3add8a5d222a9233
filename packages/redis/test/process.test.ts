import { describe, expect, it } from 'vitest';
import { startProgram } from '../../../test/support/program.js';
import { stageOf } from './stage.js';

const MODULE = JSON.stringify(new URL('../dist/index.js', import.meta.url).href);

/** Runs a program and gives what it printed, once it has ended by itself. */
async function run(lines: string, url: string): Promise<{ code: number | null; out: string; err: string }> {
  const program = await startProgram(
    process.execPath,
    [
      '--input-type=module',
      '--eval',
      `import { connectRedis, watchOutage } from ${MODULE};\nconst url = ${JSON.stringify(url)};\n${lines}`,
    ],
    { cwd: new URL('..', import.meta.url).pathname },
  );
  const timer = setTimeout(() => void program.kill(), 8_000);
  const { code } = await program.exited;
  clearTimeout(timer);
  return { code, out: program.stdout(), err: program.stderr() };
}

const WAIT_UP = `while (link.state !== 'up') await new Promise((resolve) => setTimeout(resolve, 5));`;

describe('a process', () => {
  it('ends by itself once its link is closed', async (context) => {
    const redis = await stageOf(context).redis();
    const result = await run(
      `const link = connectRedis(url);
       ${WAIT_UP}
       link.subscribe('c', () => undefined);
       console.log(await link.command('set', 'k', 'v'));
       await link.close();`,
      redis.url,
    );
    expect(result).toEqual({ code: 0, out: 'OK\n', err: '' });
  });

  it.for(['dead', 'stopped'])(
    'with Redis %s starts, prints no error event, and ends',
    async (how, context) => {
      const redis = await stageOf(context).redis();
      if (how === 'dead') await redis.kill();
      else redis.pause();
      context.onTestFinished(() => redis.resume());
      const result = await run(
        `const link = connectRedis(url);
       link.subscribe('c', () => undefined);
       const reasons = new Set();
       for (let i = 0; i < 50; i += 1) {
         await link.command('get', 'k').catch((error) => reasons.add(error.reason));
         await new Promise((resolve) => setTimeout(resolve, 20));
       }
       console.log(link.state, ...reasons);
       await link.close();`,
        redis.url,
      );
      expect(result).toEqual({ code: 0, out: 'down down\n', err: '' });
    },
  );

  it("with a user's client that nobody listens to survives its errors", async (context) => {
    const redis = await stageOf(context).redis();
    const result = await run(
      `import { Redis } from 'ioredis';
       const client = new Redis(url);
       const link = connectRedis(client);
       ${WAIT_UP}
       process.kill(${redis.pid}, 'SIGKILL');
       while (link.state !== 'down') await new Promise((resolve) => setTimeout(resolve, 5));
       await new Promise((resolve) => setTimeout(resolve, 300));
       await link.close();
       client.disconnect();`,
      redis.url,
    );
    expect(result).toEqual({ code: 0, out: '', err: '' });
  });

  it('ends by itself while something that it asks is gone', async (context) => {
    const redis = await stageOf(context).redis();
    const result = await run(
      `const outage = watchOutage({ feature: 'f', probe: () => Promise.reject(new Error('gone')) });
       outage.failed(new Error('gone'), 'open');`,
      redis.url,
    );
    expect(result).toEqual({ code: 0, out: '', err: '' });
  });
});
