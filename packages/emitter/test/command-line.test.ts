import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startFaultProxy } from '../../../test/support/fault-proxy.js';
import { startRedis } from '../../../test/support/redis.js';
import { sharedFleet } from './fleet.js';
import { visit } from './nodes.js';

const fleet = sharedFleet({ namespaces: ['/', '/admin'] });
const program = fileURLToPath(new URL('../bin/signalbox-emit.js', import.meta.url));

interface Ended {
  code: number | null;
  out: string;
  err: string;
}

/** Runs the program to its end, with a line of standard input. */
function run(args: readonly string[], input = '', env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const child = spawn(process.execPath, [program, ...args], {
    env: { ...process.env, REDIS_URL: fleet.redis.url, ...env },
    timeout: 20_000,
  });
  const ended: Ended = { code: null, out: '', err: '' };
  child.stdout.on('data', (text) => (ended.out += String(text)));
  child.stderr.on('data', (text) => (ended.err += String(text)));
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ ...ended, code }));
  });
}

describe('signalbox-emit', { timeout: 60_000 }, () => {
  it('emits an event into a room, and says how many servers listen', async () => {
    const visitor = await visit(fleet.two, { rooms: ['alerts'] });
    const json = '{"level":"info","message":"Hello"}';
    expect(await run(['--room', 'alerts', '--event', 'system_alert', '--json', json])).toEqual({
      code: 0,
      out: 'Sent "system_alert": 2 servers listen.\n',
      err: '',
    });
    expect(await visitor.hears(1)).toEqual([{ level: 'info', message: 'Hello' }]);
  });

  it('reaches several rooms but not others, other namespaces, and everybody', async () => {
    const [red, blue, admin] = await Promise.all([
      visit(fleet.one, { rooms: ['red'] }),
      visit(fleet.two, { rooms: ['blue', 'muted'] }),
      visit(fleet.two, { namespace: '/admin' }),
    ]);
    const quiet = ['--quiet', `--redis=${fleet.redis.url}`];
    const silent = { code: 0, out: '', err: '' };
    const elsewhere = { REDIS_URL: 'redis://127.0.0.1:1' };
    const paint = [
      '--room=red',
      '--room',
      'blue',
      '--except',
      'muted',
      '--event=paint',
      '--json',
      '1',
      '--json=-',
    ];
    expect(await run([...quiet, ...paint], '["two"]\n', elsewhere)).toEqual(silent);
    expect(await run([...quiet, '--all', '--event', 'end'])).toEqual(silent);
    expect(await run([...quiet, '--all', '--namespace', 'admin', '--event', 'end'])).toEqual(silent);
    await Promise.all([red.hears(2), blue.hears(1), admin.hears(1)]);
    expect(red.heard).toEqual([['paint', 1, ['two']], ['end']]);
    expect(blue.heard).toEqual([['end']]);
    expect(admin.heard).toEqual([['end']]);
  });

  it('makes sockets join and leave rooms, and disconnects them', async () => {
    const visitor = await visit(fleet.one, { rooms: ['staff'] });
    const { socket } = visitor;
    const join = await run(['--room', 'staff', '--join', 'meeting']);
    expect(join.out).toBe('Sent the call to join "meeting": 2 servers listen.\n');
    await run(['--room', 'meeting', '--event', 'one']);
    await run(['--room', 'meeting', '--leave', 'staff']);
    await run(['--room', 'staff', '--event', 'two']);
    const gone = new Promise((resolve) => socket.once('disconnect', resolve));
    await run(['--room', 'meeting', '--disconnect', '--close']);
    await gone;
    expect(visitor.heard).toEqual([['one']]);
  });

  it('says that nobody listens, unless it is to be quiet, and ends well all the same', async () => {
    const order = ['--all', '--event', 'x', '--key', 'other'];
    const { code, err } = await run(order);
    expect(code).toBe(0);
    expect(err).toContain('signalbox-emit: Sent, but no server listens on "other" in namespace "/"');
    expect(await run([...order, '--quiet'])).toEqual({ code: 0, out: '', err: '' });
  });

  it('fails with 5 where fewer servers listen than there should be', async () => {
    const order = ['--all', '--event', 'x', '--servers'];
    expect(await run([...order, '2'])).toMatchObject({ code: 0 });
    expect(await run([...order, '3'])).toEqual({
      code: 5,
      out: '',
      err: 'signalbox-emit: Sent, but only 2 servers listen where 3 should.\n',
    });
  });

  it('tells its version, and how it is used', async () => {
    const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as object;
    expect(await run(['--version'])).toEqual({
      code: 0,
      out: `${'version' in manifest ? String(manifest.version) : ''}\n`,
      err: '',
    });
    const help = await run(['--help', '--quiet']);
    expect(help).toMatchObject({ code: 0, err: '' });
    expect(help.out).toContain('--room NAME');
  });
});

