import type { IncomingMessage } from 'node:http';
import type { RedisClient, RedisLink } from '@signalbox/redis';
import type { Socket } from 'socket.io';
import type { JobFollowing } from './job-types.js';
import type { LimitAnswer } from './limit.js';
import type { RealtimeLog } from './log.js';
import type { SocketPrincipal, SocketTarget } from './principal.js';
import type { RateInput } from './rate.js';
import type { EventMap, EventTypes, SocketEvent } from './socket-event.js';

/** What a socket was signed in by, as `auth` of the client has it. */
export type SocketAuth = Record<string, unknown>;

/** The principal as rules and handlers see it: `undefined` only where sockets may be anonymous. */
export type Known<Principal, Anonymous> = Anonymous extends true ? Principal | undefined : Principal;

/** What `limit` says: nothing, or whether the event is allowed. */
export type LimitResult = LimitAnswer | undefined | void;

/** Somebody was signed out, or has other roles. Fits the events of `revocationBus()` of `@signalbox/auth`. */
export interface Revocation extends SocketTarget {
  /** With `roles_changed` the sockets are authenticated anew; with any other they end. */
  readonly type?: string | undefined;
  /** As `session`. */
  readonly family?: string | undefined;
  /** As `session`. */
  readonly tokenId?: string | undefined;
  /** As `issuedUntil`. */
  readonly untilMs?: number | undefined;
}

/** Options of {@link realtime}. */
export interface RealtimeOptions<
  Schemas extends Record<string, unknown> = Record<string, unknown>,
  Principal extends SocketPrincipal = SocketPrincipal,
  Anonymous extends boolean = boolean,
  Out extends EventMap = Record<string, unknown>,
> {
  /**
   * Connects the nodes. Without it this process is alone or, as a worker of node:cluster, connected with the other
   * workers; see {@link relayBetweenWorkers}.
   */
  redis?: RedisLink | RedisClient | undefined;
  /** @default '/socket.io' */
  path?: string | undefined;
  /**
   * `sticky`: WebSocket and long-polling; whatever stands before several machines has to be sticky. `websocket`: refuses
   * long-polling, and needs nothing of the sort.
   * @default 'sticky'
   */
  transports?: 'sticky' | 'websocket' | undefined;
  /** @default 25_000 */
  pingIntervalMs?: number | undefined;
  /** @default 60_000 */
  pingTimeoutMs?: number | undefined;
  /**
   * How long a connection has to enter a namespace, in milliseconds.
   * @default 10_000
   */
  connectTimeoutMs?: number | undefined;
  /**
   * How long `authenticate` may take, in milliseconds.
   * @default 5_000
   */
  authenticateTimeoutMs?: number | undefined;
  /**
   * The largest message that a client may send.
   * @default 100_000
   */
  maxPayloadBytes?: number | undefined;
  /**
   * How much may wait for a client that does not read, before it is disconnected.
   * @default 4_000_000
   */
  maxBufferedBytes?: number | undefined;
  /**
   * How fast a connection may send, whatever it sends, before it is disconnected.
   * @default '100/s burst 500'
   */
  flood?: RateInput | undefined;
  /**
   * Sockets of one subject in this process.
   * @default 50
   */
  maxSocketsPerSubject?: number | undefined;
  /** @default 100 */
  maxRoomsPerSocket?: number | undefined;
  /**
   * Events of one socket that may be handled at a time.
   * @default 32
   */
  maxInFlight?: number | undefined;
  /**
   * Origins besides the server's own whose pages may connect, such as `https://app.example.com` or
   * `https://*.example.org`.
   */
  origins?: readonly string[] | undefined;
  /**
   * Refuses origins of plain http but for this machine.
   * @default process.env.NODE_ENV === 'production'
   */
  production?: boolean | undefined;
  /**
   * Finds out who connects, by the request (such as its cookie) or by `auth` of the client. `undefined` is nobody; what
   * it throws is told to the client. Asked again for `renew` and when roles change.
   */
  authenticate?:
    | ((req: IncomingMessage, auth: SocketAuth) => Principal | undefined | Promise<Principal | undefined>)
    | undefined;
  /**
   * Whether nobody may connect, too.
   * @default false
   */
  anonymous?: Anonymous | undefined;
  /**
   * How long before a credential ends its socket is told (`token_expired`), in milliseconds.
   * @default 30_000
   */
  expiryNoticeMs?: number | undefined;
  /** Which rooms a client may enter by `join`. By default none. */
  rooms?: ((room: string, principal: Known<Principal, Anonymous>) => boolean | Promise<boolean>) | undefined;
  /** What clients may send. */
  events?:
    | { [Name in keyof Schemas]: SocketEvent<Schemas[Name], Known<Principal, Anonymous>, Out> }
    | undefined;
  /** What the server sends: `eventTypes<{ … }>()`. For the compiler alone. */
  emits?: EventTypes<Out> | undefined;
  /**
   * Asked before each event, and with `connect` for each socket. Refuses it by what it throws, or with 429 by an answer
   * that says so, as that of `take()` of `@signalbox/rate-limit`. For limits that others share.
   */
  limit?:
    | ((
        principal: Known<Principal, Anonymous>,
        event: string,
        socket: Socket,
      ) => LimitResult | Promise<LimitResult>)
    | undefined;
  /**
   * Listens to sign-outs: is given a function for each of them, and one for when some may have been missed. Fits
   * `bus.on` of `revocationBus()`.
   */
  revoked?:
    | ((listener: (event: Revocation) => void, options: { onGap: () => void }) => (() => void) | void)
    | undefined;
  /** Jobs whose progress sockets may follow: adds the event `resume`. */
  jobs?: JobFollowing | undefined;
  /**
   * Namespaces besides `/`, with the same rules.
   * @default []
   */
  namespaces?: readonly string[] | undefined;
  /**
   * Whether a socket is told `connected` first.
   * @default true
   */
  greeting?: boolean | undefined;
  /**
   * Whether the browser's client is served, as `<path>/socket.io.js` and the like.
   * @default true
   */
  serveClient?: boolean | undefined;
  /**
   * How long other nodes have to answer, in milliseconds.
   * @default 1_000
   */
  nodeTimeoutMs?: number | undefined;
  /**
   * Where failures of handlers are told.
   * @default stderr
   */
  log?: RealtimeLog | undefined;
}
