import type { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';

type Listener = (...args: never[]) => unknown;

/** Notes who waits for `drain` from now on. The function that it returns ends that, and tells them to go on if they may. */
export function noteWaiting(res: ServerResponse): (mayGoOn: boolean) => void {
  const own = Object.getOwnPropertyDescriptor(res, 'on');
  const on: Listener = Reflect.get(res, 'on');
  const waiting: Listener[] = [];
  Object.defineProperty(res, 'on', {
    configurable: true,
    enumerable: true,
    writable: true,
    value: function onAndNote(this: ServerResponse, event: unknown, listener: Listener): unknown {
      if (event === 'drain') waiting.push(listener);
      return Reflect.apply(on, this, [event, listener]);
    },
  });

  return (mayGoOn) => {
    if (own === undefined) Reflect.deleteProperty(res, 'on');
    else Object.defineProperty(res, 'on', own);
    if (mayGoOn) tellDrained(res, waiting);
  };
}

/**
 * Compression has those who wait wait at a stream of its own: `on` answers where they are. Until it makes that, as the first
 * bytes come by, it keeps them where nobody finds them: those bytes may come last, where somebody else gathers them.
 */
function tellDrained(res: ServerResponse, waiting: readonly Listener[]): void {
  const waitingAt: EventEmitter = res.on('drain', doNothing).off('drain', doNothing);
  const told = new Set<unknown>([...res.rawListeners('drain'), ...waitingAt.rawListeners('drain')]);
  res.emit('drain');
  if (waitingAt !== res) waitingAt.emit('drain');
  for (const listener of waiting) if (!told.has(listener)) Reflect.apply(listener, res, []);
}

function doNothing(): void {
  // Nobody waits.
}
