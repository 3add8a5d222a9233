import { requireInteger, requireNumber, requireObject, requireOneOf, requireText } from '@signalbox/options';
import type { Composer } from './compose.js';
import type {
  AlertLevel,
  AnyEvents,
  EventArguments,
  EventName,
  SearchStatus,
  SearchStatusEvent,
  SystemAlertEvent,
} from './events.js';
import type { EmitReceipt } from './outbox.js';
import {
  createTarget,
  EVERYONE,
  roomNames,
  type DisconnectOptions,
  type EmitTarget,
  type Rooms,
  type Send,
} from './target.js';

/** What else there is to say of a search. */
export interface SearchStatusDetails extends Pick<SearchStatusEvent, 'resultsCount' | 'progress' | 'stage'> {
  /**
   * Who hears it.
   * @default 'search_status'
   */
  room?: Rooms | undefined;
}

export interface SystemAlertOptions {
  /** Who hears it; by default everybody in the namespace. */
  room?: Rooms | undefined;
}

/** Reaches the sockets of one namespace. No method throws: wrong arguments reject with a `TypeError`. */
export interface NamespaceEmitter<Events extends object = AnyEvents> {
  readonly namespace: string;
  /**
   * Emits an event to all sockets in a room, or in any of several.
   *
   * @example
   * await emitter.emit('invoice:17', 'invoice_paid', { id: '17', cents: 4_200 });
   */
  emit<Event extends EventName<Events>>(
    rooms: Rooms,
    event: Event,
    ...args: EventArguments<Events, Event>
  ): Promise<EmitReceipt>;
  /**
   * The sockets in a room, or in any of several.
   *
   * @throws {TypeError} when there is no room in the list, or a name is none
   */
  to(rooms: Rooms): EmitTarget<Events>;
  /** All sockets of the namespace. */
  toAll(): EmitTarget<Events>;
  /** Emits `search_status`: how far a search has come. */
  emitSearchStatus(query: string, status: SearchStatus, details?: SearchStatusDetails): Promise<EmitReceipt>;
  /** Emits `system_alert`, to everybody unless a room is named. */
  emitSystemAlert(level: AlertLevel, message: string, options?: SystemAlertOptions): Promise<EmitReceipt>;
  /** Makes the sockets in `rooms` join others, too. The id of a socket is a room with it alone. */
  joinSockets(rooms: Rooms, into: Rooms): Promise<EmitReceipt>;
  /** Makes the sockets in `rooms` leave others, or these. */
  leaveSockets(rooms: Rooms, from: Rooms): Promise<EmitReceipt>;
  /** Takes the sockets in `rooms` out of the namespace. */
  disconnectSockets(rooms: Rooms, options?: DisconnectOptions): Promise<EmitReceipt>;
}

const STATUSES: readonly SearchStatus[] = ['started', 'progress', 'complete', 'failed'];
const LEVELS: readonly AlertLevel[] = ['info', 'warning', 'error', 'critical'];

export function createNamespaceEmitter<Events extends object>(
  namespace: string,
  composer: Composer,
  send: Send,
): NamespaceEmitter<Events> {
  const everyone = createTarget<Events>(composer, send, EVERYONE);
  const untyped = createTarget<AnyEvents>(composer, send, EVERYONE);

  return {
    namespace,
    emit: async (rooms, event, ...args) =>
      everyone.to(roomNames('emit', 'rooms', rooms)).emit(event, ...args),
    to: (rooms) => everyone.to(rooms),
    toAll: () => everyone,
    emitSearchStatus: async (query, status, details = {}) => {
      const { room = 'search_status', ...rest } = checkedDetails(query, status, details);
      return untyped
        .to(roomNames('emitSearchStatus', 'room', room))
        .emit('search_status', { query, status, ...rest, timestamp: now() } satisfies SearchStatusEvent);
    },
    emitSystemAlert: async (level, message, options = {}) => {
      requireOneOf('emitSystemAlert', 'level', level, LEVELS);
      requireText('emitSystemAlert', 'message', message);
      requireObject('emitSystemAlert', 'options', options);
      const { room } = options;
      const target = room === undefined ? untyped : untyped.to(roomNames('emitSystemAlert', 'room', room));
      return target.emit('system_alert', { level, message, timestamp: now() } satisfies SystemAlertEvent);
    },
    joinSockets: async (rooms, into) =>
      everyone
        .to(roomNames('joinSockets', 'rooms', rooms))
        .joinSockets(roomNames('joinSockets', 'into', into)),
    leaveSockets: async (rooms, from) =>
      everyone
        .to(roomNames('leaveSockets', 'rooms', rooms))
        .leaveSockets(roomNames('leaveSockets', 'from', from)),
    disconnectSockets: async (rooms, options) =>
      everyone.to(roomNames('disconnectSockets', 'rooms', rooms)).disconnectSockets(options),
  };
}

function checkedDetails(query: unknown, status: unknown, details: SearchStatusDetails): SearchStatusDetails {
  const owner = 'emitSearchStatus';
  if (typeof query !== 'string')
    throw new TypeError(`${owner}: "query" must be a string, got a ${typeof query}`);
  requireOneOf(owner, 'status', status, STATUSES);
  requireObject(owner, 'details', details);
  const { resultsCount, progress, stage, room } = details;
  if (resultsCount !== undefined) requireInteger(owner, 'resultsCount', resultsCount, 0);
  if (progress !== undefined) requireNumber(owner, 'progress', progress, { min: 0, max: 1 });
  if (stage !== undefined) requireText(owner, 'stage', stage);
  return { resultsCount, progress, stage, room };
}

function now(): string {
  return new Date().toISOString();
}
