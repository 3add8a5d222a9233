import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { temporaryFolder } from '@signalbox/testing';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { backoffMs } from '../src/backoff.js';
import { formatAddress, parseBind } from '../src/bind.js';
import { readWords } from '../src/command-words.js';
import { processManager, startCluster } from '../src/index.js';
import { resolveClusterOptions, type ClusterOptions } from '../src/options.js';
import { grantedProcessors } from '../src/processors.js';
import { fixture } from './support.js';

const entry = fixture('app.mjs');

describe('startCluster', () => {
  it.each<[Partial<ClusterOptions>, string]>([
    [{ workers: 0 }, 'startCluster: "workers" must be an integer from 1 to 1024, got 0'],
    [{ workers: 1.5 }, 'startCluster: "workers" must be an integer from 1 to 1024, got 1.5'],
    [{ entry: '' }, 'startCluster: "entry" must be a non-empty string, got ""'],
    [{ bind: 'x:y' }, 'startCluster: "bind" must be such as "127.0.0.1:8889"'],
    [{ maxRequests: -1 }, 'startCluster: "maxRequests" must be an integer of at least 0, got -1'],
    [{ readyTimeoutMs: 0 }, 'startCluster: "readyTimeoutMs" must be an integer from 1 to 2147483647, got 0'],
    [
      { stuckAfterMs: 1_000 },
      'startCluster: "stuckAfterMs" must be 0, or at least twice "beatMs" (1000), got 1000',
    ],
    [{ socketMode: 0o660 }, 'startCluster: "socketMode" needs "bind" to be unix:PATH'],
    [{ pidFile: `/${'x'.repeat(110)}` }, 'startCluster: "controlSocket" must be a path of at most 107 bytes'],
    [{ args: 'x' as never }, 'startCluster: "args" must be a list of texts, got "x"'],
    [{ hooks: { onReady: () => 1 } as never }, 'startCluster: "hooks": "onReady" is not an option'],
    [{ hooks: { whenReady: 1 as never } }, 'startCluster: "hooks.whenReady" must be a function, got 1'],
    [{ maxRequest: 1 } as never, 'startCluster: "maxRequest" is not an option; did you mean "maxRequests"?'],
  ])('refuses %o', async (options, message) => {
    await expect(startCluster({ entry, ...options })).rejects.toThrow(message);
  });

  it('says when there is no such program', async () => {
    await expect(startCluster({ entry: '/nowhere/main.js' })).rejects.toMatchObject({
      code: 'entry_missing',
      exitCode: 6,
      message: 'there is no file /nowhere/main.js to start',
    });
  });

  it('has a default for everything but the program', () => {
    expect(resolveClusterOptions({ entry })).toMatchObject({
      workers: grantedProcessors(),
      address: undefined,
      maxRequests: 0,
      stuckAfterMs: 10_000,
      drainTimeoutMs: 35_000,
    });
  });
});

describe('processManager', () => {
  it('is there in workers only', () => {
    expect(processManager()).toBeUndefined();
  });
});

describe('an address', () => {
  it.each([
    ['127.0.0.1:8889', { host: '127.0.0.1', port: 8889 }],
    ['[::1]:8889', { host: '::1', port: 8889 }],
    [':8889', { host: '0.0.0.0', port: 8889 }],
    ['*:80', { host: '0.0.0.0', port: 80 }],
    ['8889', { host: '127.0.0.1', port: 8889 }],
    ['localhost:0', { host: 'localhost', port: 0 }],
    ['unix:/run/app.sock', { socket: '/run/app.sock', socketMode: undefined }],
  ])('is read from %s', (bind, address) => {
    expect(parseBind('start', 'bind', bind, undefined)).toEqual(address);
  });

  it.each(['', 'x', 'host:', 'host:x', '1.2.3.4:99999', '::1:80', '[x]:80', 'unix:', 'http://x:80'])(
    'is not read from %j',
    (bind) => {
      expect(() => parseBind('start', 'bind', bind, undefined)).toThrow('start: "bind" must be such as');
    },
  );

  it('is written as it is read', () => {
    const host = fc.oneof(fc.ipV4(), fc.constantFrom('::1', '::', 'fe80::1', 'localhost'));
    fc.assert(
      fc.property(host, fc.integer({ min: 0, max: 65_535 }), (host, port) => {
        const address = { host, port };
        expect(parseBind('start', 'bind', formatAddress(address), undefined)).toEqual(address);
      }),
    );
  });
});

describe('a command line', () => {
  it('is taken apart, wherever the program stands', () => {
    const words = { command: 'start', entry: 'main.js', args: [] };
    expect(readWords(['start', 'main.js', '-w', '2', '-D'])).toEqual({
      ...words,
      options: ['--workers', '2', '--daemon'],
    });
    expect(readWords(['start', '-D', '--workers=2', 'main.js'])).toEqual({
      ...words,
      options: ['--daemon', '--workers=2'],
    });
    expect(readWords(['start', '--bind', ':80', 'main.js', '--', '-w', 'x'])).toEqual({
      ...words,
      options: ['--bind', ':80'],
      args: ['-w', 'x'],
    });
    expect(readWords(['start', '--help']).command).toBe('help');
    expect(readWords([]).command).toBe('help');
  });
});

describe('the backoff', () => {
  it('begins with the second failure, doubles, and has a bound', () => {
    const waits = [0, 1, 2, 3, 4, 5, 50].map((failures) => backoffMs(failures, 30_000, () => 1));
    expect(waits).toEqual([0, 0, 250, 500, 1_000, 2_000, 30_000]);
    expect(backoffMs(3, 30_000, () => 0)).toBe(400);
  });
});

describe('the processors that are granted', () => {
  function groups(files: Record<string, string>): string {
    const folder = temporaryFolder('groups');
    onTestFinished(() => folder.remove());
    const { path } = folder;
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(path, name)), { recursive: true });
      writeFileSync(join(path, name), content);
    }
    return path;
  }

  const all = availableParallelism();

  it.each<[string, Record<string, string>, string, number]>([
    ['no limit', { 'cpu.max': 'max 100000\n' }, '0::/\n', all],
    ['no control groups', {}, '', all],
    ['half of one', { 'cpu.max': '50000 100000\n' }, '0::/\n', 1],
    ['one and a half', { 'cpu.max': '150000 100000\n' }, '0::/\n', Math.min(all, 2)],
    ['far more than there are', { 'cpu.max': '99900000 100000\n' }, '0::/\n', all],
    ['the group of a service', { 'a/b.service/cpu.max': '100000 100000\n' }, '0::/a/b.service\n', 1],
    [
      'the group around it',
      { 'a/cpu.max': '100000 100000\n', 'a/b/cpu.max': 'max 100000\n' },
      '0::/a/b\n',
      1,
    ],
    ['the first version', { 'cpu/cpu.cfs_quota_us': '100000', 'cpu/cpu.cfs_period_us': '100000' }, '', 1],
    [
      'the first version without a limit',
      { 'cpu/cpu.cfs_quota_us': '-1', 'cpu/cpu.cfs_period_us': '100000' },
      '',
      all,
    ],
  ])('follow the control groups: %s', (_name, files, membership, expected) => {
    expect(grantedProcessors(groups(files), membership)).toBe(expected);
  });
});
