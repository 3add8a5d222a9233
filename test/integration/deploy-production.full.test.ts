import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../support/eventually.js';
import { temporaryFolder } from '../support/keeper.js';
import { freePort } from '../support/ports.js';
import { startPostgres } from '../support/postgres.js';
import { startRedis } from '../support/redis.js';
import { NEEDED, runScript, startScript } from './deploy-script.js';

async function place(): Promise<{ cwd: string; port: string; files: string[] }> {
  const { path: cwd } = temporaryFolder('production');
  return { cwd, port: String(await freePort()), files: ['--pid-file', 'run/pid', '--output', 'run/log'] };
}

const isReady = async (port: string): Promise<boolean> =>
  (await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined))?.status === 200;

describe('start-production.sh', { timeout: 120_000 }, () => {
  it('single becomes the one process, which drains on SIGTERM', async () => {
    const { cwd, port, files } = await place();
    const program = await startScript(['single', '--bind', `127.0.0.1:${port}`, ...files], NEEDED, { cwd });
    onTestFinished(async () => void (await program.kill()));
    await eventually(() => isReady(port), 40_000);
    program.signal('SIGTERM');
    expect(await program.exited).toEqual({ code: 0, signal: null });
  });

  it('cluster becomes the manager of several workers, with Redis and Postgres', async () => {
    const [redis, postgres] = await Promise.all([startRedis(), startPostgres()]);
    onTestFinished(async () => void (await Promise.all([redis.stop(), postgres.stop()])));
    const { cwd, port, files } = await place();
    const env = { ...NEEDED, REDIS_URL: redis.url, DATABASE_URL: postgres.url, PORT: port };
    const program = await startScript(['cluster', '--workers', '2', ...files], env, { cwd });
    onTestFinished(async () => void (await program.kill()));
    await eventually(async () => {
      const { output } = await runScript(['status', ...files], {}, cwd);
      return /workers +2 of 2 ready/.test(output);
    }, 60_000);
    // Of a Redis that evicts nothing it may keep nothing for good.
    const guest = await fetch(`http://127.0.0.1:${port}/auth/guest`, { method: 'POST' });
    const { accessToken } = (await guest.json()) as { accessToken: string };
    const headers = { authorization: `Bearer ${accessToken}` };
    expect((await fetch(`http://127.0.0.1:${port}/api/v2/search?q=nginx`, { headers })).status).toBe(200);
    const keys = (await redis.command('KEYS', '*')).trim().split('\n');
    expect(keys.length).toBeGreaterThan(2);
    for (const key of keys) expect([key, Number(await redis.command('PTTL', key))]).not.toEqual([key, -1]);

    program.signal('SIGTERM');
    expect(await program.exited).toEqual({ code: 0, signal: null });
  });

  it('cluster is refused where workers would share nothing', async () => {
    const { cwd, port, files } = await place();
    const args = ['cluster', '--workers', '2', ...files];
    const { code, output } = await runScript(args, { ...NEEDED, PORT: port }, cwd);
    expect([code, output]).toEqual([1, expect.stringContaining('WORKERS must be 1')]);
  });

  it('daemon goes on in the background, shows how it does, reloads and stops', async () => {
    const { cwd, port, files } = await place();
    const env = { ...NEEDED, PORT: port };
    const started = await runScript(['daemon', '--workers', '1', ...files], env, cwd);
    onTestFinished(async () => void (await runScript(['stop', ...files], {}, cwd)));
    expect([started.code, started.output]).toEqual([0, expect.stringMatching(/workers +1 of 1 ready/)]);
    expect(await isReady(port)).toBe(true);
    expect(readFileSync(join(cwd, 'run/log'), 'utf8')).toContain('listening on');

    expect(await runScript(['daemon', '--workers', '1', ...files], env, cwd)).toMatchObject({ code: 4 });
    expect(await runScript(['reload', ...files], {}, cwd)).toMatchObject({ code: 0 });
    expect(await runScript(['stop', ...files], {}, cwd)).toMatchObject({ code: 0 });
    expect(existsSync(join(cwd, 'run/pid'))).toBe(false);
    expect(await runScript(['status', ...files], {}, cwd)).toMatchObject({ code: 3 });
  });

  it('takes a file of settings for text, and runs nothing in it', async () => {
    const { path: cwd } = temporaryFolder('production');
    const lines = {
      ...NEEDED,
      MAIL_FROM: '$(touch done) `touch done` "Search"',
      PORT: String(await freePort()),
    };
    writeFileSync(
      join(cwd, 'settings'),
      Object.entries(lines)
        .map((line) => line.join('='))
        .join('\n'),
    );
    const args = ['check', '--env-file', 'settings', '--pid-file', 'run/pid', '--output', 'run/log'];
    const { code, output } = await runScript(args, {}, cwd);
    expect([code, output]).toEqual([0, expect.stringContaining('All is there; nothing was started.')]);
    expect(existsSync(join(cwd, 'done'))).toBe(false);
  });
});
