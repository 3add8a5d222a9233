import { describe, expect, it, onTestFinished } from 'vitest';
import { type CrashHandlersOptions, crashHandlers } from '../src/index.js';
import { runProgram } from './support.js';

// Most run `fixtures/crashing.mjs` on the built package: only a real process can crash.
describe('crashHandlers', () => {
  it.each([
    ['throw', 'fatal uncaught exception; draining, then exiting: thrown'],
    ['reject', 'fatal unhandled rejection; draining, then exiting: rejected'],
  ])('logs a crash once, drains and exits with 1: %s', async (path, logged) => {
    const { firstLine: url, exited } = await runProgram('crashing.mjs');
    const slow = fetch(`${url}/slow`);
    expect(await (await fetch(`${url}/${path}`)).text()).toBe('before');

    expect(await (await slow).text()).toBe('answered');
    const { code, lines } = await exited;
    expect(code).toBe(1);
    expect(lines).toEqual([logged, 'closed pool', 'exit 1']);
  });

  it('says what a promise was rejected with when that is no error', async () => {
    const { firstLine: url, exited } = await runProgram('crashing.mjs', { ODD: '1' });
    await (await fetch(`${url}/reject`)).text();
    const { code, lines } = await exited;
    expect(code).toBe(1);
    expect(lines[0]).toBe('fatal unhandled rejection; draining, then exiting: rejected with { odd: true }');
  });

  it('exits at once on a second crash', async () => {
    const { firstLine: url, exited } = await runProgram('crashing.mjs');
    const lost = expect(fetch(`${url}/never`)).rejects.toThrow('fetch failed');
    await Promise.all([fetch(`${url}/throw`), fetch(`${url}/reject`)]);
    await lost;
    const { code, lines } = await exited;
    expect(code).toBe(1);
    expect(lines).toHaveLength(3);
    expect(lines[1]).toMatch(/^fatal .* during the drain after another one; exiting at once: /);
    expect(lines[2]).toBe('exit 1');
  });

  it('gives up on a drain that cannot end within its budget', async () => {
    const { firstLine: url, exited } = await runProgram('crashing.mjs');
    const lost = expect(fetch(`${url}/never`)).rejects.toThrow('fetch failed');
    const start = performance.now();
    await (await fetch(`${url}/throw`)).text();
    await lost;
    const { code, lines } = await exited;
    expect(code).toBe(1);
    expect(lines).toContainEqual(expect.stringMatching(/^warn drained .* abandon 1 unanswered request$/));
    expect(performance.now() - start).toBeLessThan(10_000);
  });

  it('writes to stderr without a log, and where the log fails itself', async () => {
    for (const env of [{ BARE: '1' }, { LOGGER_FAILS: '1' }]) {
      const { firstLine: url, exited } = await runProgram('crashing.mjs', env);
      await (await fetch(`${url}/throw`)).text();
      const { code, lines } = await exited;
      expect(code).toBe(1);
      expect(lines).toContain('uncaught exception; draining, then exiting');
      expect(lines).toContain('Error: thrown');
      expect(lines).toContain('closed pool');
    }
  });

  it('exits with 1 when it crashes during a drain that a signal began', async () => {
    const { child, firstLine: url, exited } = await runProgram('crashing.mjs');
    const slow = fetch(`${url}/slow`);
    const crash = fetch(`${url}/throw`);
    child.kill('SIGTERM');
    await Promise.allSettled([slow, crash]);
    const { code, lines } = await exited;
    expect(lines).toContain('closed pool');
    expect(code).toBe(lines.some((line) => line.startsWith('fatal')) ? 1 : 0);
  });

  it('takes its handlers away again', () => {
    const count = (): number =>
      process.listenerCount('uncaughtException') + process.listenerCount('unhandledRejection');
    const before = count();
    const remove = crashHandlers();
    onTestFinished(remove);
    expect(count()).toBe(before + 2);
    remove();
    remove();
    expect(count()).toBe(before);
  });

  it.each<[message: string, options: object]>([
    ['"log" must have the methods info, warn and error', { log: {} }],
    ['"drainMs" must be an integer from 1 to 2147483647, got 0', { drainMs: 0 }],
    ['"exitCode" must be an integer from 1 to 255, got 0', { exitCode: 0 }],
    ['"server" must be what serve() resolved with', { server: {} }],
    ['"timeoutMs" is not an option; the options are log, server, drainMs, exitCode', { timeoutMs: 1 }],
  ])('refuses bad options: %s', (message, options) => {
    expect(() => crashHandlers(options as CrashHandlersOptions)).toThrow(TypeError);
    expect(() => crashHandlers(options as CrashHandlersOptions)).toThrow(message);
  });
});
