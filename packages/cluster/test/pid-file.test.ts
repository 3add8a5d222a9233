import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, utimesSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { claimPidFile, isRunning, readPid, runningOwner } from '../src/pid-file.js';
import { becomesTrue, newPlace, textOf } from './support.js';

describe('a pid file', () => {
  it('holds the id of whoever claims it, who removes it', () => {
    const { pidFile } = newPlace();
    const release = claimPidFile(pidFile);
    expect(textOf(pidFile)).toBe(`${process.pid}\n`);
    expect(readPid(pidFile)).toBe(process.pid);
    release();
    expect(existsSync(pidFile)).toBe(false);
  });

  it('is left to whoever has claimed it since', () => {
    const place = newPlace();
    const release = claimPidFile(place.pidFile);
    place.write('signalbox.pid', '1\n');
    release();
    expect(textOf(place.pidFile)).toBe('1\n');
  });

  it.each(['', 'x', '-1', '0', '12x', '99999999999'])('that holds %j names nobody', (content) => {
    const place = newPlace();
    place.write('signalbox.pid', content);
    expect(readPid(place.pidFile)).toBeUndefined();
    claimPidFile(place.pidFile)();
  });

  it('is stale when its number has been given to another process since', () => {
    const place = newPlace();
    place.write('signalbox.pid', `${process.ppid}\n`);
    expect(runningOwner(place.pidFile)).toBe(process.ppid);
    const longAgo = new Date('2001-01-01');
    utimesSync(place.pidFile, longAgo, longAgo);
    expect(runningOwner(place.pidFile)).toBeUndefined();
  });
});

describe('a process', () => {
  it('does not run any more when nobody has collected its exit code', async () => {
    // The shell becomes a program that never asks for its child.
    const shell = spawn('/bin/sh', ['-c', 'sleep 0.1 & echo $!; exec sleep 60']);
    onTestFinished(() => void shell.kill('SIGKILL'));
    const [line] = (await once(shell.stdout, 'data')) as [Buffer];
    const pid = Number(String(line));
    expect(isRunning(pid)).toBe(true);
    await becomesTrue(() => !isRunning(pid), 'it has ended');
    // Though its number is still taken.
    expect(process.kill(pid, 0)).toBe(true);
  });
});
