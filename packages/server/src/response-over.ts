import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

type OverListener = (this: ServerResponse) => void;

/**
 * Calls `listener` on the response once, when it is sent or can no longer be. It must be called before the
 * response is over, which {@link isOver} tells.
 *
 * The response's `close` event says so, with one exception: a pipelined request whose connection
 * breaks while its response waits behind another one never gets that event (Node before 24). Whoever counted
 * it would count it for ever, so that pipelining and hanging up could use up any limit.
 */
export function onceOver(req: IncomingMessage, res: ServerResponse, listener: OverListener): void {
  if (res.socket === null) onceQueuedResponseOver(req.socket, res, listener);
  else res.on('close', listener);
}

/** Whether a response is sent already, or its connection gone. */
export function isOver(req: IncomingMessage, res: ServerResponse): boolean {
  return res.destroyed || req.socket.destroyed;
}

// One listener a connection, however many requests somebody sends ahead.
const queued = new WeakMap<Socket, Set<() => void>>();

function onceQueuedResponseOver(socket: Socket, res: ServerResponse, listener: OverListener): void {
  const waiting = queued.get(socket) ?? watch(socket);
  const over = (): void => {
    if (waiting.delete(over)) listener.call(res);
  };
  waiting.add(over);
  res.on('close', over);
}

function watch(socket: Socket): Set<() => void> {
  const waiting = new Set<() => void>();
  queued.set(socket, waiting);
  socket.once('close', () => {
    for (const over of waiting) over();
  });
  return waiting;
}
