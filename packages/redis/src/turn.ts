import type { Writable } from 'node:stream';

const NOW = Promise.resolve();

/** Gathers what is written in one turn of the event loop into one write. */
export interface Turn {
  /** Says that something is about to be written to the stream. */
  begin(stream: Writable): void;
}

/**
 * Corks a stream at its first command of a turn. The end is a microtask and then a tick away, so that the
 * commands of a chain of awaits, such as a middleware's, are still among them. What begins after that has
 * a write of its own.
 *
 * @param ended is called when the turn's commands have left
 */
export function createTurn(ended: () => void): Turn {
  let latest: Writable | undefined;
  /** One; of a cluster one a server, and of a client that reconnects the old one and the new. */
  const corked: Writable[] = [];

  function end(): void {
    latest = undefined;
    // One that broke in the meantime has nothing to write; to uncork it is no error.
    for (const stream of corked) stream.uncork();
    corked.length = 0;
    ended();
  }
  const afterMicrotasks = (): void => process.nextTick(end);

  return {
    begin(stream) {
      if (stream === latest) return;
      latest = stream;
      if (corked.includes(stream)) return;
      // `queueMicrotask` does the same, and makes an AsyncResource each time.
      if (corked.length === 0) void NOW.then(afterMicrotasks);
      corked.push(stream);
      stream.cork();
    },
  };
}
