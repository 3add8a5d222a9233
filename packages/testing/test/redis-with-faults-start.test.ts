import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { freePort, redisWithFaults, startProgram, waitUntil, type RedisWithFaults } from '../src/index.js';

/** Real programs on a machine that may be busy. */
const patience = { timeout: 60_000 };

/** Whether it runs. An orphan that has ended may stay a zombie until the system's first process looks after it. */
function isAlive(pid: number): boolean {
  const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' });
  return /^[^Z]/.test(stdout.trim());
}

const program = (name: string): string => fileURLToPath(new URL(`programs/${name}`, import.meta.url));

const outsideOfTests = { VITEST: undefined, NODE_TEST_CONTEXT: undefined, NODE_OPTIONS: undefined };

describe('redisWithFaults', patience, () => {
  let previous: RedisWithFaults;

  it('runs while the test does', async () => {
    previous = await redisWithFaults();

    expect(isAlive(previous.pid)).toBe(true);
  });

  it('has ended with the test before, stays so, and can be closed again', async () => {
    expect(isAlive(previous.pid)).toBe(false);
    await Promise.all([previous.close(), previous.close()]);
    await expect(previous.restart()).rejects.toThrow('redisWithFaults: restart() came after close()');
    await expect(previous.heal()).rejects.toThrow('redisWithFaults: heal() came after close()');
  });

  it('is closed by the context that it is given, also while it is stopped', async () => {
    const ends: (() => Promise<void>)[] = [];
    const redis = await redisWithFaults({}, { onTestFinished: (fn) => void ends.push(fn) });
    await redis.stop();
    for (const end of ends) await end();

    expect(isAlive(redis.pid)).toBe(false);
  });

  it('starts several at a time, each on ports of its own', async () => {
    const all = await Promise.all(Array.from({ length: 4 }, () => redisWithFaults()));
    const ports = all.flatMap(({ port, proxy }) => [port, proxy.port]);

    expect(new Set(ports).size).toBe(8);
    await Promise.all(all.map((redis, i) => redis.command('SET', 'key', i)));
    expect(await Promise.all(all.map((redis) => redis.command('GET', 'key')))).toEqual(['0', '1', '2', '3']);
  });

  it('takes a port, a password and further settings', async () => {
    const port = await freePort();
    const redis = await redisWithFaults({ port, password: 'a/b', args: ['--maxclients', '77'] });

    expect(redis.directUrl).toBe(`redis://:a%2Fb@127.0.0.1:${port}`);
    expect(redis.url).toBe(`redis://:a%2Fb@127.0.0.1:${redis.proxy.port}`);
    expect(await redis.command('CONFIG', 'GET', 'maxclients')).toEqual(['maxclients', '77']);
    await redis.kill();
    await redis.heal();
    expect(await redis.command('PING')).toBe('PONG');
  });

  it('starts and heals, too, with a password among the settings that it is not told', async () => {
    const redis = await redisWithFaults({ args: ['--requirepass', 'secret'] });

    await expect(redis.command('PING')).rejects.toThrow('NOAUTH');
    await redis.stop();
    await redis.heal();
  });

  it('says how to install Redis where there is none', async () => {
    await expect(redisWithFaults({ command: 'no-such-redis' })).rejects.toThrow(
      'redisWithFaults: there is no program "no-such-redis" to start. Install Redis ' +
        '(Debian: apt-get install redis-server; macOS: brew install redis), or say where it is with the option "command"',
    );
  });

  it('says what Redis printed when it does not start', async () => {
    await expect(redisWithFaults({ args: ['--no-such-setting', '1'] })).rejects.toThrow(
      /^redis-server ended with exit code 1\. It printed:.*no-such-setting/s,
    );
  });

  it('does not outlive a process that is killed, not even when it is stopped itself', async () => {
    const owner = await startProgram(process.execPath, [program('redis-owner.mjs')], { env: outsideOfTests });
    const [, running, stopped] = await owner.waitFor(/running (\d+), stopped (\d+)/);
    expect([isAlive(Number(running)), isAlive(Number(stopped))]).toEqual([true, true]);

    owner.signal('SIGKILL');
    expect(await waitUntil(() => !isAlive(Number(running)) && !isAlive(Number(stopped)))).toBe(true);
  });

  it('keeps no plain program alive', async () => {
    const plain = await startProgram(process.execPath, [program('redis-plain.mjs')], { env: outsideOfTests });

    expect(await plain.exited).toEqual({ code: 0, signal: null });
    expect(plain.output()).toMatch(/^pid \d+\nkilled\nPONG\n$/);
    const pid = Number(/\d+/.exec(plain.output())?.[0]);
    expect(await waitUntil(() => !isAlive(pid))).toBe(true);
  });

  it('is closed when a test of node:test ends', async () => {
    const run = await startProgram(
      process.execPath,
      ['--test', '--test-reporter=tap', program('redis-node-test.mjs')],
      { env: outsideOfTests },
    );

    expect(await run.exited, run.output()).toEqual({ code: 0, signal: null });
    expect(run.output()).toContain('# pass 2');
  });

  it.each([
    [{ comand: 'redis' }, 'there is no option "comand"; there are command, port, password, args'],
    [{ command: '' }, '"command" must be the name or path of a program, got ""'],
    [{ command: 7 }, '"command" must be the name or path of a program, got 7'],
    [{ port: 0 }, '"port" must be an integer from 1 to 65535, got 0'],
    [{ port: '6379' }, '"port" must be an integer from 1 to 65535, got 6379'],
    [{ password: '' }, '"password" must be a string that is not empty'],
    [{ args: '--save' }, '"args" must be a list of strings, got "--save"'],
    [{ args: [1] }, '"args" must be a list of strings, got [1]'],
  ])('refuses %j', async (options, message) => {
    // @ts-expect-error: what a caller without types may pass
    await expect(redisWithFaults(options)).rejects.toThrow(new TypeError(`redisWithFaults: ${message}`));
  });
});
