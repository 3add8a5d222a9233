import { requireMilliseconds, requireText } from '@signalbox/options';
import type { RedisLinkStateName } from '@signalbox/redis';
import { createComposer } from './compose.js';
import { createDirectOutbox } from './direct-outbox.js';
import type { AnyEvents } from './events.js';
import { createNamespaceEmitter, type NamespaceEmitter } from './namespace.js';
import { normalNamespace, resolveOptions, type ExternalEmitterOptions } from './options.js';
import type { OutboxReport } from './outbox.js';
import { createQueuedOutbox } from './queued-outbox.js';

/** What an emitter has done, and whether it can go on. */
export interface EmitterReport extends OutboxReport {
  state: RedisLinkStateName;
}

/** Reaches the sockets of all servers, from wherever it runs. */
export interface ExternalEmitter<Events extends object = AnyEvents> extends NamespaceEmitter<Events> {
  /** The same for another namespace, by the same way and in the same order. */
  of<OtherEvents extends object = Events>(namespace: string): NamespaceEmitter<OtherEvents>;
  /** That of the link, or `closed`. */
  readonly state: RedisLinkStateName;
  report(): EmitterReport;
  /** Resolves when nothing waits any more: `true`; or when the time is up: `false`. */
  flush(timeoutMs: number): Promise<boolean>;
  /**
   * Takes no more events and delivers what waits, as far as that can be done before the deadline. The link, or the client,
   * stays open.
   */
  close(): Promise<void>;
}

/**
 * Makes an emitter: events from any process that reaches Redis into the rooms of all Socket.IO servers that have the
 * Redis adapter (`createAdapter` of `@socket.io/redis-adapter`). Needs no server, neither Socket.IO's nor HTTP.
 *
 * A promise of an emitter settles within the deadline: with a receipt, or with a `RedisUnavailableError` while Redis is
 * gone, unless there is a `queue`, which then takes the event.
 *
 * @throws {TypeError} when an option is wrong
 *
 * @example
 * const emitter = externalEmitter<Events>({ redis });
 * await emitter.emit('invoice:17', 'invoice_paid', { id: '17', cents: 4_200 });
 */
export function externalEmitter<Events extends object = AnyEvents>(
  options: ExternalEmitterOptions,
): ExternalEmitter<Events> {
  const { link, namespace, key, deadlineMs, maxEventBytes, queue, prefix } = resolveOptions(options);
  const outbox =
    queue === undefined
      ? createDirectOutbox(link, deadlineMs)
      : createQueuedOutbox(link, deadlineMs, queue, prefix);
  let closing: Promise<void> | undefined;

  function open<Some extends object>(name: string): NamespaceEmitter<Some> {
    return createNamespaceEmitter<Some>(name, createComposer(name, key, maxEventBytes), outbox.send);
  }

  const state = (): RedisLinkStateName => (closing === undefined ? link.state : 'closed');

  return {
    ...open<Events>(namespace),
    of<OtherEvents extends object = Events>(other: string) {
      requireText('of', 'namespace', other);
      return open<OtherEvents>(normalNamespace(other));
    },
    get state() {
      return state();
    },
    report: () => ({ state: state(), ...outbox.report() }),
    async flush(timeoutMs) {
      requireMilliseconds('flush', 'timeoutMs', timeoutMs);
      return outbox.flush(timeoutMs);
    },
    close: () => (closing ??= outbox.close()),
  };
}
