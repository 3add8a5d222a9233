import { Server as HttpServer } from 'node:http';
import { Server as HttpsServer } from 'node:https';
import { type RedisLink, redisLink } from '@signalbox/redis';
import {
  type OriginList,
  originList,
  refuseUnknownOptions,
  requireBoolean,
  requireFunction,
  requireInteger,
  requireMilliseconds,
  requireObject,
  requireOneOf,
  wrongOption,
} from '@signalbox/options';
import type { JobFollowing } from './job-types.js';
import { type RealtimeLog, stderrLog } from './log.js';
import type { RealtimeOptions } from './options.js';
import { type Rate, readRate } from './rate.js';
import type { SocketEvent } from './socket-event.js';

/** An event as it comes, whatever its types are. */
export type AnyEvent = SocketEvent<unknown, unknown, Record<string, unknown>>;

/** Options of which nothing depends on what they are used with. */
type AnyOptions = RealtimeOptions;

/** {@link RealtimeOptions} with nothing left open. */
export interface Settings {
  readonly link: RedisLink | undefined;
  readonly path: string;
  readonly websocketOnly: boolean;
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly authenticateTimeoutMs: number;
  readonly maxPayloadBytes: number;
  readonly maxBufferedBytes: number;
  readonly flood: Required<Rate>;
  readonly maxSocketsPerSubject: number;
  readonly maxRoomsPerSocket: number;
  readonly maxInFlight: number;
  readonly origins: OriginList | undefined;
  readonly authenticate: NonNullable<AnyOptions['authenticate']>;
  readonly anonymous: boolean;
  readonly expiryNoticeMs: number;
  readonly rooms: NonNullable<AnyOptions['rooms']>;
  readonly events: ReadonlyMap<string, AnyEvent>;
  readonly limit: AnyOptions['limit'];
  readonly revoked: AnyOptions['revoked'];
  readonly jobs: JobFollowing | undefined;
  readonly namespaces: readonly string[];
  readonly greeting: boolean;
  readonly serveClient: boolean;
  readonly nodeTimeoutMs: number;
  readonly log: RealtimeLog;
}

const OPTIONS: readonly (keyof AnyOptions)[] = [
  'redis',
  'path',
  'transports',
  'pingIntervalMs',
  'pingTimeoutMs',
  'connectTimeoutMs',
  'authenticateTimeoutMs',
  'maxPayloadBytes',
  'maxBufferedBytes',
  'flood',
  'maxSocketsPerSubject',
  'maxRoomsPerSocket',
  'maxInFlight',
  'origins',
  'production',
  'authenticate',
  'anonymous',
  'expiryNoticeMs',
  'rooms',
  'events',
  'emits',
  'limit',
  'revoked',
  'jobs',
  'namespaces',
  'greeting',
  'serveClient',
  'nodeTimeoutMs',
  'log',
];

/** Names that mean something of their own. */
const RESERVED = new Set(
  (
    'join leave renew resume error connected joined left reconnect token_expired ' +
    'connect connect_error disconnect disconnecting newListener removeListener'
  ).split(' '),
);

/**
 * Fills in the defaults.
 *
 * @throws {TypeError} naming the bad option
 */
export function resolveOptions(server: unknown, options: AnyOptions): Settings {
  if (!(server instanceof HttpServer) && !(server instanceof HttpsServer)) {
    throw wrongOption('realtime', 'server', 'an http.Server or https.Server', server);
  }
  requireObject('realtime', 'options', options);
  refuseUnknownOptions('realtime', options, OPTIONS);
  const { redis, origins, rooms = nobody, production = process.env['NODE_ENV'] === 'production' } = options;
  const { limit, revoked, jobs, namespaces = [], log = stderrLog, path = '/socket.io' } = options;
  const { authenticate, anonymous = false, transports = 'sticky', events = {} } = options;

  requirePath(path);
  requireOneOf('realtime', 'transports', transports, ['sticky', 'websocket']);
  requireBoolean('realtime', 'production', production);
  requireBoolean('realtime', 'anonymous', anonymous);
  if (authenticate !== undefined) requireFunction('realtime', 'authenticate', authenticate);
  else if (!anonymous) {
    throw wrongOption('realtime', 'authenticate', 'a function unless "anonymous" is true', authenticate);
  }
  requireFunction('realtime', 'rooms', rooms);
  if (limit !== undefined) requireFunction('realtime', 'limit', limit);
  if (revoked !== undefined) requireFunction('realtime', 'revoked', revoked);
  if (jobs !== undefined) requireJobs(jobs);
  if (origins !== undefined && !Array.isArray(origins)) {
    throw wrongOption('realtime', 'origins', 'a list of origins', origins);
  }
  requireNamespaces(namespaces);
  requireObject('realtime', 'events', events);
  requireObject('realtime', 'log', log);
  requireFunction('realtime', 'log.error', Reflect.get(log, 'error'));

  return {
    ...numbersOf(options),
    link: redis === undefined ? undefined : redisLink(redis),
    path: path.replace(/\/$/, ''),
    websocketOnly: transports === 'websocket',
    origins: origins && originList(origins, 'realtime: "origins"', production),
    authenticate: authenticate ?? (() => undefined),
    anonymous,
    rooms,
    events: eventsOf(events),
    limit,
    revoked,
    jobs,
    namespaces,
    greeting: flag('greeting', options.greeting),
    serveClient: flag('serveClient', options.serveClient),
    log,
  };
}

