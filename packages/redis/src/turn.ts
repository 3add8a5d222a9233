import type { Writable } from 'node:stream';

/** Gathers what is written in one turn of the event loop into one write. */
export interface Turn {
  /** Says that something is about to be written to the stream. */
  begin(stream: Writable): void;
}

/** More are not gathered: those that wait would all be answered at once, and then all ask again at once. */
const MAX_GATHERED = 8;

/**
 * Corks a stream at its first command of a turn, until the event loop has looked at everything that had arrived.
 * What the middlewares of one request ask leaves in one write, after however many awaits, and so does what other
 * requests ask that came in at the same time: under load that is one system call for several requests.
 *
 * A process with nothing else to do loses no time by it, since the loop does not wait while an immediate is due.
 *
 * @param left is called when what was gathered has left
 */
export function createTurn(left: () => void): Turn {
  let latest: Writable | undefined;
  /** One; of a cluster one a server, and of a client that reconnects the old one and the new. */
  const corked: Writable[] = [];
  let gathered = 0;
  let isDue = false;

  function release(): void {
    latest = undefined;
    gathered = 0;
    // One that broke in the meantime has nothing to write; to uncork it is no error.
    for (const stream of corked) stream.uncork();
    corked.length = 0;
    left();
  }

  function end(): void {
    isDue = false;
    if (gathered > 0) release();
  }

  return {
    begin(stream) {
      if (gathered === MAX_GATHERED) release();
      gathered += 1;
      if (stream === latest) return;
      latest = stream;
      if (corked.includes(stream)) return;
      if (!isDue) setImmediate(end);
      isDue = true;
      corked.push(stream);
      stream.cork();
    },
  };
}
