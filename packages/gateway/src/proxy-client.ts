import type { ServerResponse } from 'node:http';
import { Socket } from 'node:net';
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

// One listener for all responses: which one it is, it finds on the response.

export function watchClient(req: ProxyRequest, res: ServerResponse): void {
  onceOver(req, res, responseClosed);
}

/** Not by `this`: it is a stream of its own that `compression` has say this. */
export function onDrain(res: LinkedResponse): void {
  res.on('drain', () => res[ANSWERING]?.drained());
}

function responseClosed(this: ServerResponse): void {
  (this as LinkedResponse)[ANSWERING]?.abandon();
}

/** `compression` keeps what it has until it is told. */
function flushCompression(res: ServerResponse): void {
  if ('flush' in res && typeof res.flush === 'function') res.flush();
}

/** As much of an answer may wait for its client; with less, each piece of it would stop and start the upstream. */
const MAX_UNSENT_BYTES = 131_072;

/**
 * Sends a piece of an answer.
 *
 * @param isEvent whether it is for the client at once
 * @returns whether more may follow before its client has taken what there is
 */
export function writeTo(res: ServerResponse, chunk: Buffer, isEvent: boolean): boolean {
  const hasRoom: unknown = res.write(chunk);
  if (isEvent) flushCompression(res);
  // Who logs bodies by a function of his own often forgets to return what the one below says.
  if (hasRoom === true || (hasRoom !== false && !res.writableNeedDrain)) return true;
  return res.writableLength < MAX_UNSENT_BYTES && !mayKeepBytes(res);
}

/**
 * Sends what there is before a rest that takes its time: the head, and of an answer without a length what compression keeps,
 * since it may be a stream with somebody waiting for this piece. Not where somebody may keep the whole, as to change it: he
 * has yet to write fields of the head. Of events nobody waits for the end.
 */
export function soFarTo(res: ServerResponse, isOfEvents: boolean, hasLength: boolean): void {
  if (!res.headersSent && (isOfEvents || !mayKeepBytes(res))) res.flushHeaders();
  if (!hasLength) flushCompression(res);
}

/** Whoever has put a function of his own in the place of `write`, as `compression` does, keeps what nobody else can count. */
function mayKeepBytes(res: ServerResponse): boolean {
  return Object.hasOwn(res, 'write');
}

/**
 * Tells whoever handles errors, and cuts an answer that has begun. One who fails at that, as by writing a head where one
 * was sent, must not take the process with him: his error is a warning.
 */
export function passError(
  res: ServerResponse,
  passOn: (error: Error) => void,
  error: Error,
  isBegun: boolean,
): void {
  let isCut = isBegun;
  try {
    // Cut off without a head, the client would take it for a lost connection.
    if (isBegun && !res.headersSent) res.flushHeaders();
    passOn(error);
  } catch (failure) {
    isCut = true;
    process.emitWarning(failure instanceof Error ? failure : new Error(String(failure)));
  }
  if (isCut && !res.destroyed) res.destroy();
}

/** Ends an answer. What is left of it may take its time, but a client that takes nothing for so long is let go. */
export function endWithin(res: ServerResponse, idleMs: number, chunk?: Buffer): void {
  const { socket } = res;
  if (chunk === undefined) res.end();
  else res.end(chunk);
  // Most answers have gone to the system by now.
  if (res.headersSent && res.writableLength === 0 && !mayKeepBytes(res)) return;
  if (socket === null) res.once('socket', (own: unknown) => boundIdleness(res, own, idleMs));
  else boundIdleness(res, socket, idleMs);
}

function boundIdleness(res: ServerResponse, socket: unknown, idleMs: number): void {
  // A response that nobody is at the end of, as where a cache refreshes what it has, may have something else.
  if (!(socket instanceof Socket)) return;
  const before = socket.timeout ?? 0;
  if (before > 0 && before < idleMs) return;
  const letGo = (): unknown => res.destroy();
  socket.setTimeout(idleMs, letGo);
  // Before the server says how long the connection may wait for its next request.
  res.prependOnceListener('finish', () => socket.off('timeout', letGo).setTimeout(before));
}
