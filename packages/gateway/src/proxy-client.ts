import type { ServerResponse } from 'node:http';
import { onceOver } from '@signalbox/context';
import type { ProxyRequest } from './proxy-request-headers.js';

/** What is told how a response fares with its client. */
export interface Answering {
  /** The client has left, or was answered in this proxy's place. */
  abandon(): void;
  /** It has taken what was sent. */
  drained(): void;
}

const ANSWERING: unique symbol = Symbol('signalbox.answering');
type LinkedResponse = ServerResponse & { [ANSWERING]?: Answering };

export function answerOn(res: LinkedResponse, answering: Answering): void {
  res[ANSWERING] = answering;
}

// One listener of each kind for all responses: which one it is, they find on the response.

export function watchClient(req: ProxyRequest, res: ServerResponse): void {
  onceOver(req, res, responseClosed);
}

export function onDrain(res: ServerResponse): void {
  res.on('drain', responseDrained);
}

function responseClosed(this: ServerResponse): void {
  (this as LinkedResponse)[ANSWERING]?.abandon();
}

function responseDrained(this: ServerResponse): void {
  (this as LinkedResponse)[ANSWERING]?.drained();
}

/** `compression` keeps what it has until it is told. */
export function flushCompression(res: ServerResponse): void {
  if ('flush' in res && typeof res.flush === 'function') res.flush();
}
