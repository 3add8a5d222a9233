import { fileURLToPath } from 'node:url';
import { listen } from '@signalbox/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../support/eventually.js';
import { startProgram, type Program } from '../support/program.js';
import { send } from '../support/send.js';
import { sharedRedis } from '../support/shared-redis.js';

const PROGRAM = fileURLToPath(new URL('../dist/conformance/cache-origin.js', import.meta.url));

const redis = sharedRedis();

/** Counts its answers, each of which may be kept for a minute. */
async function countingOrigin(): Promise<string> {
  let answers = 0;
  return listen((req, res) => {
    answers += 1;
    res.setHeader('Cache-Control', 'max-age=60');
    res.setHeader('X-Seen-Via', String(req.headers.via));
    res.end(`answer ${answers}`);
  });
}

async function started(...args: readonly string[]): Promise<{ program: Program; url: string }> {
  const program = await startProgram(process.execPath, [PROGRAM, '--port', '0', ...args]);
  onTestFinished(async () => void (await program.stop()));
  const [, url = ''] = await program.waitFor(/listening on (http:\S+)/);
  return { program, url };
}

describe('cache-origin', () => {
  it.each([['memory'], ['redis']])(
    'is a cache in front of its origin, in %s, and ends on SIGTERM',
    async (store) => {
      const more = store === 'redis' ? ['--redis', redis.server.url] : [];
      const { program, url } = await started('--origin', await countingOrigin(), ...more);
      const first = await send(`${url}/page?of=${store}`);
      expect(first).toMatchObject({ status: 200, text: 'answer 1' });
      expect(first.headers['x-seen-via']).toMatch(/^1\.1 signalbox/);
      expect(first.headers['cache-status']).toBe('signalbox; fwd=uri-miss; stored');
      const again = await send(`${url}/page?of=${store}`);
      expect(again.text).toBe('answer 1');
      expect(again.headers['cache-status']).toMatch(/^signalbox; hit/);
      // The answer, once the right to make it is given back.
      await eventually(
        async () =>
          (await redis.client.keys('signalbox:cache:/page:*')).length === (store === 'redis' ? 1 : 0),
      );
      expect((await program.stop()).code).toBe(0);
    },
  );

  it.each([
    [[], '"--port" must be a number from 0 to 65535'],
    [['--port', '70000', '--origin', 'http://a'], '"--port" must be a number from 0 to 65535'],
    [['--port', '0'], '"--origin" must be a URL such as http://127.0.0.1:8000'],
    [['--port', '0', '--origin', 'ftp://a'], '"--origin" must be a URL such as http://127.0.0.1:8000'],
    [['--port', '0', '--origin', 'http://a', '--redis', 'x'], 'connectRedis: "source" must be a URL'],
    [['--prot', '0'], "Unknown option '--prot'"],
    [['--port', '0', '--origin', 'http://a', 'more'], "Unexpected argument 'more'"],
  ])('refuses %j with one sentence and exit code 2', async (args, sentence) => {
    const program = await startProgram(process.execPath, [PROGRAM, ...args]);
    expect(await program.exited).toEqual({ code: 2, signal: null });
    expect(program.stderr()).toMatch(/^cache-origin: .+\n$/);
    expect(program.stderr()).toContain(sentence);
    expect(program.stdout()).toBe('');
  });
});
