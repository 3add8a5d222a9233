import { closeSync, openSync, renameSync, rmSync, statSync, type Stats } from 'node:fs';
import { sink, type TextSink } from './sink.js';

export interface RotatingFileOptions {
  path: string;
  maxBytes: number;
  keep: number;
}

/** Other processes may write to the file, and rotate it: it is looked at this often. */
const LOOK_EVERY_MS = 1_000;
const LOOK_EVERY_BYTES = 65_536;

/** A rotation that failed, for lack of rights say, is not tried with every line. */
const RETRY_MS = 5_000;

/** A lock this old was left by a process that died while it rotated. */
const STALE_LOCK_MS = 10_000;

/**
 * A file that makes way when it is full: `app.log` becomes `app.log.1`, that becomes `app.log.2`, and
 * what was the oldest is deleted. No line is split, and no file grows beyond `maxBytes` unless a single
 * line does, or several processes fill it at once.
 *
 * Rotation is synchronous, and several processes may share the file: one at a time rotates, the others
 * notice and follow.
 */
export function rotatingFile({ path, maxBytes, keep }: RotatingFileOptions): TextSink {
  const file = sink(path);
  const lookEveryBytes = Math.min(LOOK_EVERY_BYTES, maxBytes / 8);
  let inode = 0;
  let bytes = 0;
  let unseenBytes = 0;
  let lookAgainMs = 0;
  let rotateAgainMs = 0;

  look();

  function look(): void {
    // Another process rotated the file, or somebody moved it away: go on in the new one.
    if (inode !== 0 && statOf(path)?.ino !== inode && !reopen()) return;
    const stat = statOf(path);
    inode = stat?.ino ?? inode;
    bytes = stat?.size ?? bytes;
    unseenBytes = 0;
    lookAgainMs = Date.now() + LOOK_EVERY_MS;
  }

  function reopen(): boolean {
    try {
      file.reopen();
      return true;
    } catch (error) {
      // What was open still is, so nothing is lost yet.
      warn('opened again', error);
      lookAgainMs = Date.now() + LOOK_EVERY_MS;
      return false;
    }
  }

  function rotate(): void {
    look();
    const lock = `${path}.lock`;
    if (bytes === 0 || Date.now() < rotateAgainMs) return;
    try {
      if (!takeLock(lock)) return;
      try {
        // Between the look and the lock another process may have been faster.
        if (statOf(path)?.ino === inode) shift(path, keep);
      } finally {
        rmSync(lock, { force: true });
      }
    } catch (error) {
      warn('rotated', error);
      rotateAgainMs = Date.now() + RETRY_MS;
    }
    look();
  }

  function writeLine(line: string): void {
    const lineBytes = Buffer.byteLength(line);
    if (bytes > 0 && bytes + lineBytes > maxBytes) rotate();
    file.write(line);
    bytes += lineBytes;
    unseenBytes += lineBytes;
  }

  return {
    write(text) {
      if (unseenBytes >= lookEveryBytes || Date.now() >= lookAgainMs) look();
      const textBytes = Buffer.byteLength(text);
      if (bytes + textBytes <= maxBytes) {
        file.write(text);
        bytes += textBytes;
        unseenBytes += textBytes;
        return;
      }
      for (const line of text.split(/(?<=\n)/)) writeLine(line);
    },
    reopen() {
      if (!reopen()) return;
      inode = 0;
      look();
    },
    close: () => file.close(),
  };
}

function shift(path: string, keep: number): void {
  if (keep === 0) return rmSync(path);
  for (let number = keep - 1; number >= 1; number--) {
    if (statOf(`${path}.${number}`) !== undefined) renameSync(`${path}.${number}`, `${path}.${number + 1}`);
  }
  renameSync(path, `${path}.1`);
}

/** @throws when the lock cannot be made, for lack of rights in the folder say */
function takeLock(lock: string): boolean {
  try {
    closeSync(openSync(lock, 'wx'));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    const stat = statOf(lock);
    if (stat !== undefined && Date.now() - stat.mtimeMs > STALE_LOCK_MS) rmSync(lock, { force: true });
    return false;
  }
}

function statOf(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false });
}

function warn(what: string, error: unknown): void {
  const reason = error instanceof Error ? error.message : String(error);
  process.emitWarning(`the log file could not be ${what}: ${reason}`, { code: 'SIGNALBOX_LOG_FILE' });
}
