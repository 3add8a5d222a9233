import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Calls `listener` once, when the response is sent or can no longer be; at once where that is so already.
 *
 * The response's `close` event says so, with one exception: a pipelined request whose connection breaks while
 * its response waits behind another one never gets that event (Node before 24). Whoever counted by it would
 * count for ever, so that pipelining and hanging up could use up any limit.
 */
export function onceOver(req: IncomingMessage, res: ServerResponse, listener: () => void): void {
  if (res.destroyed || res.closed || req.socket.destroyed) listener();
  else if (res.socket === null) onceQueuedResponseOver(req.socket, res, listener);
  else res.once('close', listener);
}

// One listener a connection, however many requests somebody sends ahead.
const queued = new WeakMap<Socket, Set<() => void>>();

function onceQueuedResponseOver(socket: Socket, res: ServerResponse, listener: () => void): void {
  const waiting = queued.get(socket) ?? watch(socket);
  const over = (): void => {
    if (waiting.delete(over)) listener();
  };
  waiting.add(over);
  res.once('close', over);
}

function watch(socket: Socket): Set<() => void> {
  const waiting = new Set<() => void>();
  queued.set(socket, waiting);
  socket.once('close', () => {
    for (const over of waiting) over();
  });
  return waiting;
}
