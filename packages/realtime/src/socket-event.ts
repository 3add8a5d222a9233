import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Socket } from 'socket.io';
import type { RateInput } from './rate.js';

/** What each event carries, by its name. */
export type EventMap = object;

/** Carries the types of events that the server sends, and nothing else. */
export interface EventTypes<Out extends EventMap> {
  /** Never there. */
  readonly types?: Out | undefined;
}

/** What a schema makes of a payload; without a schema there is no payload. */
export type Payload<Schema> = Schema extends StandardSchemaV1
  ? StandardSchemaV1.InferOutput<Schema>
  : undefined;

/** An event that clients may send. */
export interface SocketEvent<Schema, Principal, Out extends EventMap> {
  /** A schema of zod, valibot, arktype or any other Standard Schema. Without one the handler gets no payload. */
  schema?: Schema | undefined;
  /**
   * How often a subject may send it to this process; a socket without one, for itself. Such as `5/s burst 10`.
   */
  limit?: RateInput | undefined;
  /**
   * How long it may take, in milliseconds.
   * @default 30_000
   */
  timeoutMs?: number | undefined;
  /** What it returns, or resolves to, is the acknowledgement. What it throws is told as `{ error }`. */
  handler(payload: Payload<Schema>, context: SocketContext<Principal, Out>): unknown;
}

/** What a handler has at hand. */
export interface SocketContext<Principal, Out extends EventMap> {
  /** Socket.IO's own. */
  readonly socket: Socket;
  readonly principal: Principal;
  /** Aborted when the socket goes, and when the time is up. */
  readonly signal: AbortSignal;
  /** Names this event in logs and errors. */
  readonly requestId: string;
  /** Sends to this socket. */
  readonly emit: <Name extends keyof Out & string>(event: Name, payload: Out[Name]) => void;
  /**
   * Sends the events of a job to this socket, each once and in order, as `<kind>_<type>` with `{ id, seq, … }`, until
   * the job or the socket ends. Needs the option `jobs`.
   *
   * @param after the last sequence number that the client has
   * @throws {HttpError} 404 `job_not_found` when there is none, or it is somebody else's
   */
  readonly follow: (id: string, after?: number) => Promise<void>;
}

/**
 * For the option `emits`: what the server sends.
 *
 * @example
 * realtime(server, { emits: eventTypes<{ system_alert: { level: string; message: string } }>() });
 */
export function eventTypes<Out extends EventMap>(): EventTypes<Out> {
  return {};
}
