import type { ClusterStatus } from './status.js';
import type { ReloadOutcome } from './reload-outcome.js';

/** What a worker tells the manager over the channel of node:cluster. */
export type FromWorker =
  /** Its event loop turns. Sent regularly. */
  | { signalbox: 'cluster'; kind: 'beat'; memoryBytes: number; requests: number }
  /** It listens on the socket that it inherited, of which node:cluster says nothing. */
  | { signalbox: 'cluster'; kind: 'listening'; where: Listening }
  /** It takes no new connections any more, whoever told it so. */
  | { signalbox: 'cluster'; kind: 'draining' }
  /** It has answered as many requests as it was to. */
  | { signalbox: 'cluster'; kind: 'tired' }
  /** The app wants to know, or do, something. */
  | { signalbox: 'cluster'; kind: 'ask'; ask: number; what: 'status' | 'reload' };

/** What the manager tells a worker. */
export type FromManager =
  /** Open log files by their names again. */
  | { signalbox: 'cluster'; kind: 'reopen' }
  /** Drain. Where others have taken its place, no load balancer has to look away first. */
  | { signalbox: 'cluster'; kind: 'retire'; replaced: boolean }
  /** End at once. */
  | { signalbox: 'cluster'; kind: 'quit' }
  /** The answer to `ask`. */
  | { signalbox: 'cluster'; kind: 'answer'; ask: number; answer: ClusterStatus | ReloadOutcome };

/**
 * What a worker writes to a pipe of its own, a line of JSON each, when its event loop may never turn again: the
 * channel needs one that does.
 */
export type Report =
  /** The event loop is blocked; where, unless in native code. */
  | { kind: 'stuck'; stack: string | undefined }
  /** An exception that nobody caught is about to end the process. */
  | { kind: 'crash'; error: string };

/** Where a worker listens, as node:cluster tells it. */
export interface Listening {
  readonly address: string;
  readonly port: number;
  /** 4 or 6, or -1 for a Unix socket. */
  readonly addressType: number;
}

/** What a worker needs to know from the start; in the environment, as JSON. */
export interface WorkerOrders {
  beatMs: number;
  /** After so many requests it is tired; 0 for never. */
  maxRequests: number;
  /** From when on a block of the event loop is reported; 0 for never. */
  stuckAfterMs: number;
  /** Whether it is to say itself that it listens. */
  isSocketInherited: boolean;
}

/** Where `serve()` looks whether others have taken this worker's place. */
export const REPLACED_VARIABLE = 'SIGNALBOX_REPLACED';

export const ORDERS_VARIABLE = 'SIGNALBOX_WORKER';

/** Where a program sees whether it is one of several: how many workers are wanted. */
export const WORKERS_VARIABLE = 'SIGNALBOX_WORKERS';

/** Where the pipe for reports is: behind the standard streams and the channel. */
export const REPORT_FD = 4;

/** Where a worker finds the socket that the manager has inherited. */
export const SOCKET_FD = 5;

/** Others use the channel too. */
export function isOurs(message: unknown): boolean {
  return (
    typeof message === 'object' &&
    message !== null &&
    'signalbox' in message &&
    message.signalbox === 'cluster'
  );
}
