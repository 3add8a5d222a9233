import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Gets the response as `this`. */
export type OverListener = (this: ServerResponse) => void;

/**
 * Calls `listener` on the response once, when it is sent or can no longer be: at once where that is so already.
 *
 * The response's `close` event says so, with one exception: a pipelined request whose connection breaks while its
 * response waits behind another one never gets that event (Node before 24). Whoever counted it by the event would
 * count it for ever, so that pipelining and hanging up could use up any limit.
 *
 * A listener that finds what it needs by `this` can be one function for all requests.
 *
 * @example
 * let underWay = 0;
 * function leave() {
 *   underWay -= 1;
 * }
 * app.use((req, res, next) => {
 *   underWay += 1;
 *   onceOver(req, res, leave);
 *   next();
 * });
 */
export function onceOver(req: IncomingMessage, res: ServerResponse, listener: OverListener): void {
  const { socket } = req;
  if (res.destroyed || socket.destroyed) listener.call(res);
  else if (res.socket === null) onceQueuedResponseOver(socket, res, listener);
  // Not `once`, which makes a function for each request: Node emits it a single time.
  else onClose(res, listener);
}

/**
 * Node takes the eleventh listener for a leak, and warns of each response that has so many: `pipeline(file, res)` alone
 * brings seven of them. Those that come by here leave the rest as much room as there was.
 */
function onClose(res: ServerResponse, listener: OverListener): void {
  const most = res.getMaxListeners();
  // 0 is no bound.
  if (most > 0) res.setMaxListeners(most + 1);
  res.on('close', listener);
}

// One listener a connection, however many requests somebody sends ahead.
const queued = new WeakMap<Socket, Set<() => void>>();

function onceQueuedResponseOver(socket: Socket, res: ServerResponse, listener: OverListener): void {
  const waiting = queued.get(socket) ?? watch(socket);
  const over = (): void => {
    if (waiting.delete(over)) listener.call(res);
  };
  waiting.add(over);
  onClose(res, over);
}

function watch(socket: Socket): Set<() => void> {
  const waiting = new Set<() => void>();
  queued.set(socket, waiting);
  socket.once('close', () => {
    for (const over of waiting) over();
  });
  return waiting;
}
