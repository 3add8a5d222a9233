import { requireBoolean, requireObject, wrongOption } from '@signalbox/options';
import type { Audience, Composer } from './compose.js';
import type { EventArguments, EventName } from './events.js';
import type { EmitReceipt, Message } from './outbox.js';

/** A room, or several: sockets that are in any of them, each once. */
export type Rooms = string | readonly string[];

export interface DisconnectOptions {
  /**
   * Whether to close the connection itself, not only to leave the namespace.
   * @default false
   */
  close?: boolean | undefined;
}

/** Some sockets, on whichever server they are. */
export interface EmitTarget<Events extends object> {
  /** Those in these rooms, too. */
  to(rooms: Rooms): EmitTarget<Events>;
  /** But not those that are in any of these rooms. */
  except(rooms: Rooms): EmitTarget<Events>;
  /** What is emitted may be lost where a client is not ready for it, as on a slow network. */
  readonly volatile: EmitTarget<Events>;
  /** Never throws: wrong arguments reject with a `TypeError`. */
  emit<Event extends EventName<Events>>(
    event: Event,
    ...args: EventArguments<Events, Event>
  ): Promise<EmitReceipt>;
  joinSockets(rooms: Rooms): Promise<EmitReceipt>;
  leaveSockets(rooms: Rooms): Promise<EmitReceipt>;
  disconnectSockets(options?: DisconnectOptions): Promise<EmitReceipt>;
}

/** What a target does with a message. */
export type Send = (message: Message) => Promise<EmitReceipt>;

export const EVERYONE: Audience = Object.freeze({ rooms: [], except: [], volatile: false });

/** A target of this audience. It is never changed: each step makes another. */
export function createTarget<Events extends object>(
  composer: Composer,
  send: Send,
  audience: Audience,
): EmitTarget<Events> {
  const other = (changed: Partial<Audience>): EmitTarget<Events> =>
    createTarget(composer, send, { ...audience, ...changed });

  return {
    to: (rooms) => other({ rooms: union(audience.rooms, roomNames('to', 'rooms', rooms)) }),
    except: (rooms) => other({ except: union(audience.except, roomNames('except', 'rooms', rooms)) }),
    get volatile() {
      return other({ volatile: true });
    },
    emit: async (event, ...args) => send(composer.event(audience, event, args)),
    joinSockets: async (rooms) => send(composer.join(audience, roomNames('joinSockets', 'rooms', rooms))),
    leaveSockets: async (rooms) => send(composer.leave(audience, roomNames('leaveSockets', 'rooms', rooms))),
    disconnectSockets: async (options = {}) => {
      requireObject('disconnectSockets', 'options', options);
      const { close = false } = options;
      requireBoolean('disconnectSockets', 'close', close);
      return send(composer.disconnect(audience, close));
    },
  };
}

/**
 * The rooms that somebody named. Nobody is not everybody: socket.io takes no room for all of them.
 *
 * @throws {TypeError} where there is none, or one is no name
 */
export function roomNames(owner: string, option: string, rooms: Rooms): readonly string[] {
  const names = typeof rooms === 'string' ? [rooms] : rooms;
  const isWell =
    Array.isArray(names) &&
    names.length > 0 &&
    names.every((name: unknown) => typeof name === 'string' && name !== '');
  if (isWell) return names;
  throw wrongOption(owner, option, 'the name of a room, or a list of some', rooms);
}

function union(some: readonly string[], more: readonly string[]): readonly string[] {
  return [...new Set([...some, ...more])];
}
