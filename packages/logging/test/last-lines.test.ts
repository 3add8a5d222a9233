import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, describe, expect, it } from 'vitest';
import { assertNeverHangs } from '@signalbox/testing';
import { parseLines, programPath, run } from './child.js';

const COUNT = 4_000;
const numbers = Array.from({ length: COUNT }, (_, index) => index + 1);

const folders: string[] = [];

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'signalbox-logging-'));
  folders.push(folder);
  return folder;
}

describe.concurrent('the last lines', () => {
  it.each([
    ['exit', 1],
    ['throw', 1],
    ['reject', 1],
    ['end', 0],
  ])('reach a pipe when the process ends by %s', async (how, code) => {
    const ended = await run('last-lines', how, COUNT);
    const lines = parseLines(ended.stdout);

    expect(ended.code).toBe(code);
    expect(lines.slice(0, -1).map((line) => line['number'])).toEqual(numbers);
    expect(lines.at(-1)).toMatchObject({ last: true });
  });

  it.each(['exit', 'throw'])(
    'of requests reach a pipe when the process ends by %s in their turn',
    async (how) => {
      const { stdout } = await run('last-requests', how, 50);
      const urls = parseLines(stdout).map((line) => String(line['url']));

      expect(new Set(urls)).toEqual(new Set(Array.from({ length: 50 }, (_, id) => `/item/${id}`)));
    },
  );

  it.each(['exit', 'throw'])(
    'reach a file when the process ends by %s, also across rotations',
    async (how) => {
      const folder = temporaryFolder();
      await run('last-lines', how, COUNT, join(folder, 'app.log'), 100_000);

      const old = readdirSync(folder).filter((name) => name !== 'app.log');
      expect(old.length).toBeGreaterThan(2);
      const oldestFirst = old.toSorted((a, b) => Number(b.slice(8)) - Number(a.slice(8))).concat('app.log');
      const lines = parseLines(oldestFirst.map((name) => readFileSync(join(folder, name), 'utf8')).join(''));
      expect(lines.slice(0, -1).map((line) => line['number'])).toEqual(numbers);
    },
  );

  it('reach a file even when the process is killed', async () => {
    const path = join(temporaryFolder(), 'app.log');
    const ended = await run('last-lines', 'kill', 1_000, path);

    expect(ended.signal).toBe('SIGKILL');
    expect(parseLines(readFileSync(path, 'utf8'))).toHaveLength(1_000);
  });
});

describe('a pipe that nobody reads', () => {
  it('does not stop the server, and gets its lines once somebody does', async () => {
    const server = spawn(process.execPath, [programPath('talkative-server')], {
      env: { ...process.env, NODE_ENV: 'production', LOG_LEVEL: '' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const [port] = (await once(server.stderr.setEncoding('utf8'), 'data')) as [string];
    const url = `http://127.0.0.1:${port.trim()}`;

    // 100 kB each: more than a pipe holds, and more than is kept.
    for (let number = 0; number < 80; number++) await assertNeverHangs(`${url}/${number}`);

    const read = text(server.stdout);
    const closed = once(server, 'close');
    await fetch(`${url}/exit`, { method: 'POST' });
    await closed;
    const lines = parseLines(await read);

    const kept = lines.filter((line) => 'number' in line).map((line) => line['number']);
    expect(kept.length).toBeGreaterThan(35);
    expect(kept).toEqual(Array.from(kept, (_, index) => index));
    expect(lines.filter((line) => /lines were dropped/.test(String(line['msg'])))).toHaveLength(1);
  });
});