const nobody = (): boolean => false;

function flag(option: string, value: boolean | undefined): boolean {
  if (value === undefined) return true;
  requireBoolean('realtime', option, value);
  return value;
}

type Numbers = Pick<
  Settings,
  | 'pingIntervalMs'
  | 'pingTimeoutMs'
  | 'connectTimeoutMs'
  | 'authenticateTimeoutMs'
  | 'expiryNoticeMs'
  | 'nodeTimeoutMs'
  | 'maxPayloadBytes'
  | 'maxBufferedBytes'
  | 'maxSocketsPerSubject'
  | 'maxRoomsPerSocket'
  | 'maxInFlight'
  | 'flood'
>;

function numbersOf(options: AnyOptions): Numbers {
  const milliseconds = (option: keyof AnyOptions, otherwise: number): number => {
    const value = options[option] ?? otherwise;
    requireMilliseconds('realtime', option, value);
    return value;
  };
  const integer = (option: keyof AnyOptions, otherwise: number): number => {
    const value = options[option] ?? otherwise;
    requireInteger('realtime', option, value, 1);
    return value;
  };
  return {
    pingIntervalMs: milliseconds('pingIntervalMs', 25_000),
    pingTimeoutMs: milliseconds('pingTimeoutMs', 60_000),
    connectTimeoutMs: milliseconds('connectTimeoutMs', 10_000),
    authenticateTimeoutMs: milliseconds('authenticateTimeoutMs', 5_000),
    expiryNoticeMs: milliseconds('expiryNoticeMs', 30_000),
    nodeTimeoutMs: milliseconds('nodeTimeoutMs', 1_000),
    maxPayloadBytes: integer('maxPayloadBytes', 100_000),
    maxBufferedBytes: integer('maxBufferedBytes', 4_000_000),
    maxSocketsPerSubject: integer('maxSocketsPerSubject', 50),
    maxRoomsPerSocket: integer('maxRoomsPerSocket', 100),
    maxInFlight: integer('maxInFlight', 32),
    flood: readRate('realtime', 'flood', options.flood ?? '100/s burst 500'),
  };
}

function requirePath(path: unknown): void {
  if (typeof path === 'string' && /^(\/[\w.~-]+)+\/?$/.test(path)) return;
  throw wrongOption('realtime', 'path', 'a path such as /socket.io', path);
}

function requireNamespaces(namespaces: unknown): void {
  const isList = Array.isArray(namespaces) && namespaces.every((name) => /^\/[^,?\s]*$/.test(String(name)));
  if (!isList) throw wrongOption('realtime', 'namespaces', 'names that begin with a slash', namespaces);
}

function requireJobs(jobs: unknown): void {
  requireObject('realtime', 'jobs', jobs);
  if (!('follow' in jobs)) throw wrongOption('realtime', 'jobs', 'what jobs() returned', jobs);
}

function eventsOf(events: Readonly<Record<string, AnyEvent>>): ReadonlyMap<string, AnyEvent> {
  for (const [name, event] of Object.entries(events)) {
    const option = `events.${name}`;
    if (RESERVED.has(name)) {
      throw new TypeError(`realtime: "${option}" cannot be declared: the name has a meaning of its own`);
    }
    requireObject('realtime', option, event);
    refuseUnknownOptions(`realtime: "${option}"`, event, ['schema', 'limit', 'timeoutMs', 'handler']);
    requireFunction('realtime', `${option}.handler`, Reflect.get(event, 'handler'));
    if (event.timeoutMs !== undefined)
      requireMilliseconds('realtime', `${option}.timeoutMs`, event.timeoutMs);
    if (event.limit !== undefined) readRate('realtime', `${option}.limit`, event.limit);
  }
  return new Map(Object.entries(events));
}
