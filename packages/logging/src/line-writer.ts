import { forgetAtExit, isExiting, runAtExit } from './at-exit.js';
import type { TextSink } from './sink.js';

/** The stream that pino writes its lines to. */
export interface LineWriter {
  write(line: string): void;
  /**
   * Lets the next line wait for the others of this turn of the event loop, to leave with them in one
   * write. For lines of which there are many.
   */
  gatherNext(): void;
  flushSync(): void;
  flush(callback?: (error?: Error) => void): void;
  reopen(): void;
  close(): Promise<void>;
}

/**
 * No more is gathered for one write. Up to PIPE_BUF, which is as large, a write to a pipe is whole or
 * not at all (pipe(7)), so that processes that share a pipe do not tear each other's lines.
 */
const MAX_GATHERED = 4_096;

/**
 * Writes each line at once, except for those that were announced with `gatherNext`, which are held
 * back until the turn ends. Lines never overtake each other.
 */
export function lineWriter(sink: TextSink): LineWriter {
  let held = '';
  let mayHold = false;
  let isScheduled = false;

  const flushSync = (): void => {
    if (held !== '') sink.write(takeHeld());
  };

  function takeHeld(): string {
    const text = held;
    held = '';
    forgetAtExit(flushSync);
    return text;
  }

  function hold(line: string): void {
    if (held.length + line.length > MAX_GATHERED) flushSync();
    if (held === '') runAtExit(flushSync);
    held += line;
    if (!isScheduled) schedule();
  }

  function schedule(): void {
    isScheduled = true;
    setImmediate(() => {
      isScheduled = false;
      flushSync();
    });
  }

  return {
    write(line) {
      const mayWait = mayHold && !isExiting();
      mayHold = false;
      if (mayWait) hold(line);
      else sink.write(held === '' ? line : takeHeld() + line);
    },
    gatherNext() {
      mayHold = true;
    },
    flushSync,
    flush(callback) {
      flushSync();
      callback?.();
    },
    reopen() {
      flushSync();
      sink.reopen();
    },
    async close() {
      flushSync();
      await sink.close();
    },
  };
}
