import { once } from 'node:events';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { signals } from '@signalbox/signals';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { heardFeature } from '../../../test/support/heard.js';
import { createLogger } from '../src/index.js';
import { parseLines, run } from './child.js';

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'signalbox-logging-'));
  path = join(folder, 'app.log');
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function linesOf(file: string): unknown[] {
  return parseLines(readFileSync(file, 'utf8')).map((line) => line['number']);
}

describe('a log file', () => {
  it('is made with its folder, and appended to', async () => {
    const file = join(folder, 'logs', 'app.log');
    for (const number of [1, 2]) {
      const logger = createLogger({ file });
      logger.info({ number });
      await logger.close();
    }
    expect(linesOf(file)).toEqual([1, 2]);
  });

  it('makes way when it is full, and the oldest is deleted', () => {
    const logger = createLogger({ file: { path, maxBytes: 1_000, keep: 2 } });
    for (let number = 1; number <= 100; number++) logger.info({ number });

    expect(readdirSync(folder).toSorted()).toEqual(['app.log', 'app.log.1', 'app.log.2']);
    for (const name of readdirSync(folder)) {
      expect(statSync(join(folder, name)).size).toBeLessThanOrEqual(1_000);
    }
    const kept = [`${path}.2`, `${path}.1`, path].flatMap(linesOf);
    expect(kept).toEqual(Array.from(kept, (_, index) => 100 - kept.length + index + 1));
    expect(kept.length).toBeGreaterThan(20);
  });

  it('keeps five full ones of 10 MB unless told otherwise', () => {
    writeFileSync(path, `{"number":0,"padding":"${'x'.repeat(10_485_600)}"}\n`);
    for (const age of [1, 2, 3, 4, 5]) writeFileSync(`${path}.${age}`, `{"number":${-age}}\n`);

    const logger = createLogger({ file: path });
    logger.info('fits');
    logger.info('does not');

    expect(parseLines(readFileSync(path, 'utf8'))).toMatchObject([{ msg: 'does not' }]);
    expect([1, 2, 3, 4, 5].map((age) => linesOf(`${path}.${age}`)[0])).toEqual([0, -1, -2, -3, -4]);
    expect(readdirSync(folder)).toHaveLength(6);
  });

  it('can be kept without any old ones', () => {
    const logger = createLogger({ file: { path, maxBytes: 500, keep: 0 } });
    for (let number = 1; number <= 50; number++) logger.info({ number });

    expect(readdirSync(folder)).toEqual(['app.log']);
    expect(linesOf(path).at(-1)).toBe(50);
  });

  it('takes a single line that is larger than a file may be', () => {
    const logger = createLogger({ file: { path, maxBytes: 100 } });
    logger.info({ number: 1, padding: 'x'.repeat(1_000) });
    logger.info({ number: 2 });

    expect(linesOf(`${path}.1`)).toEqual([1]);
    expect(linesOf(path)).toEqual([2]);
  });

  it('is opened anew by reopen(), as logrotate asks for', () => {
    const logger = createLogger({ file: { path, maxBytes: Number.POSITIVE_INFINITY } });
    logger.info({ number: 1 });
    renameSync(path, `${path}.moved`);
    logger.info({ number: 2 });
    logger.reopen();
    logger.info({ number: 3 });

    expect(linesOf(`${path}.moved`)).toEqual([1, 2]);
    expect(linesOf(path)).toEqual([3]);
  });

  it('is opened anew when a signal says that it was moved, and no more after close()', async () => {
    const logger = createLogger({ file: { path, maxBytes: Number.POSITIVE_INFINITY } });
    logger.info({ number: 1 });
    renameSync(path, `${path}.moved`);
    signals.logsMoved.publish({ toldBy: 'SIGUSR2' });
    logger.info({ number: 2 });
    expect(linesOf(path)).toEqual([2]);

    await logger.close();
    renameSync(path, `${path}.moved`);
    signals.logsMoved.publish({ toldBy: 'SIGUSR2' });
    expect(existsSync(path)).toBe(false);
  });

  it('takes lines after close(), which may be called twice', async () => {
    const logger = createLogger({ file: path });
    logger.info({ number: 1 });
    await logger.close();
    await logger.close();
    logger.info({ number: 2 });

    expect(linesOf(path)).toEqual([1, 2]);
  });

  it('goes on after a process died in the middle of a rotation', () => {
    writeFileSync(`${path}.lock`, '');
    const logger = createLogger({ file: { path, maxBytes: 300 } });
    for (let number = 1; number <= 20; number++) logger.info({ number });

    expect(linesOf(path)).toHaveLength(20);
  });

  it('warns where it cannot make way, for lack of rights in the folder say, and goes on', async () => {
    const warned = once(process, 'warning') as Promise<[Error]>;
    // Its lock would have a name that is longer than the file system takes.
    const file = join(folder, 'x'.repeat(251));
    const logger = createLogger({ file: { path: file, maxBytes: 300 } });
    for (let number = 1; number <= 20; number++) logger.info({ number });

    expect(linesOf(file)).toHaveLength(20);
    const [{ message }] = await warned;
    expect(message).toContain('the log file could not be rotated: ENAMETOOLONG');
  });

  it('outlives a full disk: lines are kept and written when there is room again', async () => {
    const heard = heardFeature('logging');
    symlinkSync('/dev/full', path);
    const logger = createLogger({ file: path });
    for (const number of [1, 2, 3]) logger.info({ number });
    expect(heard).toMatchObject([{ feature: 'logging', degraded: true }]);
    expect(heard[0]?.reason).toContain('ENOSPC');

    rmSync(path);
    logger.reopen();
    await vi.waitUntil(() => heard.length === 2, 2_000);
    expect(heard[1]).toMatchObject({ feature: 'logging', degraded: false });
    logger.info({ number: 4 });
    expect(linesOf(path)).toEqual([1, 2, 3, 4]);
    await logger.close();
  });

  it('is shared by several processes without losing or tearing a line', async () => {
    const writers = ['a', 'b', 'c'];
    const ended = await Promise.all(writers.map((writer) => run('write-to-shared-file', path, writer, 500)));
    expect(ended.map(({ stderr }) => stderr)).toEqual(['', '', '']);

    const files = readdirSync(folder);
    const lines = files.flatMap((name) => parseLines(readFileSync(join(folder, name), 'utf8')));
    expect(files).not.toContain('app.log.lock');
    expect(files.length).toBeGreaterThan(3);
    for (const writer of writers) {
      const numbers = lines.filter((line) => line['writer'] === writer).map((line) => Number(line['number']));
      expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 500 }, (_, index) => index));
    }
  });
});
