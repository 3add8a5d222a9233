import type { IncomingMessage } from 'node:http';
import type { Socket } from 'socket.io';
import type { SocketAuth } from './options.js';
import type { SocketPrincipal } from './principal.js';
import { terminate } from './connection.js';
import { toldError } from './told-error.js';

/** How long a goodbye may take to reach a client. */
const GOODBYE_MS = 500;

/** A socket in a namespace, with what is known of it. */
export class Member {
  /** Aborted when the socket goes. */
  readonly calls: Set<AbortController> = new Set();
  /** Rooms that the client has entered by itself. */
  readonly entered: Set<string> = new Set();
  /** Rooms that it wants to enter, while it is asked whether it may. */
  readonly entering: Set<{ readonly room: string; isCalledOff: boolean }> = new Set();
  /** Jobs that are followed, by id, with how to stop. */
  readonly follows: Map<string, () => void> = new Map();
  /** Of the credential: first for the notice, then for the end. */
  expiry: NodeJS.Timeout | undefined = undefined;
  isEnding = false;
  /** Until it is asked again whose it is, where nobody could say. */
  retry: NodeJS.Timeout | undefined = undefined;
  /** Settles, well, when the last question has been answered whose it is. */
  asked: Promise<void> = Promise.resolve();
  /** Of these questions, those by a new credential. */
  renewals = 0;

  constructor(
    readonly socket: Socket,
    readonly request: IncomingMessage,
    public principal: SocketPrincipal | undefined,
    public auth: SocketAuth,
  ) {}

  /** Who is counted: a subject everywhere, else the socket. */
  get who(): string {
    return this.principal === undefined ? `socket:${this.socket.id}` : `subject:${this.principal.subject}`;
  }

  /** Tells why, and disconnects so that Socket.IO's client does not come back by itself. */
  end(error: unknown): void {
    if (this.isEnding) return;
    this.isEnding = true;
    const { socket } = this;
    socket.emit('error', { error: toldError(error) });
    const { conn } = socket;
    socket.disconnect(true);
    // A client that does not read keeps its connection open otherwise.
    setTimeout(terminate, GOODBYE_MS, conn).unref();
  }

  /** The socket is gone. */
  release(): void {
    clearTimeout(this.expiry);
    clearTimeout(this.retry);
    this.isEnding = true;
    for (const call of this.calls) call.abort(new Error('the socket is gone'));
    this.calls.clear();
    for (const stop of this.follows.values()) stop();
    this.follows.clear();
  }
}
