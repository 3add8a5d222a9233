import { randomUUID } from 'node:crypto';
import { redisLink, type RedisSource } from '@signalbox/redis';
import { refuseUnknownOptions, requireFunction, requireObject, requireText } from '@signalbox/options';
import { EVENT_TYPES, isRevocationEvent, type RevocationEvent } from './revocation-event.js';

export interface RevocationBusOptions {
  /**
   * Reaches every process that has the same. Without one, events stay in this process.
   */
  redis?: RedisSource | undefined;
  /** @default 'signalbox:auth:revocations' */
  channel?: string | undefined;
}

export interface ListenOptions {
  /** Called when messages may have been missed: what is kept because nobody said otherwise is to be asked for anew. */
  onGap?: (() => void) | undefined;
}

/** Tells every process at once who is not to be let in any more. */
export interface RevocationBus {
  /**
   * Tells this process before it returns, and the others in milliseconds.
   *
   * @throws {RedisUnavailableError} when the others could not be told
   */
  publish(event: RevocationEvent): Promise<void>;
  /** Hears of events until the returned function is called. What a listener throws is a warning of the process. */
  on(listener: (event: RevocationEvent) => void, options?: ListenOptions): () => void;
  /** Ends the subscription. Events of this process are heard on. */
  close(): void;
}

/**
 * Opens a way for sign-outs, bans and changes of roles to reach tokens, sessions, sockets and caches of every process
 * within a second. It is for speed: a message may be lost, and what matters is kept in a store and asked at the next
 * request.
 *
 * @throws {TypeError} when an option is wrong
 *
 * @example
 * const bus = revocationBus({ redis });
 * bus.on(({ subject }) => io.in(`user:${subject}`).disconnectSockets());
 */
export function revocationBus(options: RevocationBusOptions = {}): RevocationBus {
  requireObject('revocationBus', 'options', options);
  refuseUnknownOptions('revocationBus', options, ['redis', 'channel']);
  const { redis, channel = 'signalbox:auth:revocations' } = options;
  requireText('revocationBus', 'channel', channel);
  const link = redis === undefined ? undefined : redisLink(redis);

  /** Tells one's own messages, which come back. */
  const sender = randomUUID();
  const listeners = new Set<Listener>();

  function tell(each: (listener: Listener) => void): void {
    for (const listener of Array.from(listeners)) {
      try {
        each(listener);
      } catch (error) {
        process.emitWarning(error instanceof Error ? error : new Error(String(error)));
      }
    }
  }

  function hear(message: string): void {
    const envelope = envelopeOf(message);
    if (envelope === undefined || envelope.sender === sender) return;
    tell((each) => each.listener(envelope.event));
  }

  const unsubscribe = link?.subscribe(channel, hear, { onGap: () => tell(({ onGap }) => onGap?.()) });

  return {
    async publish(event) {
      if (!isRevocationEvent(event)) {
        throw new TypeError(
          `publish: "event" must have a subject and a type, ${EVENT_TYPES.join(', ')}, and no other than text besides`,
        );
      }
      tell((each) => each.listener(event));
      await link?.command('publish', channel, JSON.stringify({ sender, event }));
    },
    on(listener, { onGap } = {}) {
      requireFunction('on', 'listener', listener);
      if (onGap !== undefined) requireFunction('on', 'onGap', onGap);
      const entry: Listener = { listener, onGap };
      listeners.add(entry);
      return () => void listeners.delete(entry);
    },
    close() {
      unsubscribe?.();
    },
  };
}

interface Listener {
  listener(event: RevocationEvent): void;
  onGap: (() => void) | undefined;
}

const MAX_LENGTH = 8_192;

/** Whoever can write to Redis can write this: what is not an event is passed over. */
function envelopeOf(message: string): { sender: unknown; event: RevocationEvent } | undefined {
  if (message.length > MAX_LENGTH) return undefined;
  try {
    const envelope: unknown = JSON.parse(message);
    if (typeof envelope !== 'object' || envelope === null) return undefined;
    const { sender, event } = envelope as { sender?: unknown; event?: unknown };
    return isRevocationEvent(event) ? { sender, event } : undefined;
  } catch {
    return undefined;
  }
}
