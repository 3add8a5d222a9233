import { stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { command } from '../src/control-client.js';
import { openControlSocket } from '../src/control-socket.js';
import { newPlace } from './support.js';

async function listening(obey: (name: string) => Promise<unknown>): Promise<string> {
  const path = newPlace().path('control.sock');
  const control = await openControlSocket(path, obey);
  onTestFinished(() => control.close());
  return path;
}

/** All that the socket answers to what is written to it. */
async function say(path: string, text: string): Promise<string> {
  const socket = connect(path);
  // It may be cut off in the middle of a line that is too long.
  socket.on('error', () => undefined);
  socket.write(text);
  let answer = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => (answer += chunk));
  await new Promise((resolve) => socket.once('close', resolve));
  return answer;
}

describe('the control socket', () => {
  it('answers commands, each on a connection of its own', async () => {
    const path = await listening(async (name) => ({ heard: name }));
    expect(await Promise.all([command(path, 'status', 1_000), command(path, 'reload', 1_000)])).toEqual([
      { heard: 'status' },
      { heard: 'reload' },
    ]);
  });

  it('is open to this user alone', async () => {
    const path = await listening(async () => 'x');
    // Not statSync: after a socket, `require` would follow no links in this process.
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it('says what went wrong', async () => {
    const path = await listening(() => Promise.reject(new Error('not now')));
    await expect(command(path, 'stop', 1_000)).rejects.toMatchObject({ code: 'failed', message: 'not now' });
  });

  it.each(['garbage\n', '{}\n', 'null\n', '{"command":"rm"}\n', '"status"\n', '\u0000\n'])(
    'refuses %j and goes on',
    async (text) => {
      const path = await listening(async () => 'well');
      expect(JSON.parse(await say(path, text))).toMatchObject({ ok: false });
      expect(await command(path, 'status', 1_000)).toBe('well');
    },
  );

  it('cuts off who talks without end', async () => {
    const path = await listening(async () => 'well');
    expect(await say(path, 'x'.repeat(1_000_000))).not.toContain('"ok":true');
    expect(await command(path, 'status', 1_000)).toBe('well');
  });

  it('is one for a path', async () => {
    const path = await listening(async () => 'well');
    await expect(openControlSocket(path, async () => 'x')).rejects.toMatchObject({ code: 'already_running' });
  });

  it('cannot be asked where nobody listens, and is not waited for without end', async () => {
    await expect(command(newPlace().path('none.sock'), 'status', 1_000)).rejects.toMatchObject({
      code: 'not_running',
    });
    const path = await listening(() => new Promise(() => undefined));
    await expect(command(path, 'status', 100)).rejects.toMatchObject({ code: 'timed_out' });
  });
});
