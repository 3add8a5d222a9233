import { appendFileSync, fstatSync } from 'node:fs';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { signals } from '@signalbox/signals';
import { pino } from 'pino';
import { forgetAtExit, isExiting, runAtExit } from './at-exit.js';

/** Where finished text goes: whole lines, written before `write` returns where that is possible. */
export interface TextSink {
  write(text: string): void;
  /** Opens the file by its name again, after another program moved it away. */
  reopen(): void;
  /** Writes what is left, for at most a second, and closes the file. */
  close(): Promise<void>;
}

/** Kept in memory while the disk is full or nobody reads the pipe; what comes after is dropped. */
const MAX_KEPT_BYTES = 4_194_304;

/** What is kept is written in pieces that a pipe takes whole or not at all (pipe(7)). */
const PIPE_BUF = 4_096;

const RETRY_MS = 50;

/** At the end a reader may pause for a second, in tries 100 ms apart. */
const LAST_TRIES = 10;

/** The reader is gone for good; nobody is left to tell. */
const GONE: ReadonlySet<string> = new Set(['EPIPE', 'EBADF', 'ECONNRESET']);

/**
 * Writes synchronously, but never waits: neither for a full disk nor for a pipe that nobody reads. What
 * cannot be written is kept, up to a bound, and tried again.
 *
 * @param dest a path, or the number of an open file
 */
export function sink(dest: string | number): TextSink {
  // Touched for its side effect: libuv makes a pipe non-blocking, so that a full one says EAGAIN where
  // it would otherwise stop the event loop for as long as nobody reads.
  if (dest === 1 && isPipe(dest)) void process.stdout;

  let lastTries = LAST_TRIES;
  let leftBefore = Number.POSITIVE_INFINITY;
  let failure: NodeJS.ErrnoException | undefined;
  let failedNow = false;
  let isGone = false;
  let isClosed = false;
  let dropped = 0;
  let timer: NodeJS.Timeout | undefined;

  const stream = pino.destination({
    dest,
    sync: true,
    mkdir: true,
    maxLength: MAX_KEPT_BYTES,
    maxWrite: PIPE_BUF,
    retryEAGAIN: (_error, writing, waiting) => isExiting() && mayTryAgain(writing + waiting),
  });
  stream.on('error', fail);
  stream.on('drop', drop);

  function mayTryAgain(leftBytes: number): boolean {
    if (leftBytes < leftBefore) lastTries = LAST_TRIES;
    leftBefore = leftBytes;
    return lastTries-- > 0;
  }

  function fail(error: NodeJS.ErrnoException): void {
    failedNow = true;
    if (GONE.has(error.code ?? '')) return goAway();
    if (failure === undefined) {
      runAtExit(retry);
      timer = setInterval(retry, RETRY_MS).unref();
      if (error.code !== 'EAGAIN') report(true, error);
    }
    failure = error;
  }

  function retry(): void {
    failedNow = false;
    stream.write('');
    if (!failedNow) recover();
  }

  function recover(): void {
    stopRetrying();
    if (dropped > 0) stream.write(droppedLine(dropped));
    if (dropped > 0 || failure?.code !== 'EAGAIN') report(false, failure);
    dropped = 0;
    failure = undefined;
  }

  function drop(text: string): void {
    if (dropped === 0 && failure?.code === 'EAGAIN') report(true, failure);
    dropped += text.split('\n').length - 1;
  }

  function goAway(): void {
    isGone = true;
    stopRetrying();
  }

  function stopRetrying(): void {
    clearInterval(timer);
    forgetAtExit(retry);
  }

  /** Gives a slow reader the time that it has left. */
  async function settled(): Promise<void> {
    for (let tries = 0; tries < LAST_TRIES; tries++) {
      if (failure === undefined || isGone) return;
      await delay(100);
    }
  }

  return {
    write(text) {
      if (isGone) return;
      if (!isClosed) stream.write(text);
      else if (typeof dest === 'string') appendLate(dest, text);
    },
    reopen() {
      if (typeof dest === 'string' && !isClosed) stream.reopen(dest);
    },
    async close() {
      if (isClosed) return;
      await settled();
      stopRetrying();
      // The standard streams stay open: others write there too, and late lines still may.
      if (typeof dest === 'number' || isGone) return;
      isClosed = true;
      const closed = once(stream, 'close');
      if (failure === undefined) stream.end();
      else stream.destroy();
      await closed;
    },
  };
}

function report(degraded: boolean, error: Error | undefined): void {
  const reason = `log lines cannot be written: ${error?.message ?? 'nobody reads them'}`;
  signals.featureState.publish({ feature: 'logging', degraded, policy: 'unavailable', reason });
}

/** After the end there may still be something to say, such as why it ended. */
function appendLate(path: string, text: string): void {
  try {
    appendFileSync(path, text);
  } catch (error) {
    process.emitWarning(error instanceof Error ? error : String(error));
  }
}

function droppedLine(count: number): string {
  const msg = `${count} log ${count === 1 ? 'line was' : 'lines were'} dropped because nobody read them or the disk was full`;
  return `${JSON.stringify({ level: 'warn', time: new Date().toISOString(), pid: process.pid, msg })}\n`;
}

function isPipe(fd: number): boolean {
  try {
    // As bigint: of the other kind Node keeps the last answer, and as long as that is a pipe or a socket, `require`
    // follows no links, so that a package may be loaded twice, or not find what it needs.
    const stat = fstatSync(fd, { bigint: true });
    return stat.isFIFO() || stat.isSocket();
  } catch {
    return false;
  }
}