describe('signalbox-emit with a wrong command line', { timeout: 60_000 }, () => {
  const nothing = 'Nothing was sent; --help says more.';
  beforeAll(() => fleet.redis.command('config', 'resetstat'));

  it.each<[string, readonly string[], string]>([
    ['nobody to send to', ['--event', 'x'], 'Say to whom: --room NAME, or --all for everybody.'],
    ['a slip of the pen', ['--rom', 'r', '--event', 'x'], 'There is no option --rom; did you mean "--room"?'],
    ['no JSON', ['--all', '--event', 'x', '--json', '{a}'], '--json must be JSON: '],
    [
      'JSON twice from standard input',
      ['--all', '--event', 'x', '--json', '-', '--json', '-'],
      'Standard input can be read once only: one --json -.',
    ],
    [
      "an event of socket.io's own",
      ['--all', '--event', 'disconnect'],
      `emit: "event" must be a name that is not empty, and none of socket.io's own, got "disconnect".`,
    ],
    [
      'no URL',
      ['--all', '--event', 'x', '--redis', 'localhost'],
      'connectRedis: "source" must be a URL beginning with redis://',
    ],
    [
      'a blank namespace',
      ['--all', '--event', 'x', '--namespace', ' '],
      'externalEmitter: "namespace" must be a non-empty string',
    ],
  ])('%s: says so, sends nothing, and ends with 2', async (_what, args, words) => {
    const { code, out, err } = await run(args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err.startsWith(`signalbox-emit: ${words}`), err).toBe(true);
    expect(err.trim().split('\n')).toHaveLength(1);
    expect(err).toContain(nothing);
  });

  it('takes only so much from standard input', async () => {
    const { code, err } = await run(['--all', '--event', 'x', '--json', '-'], `"${'x'.repeat(1_000_000)}"`);
    expect({ code, err }).toEqual({
      code: 2,
      err: `signalbox-emit: Standard input must be at most 1000000 bytes. ${nothing}\n`,
    });
  });

  it('has sent nothing indeed', async () => {
    expect(await fleet.redis.command('info', 'commandstats')).not.toContain('cmdstat_publish');
  });
});

describe('signalbox-emit without its Redis', { timeout: 60_000 }, () => {
  const order = ['--all', '--event', 'x', '--redis'];

  it('that is not there: ends with 3', async () => {
    expect(await run([...order, 'redis://user:secret@127.0.0.1:1'])).toEqual({
      code: 3,
      out: '',
      err: 'signalbox-emit: Not sent: redis "signalbox-emit": cannot connect: ECONNREFUSED.\n',
    });
  });

  it('that does not answer: ends with 3 in time', async () => {
    const proxy = await startFaultProxy({ to: fleet.redis.port });
    onTestFinished(() => proxy.stop());
    await proxy.blackhole();
    const { code, err } = await run([...order, `redis://${proxy.address}`, '--timeout', '300']);
    expect(code).toBe(3);
    expect(err).toMatch(/^signalbox-emit: Not sent: redis "signalbox-emit": .+\.\n$/);
  });

  it('that takes neither the password nor the event: ends with 4, and says no password', async () => {
    const redis = await startRedis({ password: 'right' });
    onTestFinished(() => redis.stop());
    const wrong = await run([...order, `redis://:wrong@127.0.0.1:${redis.port}`]);
    expect(wrong).toMatchObject({ code: 4, out: '' });
    expect(wrong.err).toMatch(/^signalbox-emit: Not sent: /);
    expect(wrong.err).not.toContain('wrong');

    await redis.command('acl', 'setuser', 'mute', 'on', '>word', '~*', '&*', '+@all', '-publish');
    const mute = await run([...order, `redis://mute:word@127.0.0.1:${redis.port}`]);
    expect(mute).toMatchObject({ code: 4, out: '' });
    expect(mute.err).toContain('publish was refused');
  });
});
