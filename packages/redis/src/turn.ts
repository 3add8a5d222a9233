import type { Writable } from 'node:stream';

/** Gathers what is written in one turn of the event loop into one write. */
export interface Turn {
  /** Says that something is about to be written to the stream. */
  begin(stream: Writable): void;
}

/**
 * Corks a stream at its first command of a turn, until the event loop has looked at everything that had arrived.
 * What the middlewares of one request ask leaves in one write, after however many awaits, and so does what the other
 * requests ask that came in at the same time: under load that is one system call for many requests.
 *
 * A process with nothing else to do loses no time by it, since the loop does not wait while an immediate is due.
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

  return {
    begin(stream) {
      if (stream === latest) return;
      latest = stream;
      if (corked.includes(stream)) return;
      if (corked.length === 0) setImmediate(end);
      corked.push(stream);
      stream.cork();
    },
  };
}
