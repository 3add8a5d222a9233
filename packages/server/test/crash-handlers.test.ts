import { describe, expect, it, onTestFinished } from 'vitest';
import { type CrashHandlersOptions, crashHandlers } from '../src/index.js';
import { eventually, rawConnection, refused, runProgram } from './support.js';

// Most run `fixtures/crashing.mjs` on the built package: only a real process can crash.
describe('crashHandlers', () => {
  it.each([
    ['throw', 'fatal uncaught exception; draining, then exiting: thrown'],
    ['reject', 'fatal unhandled rejection; draining, then exiting: rejected'],
  ])('logs a crash once, drains and exits with 1: %s', async (path, logged) => {
    const { firstLine: url, lines, exited } = await runProgram('crashing.mjs');
    const slow = fetch(`${url}/slow`);
    await eventually(() => lines.includes('holding'));
    expect(await (await fetch(`${url}/${path}`)).text()).toBe('before');

    expect(await (await slow).text()).toBe('answered');
    expect((await exited).code).toBe(1);
    expect(lines).toEqual(['holding', logged, 'closed pool', 'exit 1']);
  });

  it('says what a promise was rejected with when that is no error', async () => {
    const { firstLine: url, exited } = await runProgram('crashing.mjs', { ODD: '1' });
    await (await fetch(`${url}/reject`)).text();
    const { code, lines } = await exited;
    expect(code).toBe(1);
    expect(lines[0]).toBe('fatal unhandled rejection; draining, then exiting: rejected with { odd: true }');
  });

  it('exits at once on a second crash', async () => {
    const { firstLine: url, lines, exited } = await runProgram('crashing.mjs');
    const lost = expect(fetch(`${url}/never`)).rejects.toThrow('fetch failed');
    await eventually(() => lines.includes('holding'));
    const connection = await rawConnection(url);
    connection.socket.write('GET /throw HTTP/1.1\r\nHost: x\r\n\r\nGET /reject HTTP/1.1\r\nHost: x\r\n\r\n');
    await lost;
    expect((await exited).code).toBe(1);
    expect(lines).toHaveLength(4);
    expect(lines[2]).toMatch(/^fatal .* during the drain after another one; exiting at once: /);
    expect(lines[3]).toBe('exit 1');
  });

  it('gives up on a drain that cannot end within its budget', async () => {
    const { firstLine: url, lines, exited } = await runProgram('crashing.mjs');
    const lost = expect(fetch(`${url}/never`)).rejects.toThrow('fetch failed');
    await eventually(() => lines.includes('holding'));
    await (await fetch(`${url}/throw`)).text();
    await lost;
    expect((await exited).code).toBe(1);
    expect(lines).toContainEqual(expect.stringMatching(/^warn drained .* abandon 1 unanswered request$/));
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

  it('cuts a drain short that a signal began', async () => {
    const { child, firstLine: url, lines, exited } = await runProgram('crashing.mjs');
    const connection = await rawConnection(url);
    connection.socket.write('GET /never HTTP/1.1\r\nHost: x\r\n\r\n');
    await eventually(() => lines.includes('holding'));
    child.kill('SIGTERM');
    await refused(url);
    connection.socket.write('GET /throw HTTP/1.1\r\nHost: x\r\n\r\n');

    await connection.ended();
    expect((await exited).code).toBe(1);
    expect(lines).toEqual(['holding', 'fatal uncaught exception; draining, then exiting: thrown', 'exit 1']);
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
    ['"server" must be what serve() resolved with, got an object', { server: {} }],
    ['"timeoutMs" is not an option; there are log, server, drainMs, exitCode', { timeoutMs: 1 }],
  ])('refuses bad options: %s', (message, options) => {
    expect(() => crashHandlers(options as CrashHandlersOptions)).toThrow(TypeError);
    expect(() => crashHandlers(options as CrashHandlersOptions)).toThrow(message);
  });
});
