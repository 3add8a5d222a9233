import { wrongOption } from '@signalbox/options';
import { Emitter, RESERVED_EVENTS, type BroadcastOperator } from '@socket.io/redis-emitter';
import type { Message } from './outbox.js';
import { MESSAGE_PACK_END, plainArguments, tooLarge, wellFormed } from './payload.js';

/** Whom an event is for. */
export interface Audience {
  /** Sockets in any of these rooms; none: all of the namespace. */
  readonly rooms: readonly string[];
  /** But not those that are in any of these. */
  readonly except: readonly string[];
  /** Whether it may be lost where a client is not ready for it. */
  readonly volatile: boolean;
}

/** Makes messages for one namespace. */
export interface Composer {
  event(audience: Audience, event: string, args: readonly unknown[]): Message;
  join(audience: Audience, rooms: readonly string[]): Message;
  leave(audience: Audience, rooms: readonly string[]): Message;
  disconnect(audience: Audience, close: boolean): Message;
}

type Operator = BroadcastOperator<Record<string, (...args: unknown[]) => void>>;

/**
 * Lets the standard emitter make the messages, and publishes none: it does not look at what becomes of them.
 */
export function createComposer(namespace: string, key: string, maxEventBytes: number): Composer {
  let collected: Pick<Message, 'channel' | 'body'> | undefined;
  const listenedOn = `${key}-request#${namespace}#`;
  const collector = {
    publish(channel: string, body: Buffer | string) {
      collected = { channel, body };
    },
  };
  const emitter = new Emitter<Record<string, (...args: unknown[]) => void>>(collector, { key }, namespace);

  function compose(
    audience: Audience,
    event: string | undefined,
    publish: (operator: Operator) => void,
  ): Message {
    const operator = emitter.to([...audience.rooms]).except([...audience.except]);
    publish(audience.volatile ? operator.volatile : operator);
    if (collected === undefined) throw new Error('the emitter published nothing');
    const message: Message = { ...collected, listenedOn, event };
    collected = undefined;
    return message;
  }

  return {
    event(audience, event, args) {
      requireEvent(event);
      const name = wellFormed(event);
      const copies = plainArguments(args, maxEventBytes, MESSAGE_PACK_END);
      const message = compose(audience, event, (operator) => operator.emit(name, ...copies));
      if (message.body.length <= maxEventBytes) return message;
      throw tooLarge(maxEventBytes);
    },
    join: (audience, rooms) => compose(audience, undefined, (operator) => operator.socketsJoin([...rooms])),
    leave: (audience, rooms) => compose(audience, undefined, (operator) => operator.socketsLeave([...rooms])),
    disconnect: (audience, close) =>
      compose(audience, undefined, (operator) => operator.disconnectSockets(close)),
  };
}

function requireEvent(event: unknown): void {
  if (typeof event === 'string' && event !== '' && !RESERVED_EVENTS.has(event)) return;
  throw wrongOption('emit', 'event', "a name that is not empty, and none of socket.io's own", event);
}
